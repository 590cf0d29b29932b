#!/usr/bin/env python3
"""Whether the tables of functions have each form that torch has: f_out where it takes out=, f_ where it writes in place, a member where
it has a method, by tests/golden/forms.txt; and whether what has such a form is in a table. What is not so has its reason here."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'core'))
import functions  # noqa: E402

HANDLE = 'a handle keeps its shape and strides: write x = x.transpose(...)'
WITHOUT = {
    'out': {},
    'in_place': {name: HANDLE for name in
                 ('transpose', 'swapaxes', 'swapdims', 't', 'squeeze', 'unsqueeze', 'as_strided', 'detach')},
    'member': {},
}
FORM = {'out': 'o', 'in_place': 'i', 'member': 'm'}
SHOWN = {'out': '{}_out', 'in_place': '{}_', 'member': 'the member {}'}


def of_torch():
    """By kind and name the numbers of results (of outputs)."""
    found = {kind: {} for kind in FORM}
    for line in (ROOT / 'tests/golden/forms.txt').read_text().splitlines():
        if not line.startswith('#'):
            kind, name, *numbers = line.split()
            found[kind][name] = [int(n) for n in numbers]
    return found


def declared():
    """The members that class Tensor declares beside the tables."""
    text = (ROOT / 'core/jot/tensor.h').read_text()
    return set(re.findall(r'^  (?:const )?\w+&? (\w+)\(', text, re.M))


def by_hand():
    """The functions of tensors that headers declare beside the tables: file, name as torch's."""
    for path in sorted((ROOT / 'core/jot').rglob('*.h')):
        text = path.read_text()
        if not text.startswith(functions.HEAD):
            yield from ((path.name, name) for name in dict.fromkeys(re.findall(r'^(?:inline )?Tensor (\w+)\(', text, re.M)))


def offered(entries):
    """Names as torch's, and functions: of each namespace its own and those that it takes from jot."""
    space = ''
    for kind, e in entries:
        dotted = space.replace('::', '.') + '.' if space else ''
        if kind == 'NAMESPACE':
            space = e
        elif kind == 'FUNCTION':
            yield dotted + e.name, e
        elif kind == 'USING':
            yield from ((dotted + f.name, f) for f in functions.functions(entries, '') if f.name in e)


def is_in_place(f):
    return set(f.forms) == {'i', 'x'}


def problems():
    torch, members = of_torch(), declared()
    entries = functions.parse()
    functions.RESULTS.update({e[0]: e[1:] for kind, e in entries if kind == 'RESULT'})
    unused = {(kind, name) for kind, names in WITHOUT.items() for name in names}
    # Lines that are a draw in place and nothing else: of other forms the other lines of the name tell.
    drawn = {name for name, f in offered(entries) if is_in_place(f)}
    in_tables = {name for name, f in offered(entries) if not is_in_place(f)}
    for name, f in offered(entries):
        for kind, form in FORM.items():
            if is_in_place(f) or kind == 'in_place' and name in drawn:
                continue
            asked = name in torch[kind] and (kind != 'out' or len(f.outs) in torch[kind][name])
            member = f.name + ('_' if kind == 'in_place' else '')
            if not asked or form in f.forms or kind != 'out' and member in members:
                continue
            if name in WITHOUT[kind]:
                unused.discard((kind, name))
            else:
                yield f'{SHOWN[kind].format(name)} is missing, which torch has: {functions.signature(f, f.name, f.parameters)}'
    for file, name in by_hand():
        for kind in ('out', 'member'):
            if name in torch[kind] and name not in in_tables and (kind == 'out' or name not in members):
                yield f'{SHOWN[kind].format(name)} is missing, which torch has: {file} declares {name}, and no table has it'
    for kind, name in sorted(unused):
        yield f'{SHOWN[kind].format(name)} has a reason to be missing, and is not'


if __name__ == '__main__':
    found = list(problems())
    print(''.join(f'{line}\n' for line in found) + f'{int(not found)} passed, {len(found)} failed')
    sys.exit(bool(found))
