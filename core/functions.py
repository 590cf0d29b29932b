#!/usr/bin/env python3
"""What follows from the tables of functions, core/functions.def, core/nn.def and core/linalg.def, and of modules.

functions.py                     writes the headers and docs/ops.md, which are committed
functions.py --check             fails where one of them is not what the tables say
functions.py --definitions FILE MODULES  writes the definitions of every form but the body, and those of the modules of
                                 core/modules.def
"""
import argparse
import dataclasses
import pathlib
import re
import sys

import modules
from tables import CARRIERS, HEAD, OPTIONS, ROOT, Parameter, bare, cell, split

TABLES = tuple(ROOT / f'core/{name}.def' for name in ('functions', 'nn', 'linalg'))
LINE = re.compile(r'^(FUNCTION|RESULT|OPTIONS|SECTION|TEXT|NAMESPACE|USING)\((.*)\)$')
FORMS, MARKS = set('mioexf'), ('all', 'z', 'n', 'x')
RESULTS = {}  # structs of results, with their members
BODIES = ('unary', 'binary', 'composed', 'function', 'member', 'alias')


LOCATION = Parameter('Location', 'at', 'JOT_HERE')


@dataclasses.dataclass
class Function:
    name: str
    forms: str
    marks: str
    body: str
    made: list
    result: str
    parameters: list
    doc: list
    namespace: str = ''
    alias_of: str = ''

    @property
    def located(self):
        return any(p.carries or p.plain in ('Index', 'Indices') for p in self.parameters)

    @property
    def all(self):
        return self.parameters if self.located else [*self.parameters, LOCATION]

    @property
    def self(self):
        """Whose member it is: the parameter x, where none is named so the first."""
        return next((p for p in self.parameters if p.name == 'x'), self.parameters[0])

    @property
    def rest(self):  # of a member
        return [p for p in self.all if p is not self.self]

    @property
    def typed(self):
        """The parameter that says the dtype of the result: with an output it is that of the output."""
        return next((p for p in self.parameters if p.type == 'std::optional<DType>' and p.name == 'dtype'), None)

    @property
    def outs(self):
        return [Parameter('const Tensor&', name, '') for name in RESULTS.get(self.result, ['out'])]

    def given(self, x):
        """The arguments of a call for x."""
        return ', '.join(x if p is self.self else p.name for p in self.all)

    @property
    def qualified(self):  # an alias may be a member alone
        return 'jot::' + (f'{self.namespace}::' if self.namespace else '') + (self.made[0] if self.body == 'alias' else self.name)

    def where(self):
        """The caller's line."""
        carriers = [p.name for p in self.parameters if p.carries]
        return f'line({", ".join(carriers)})' if self.located else 'at'

    def exact(self):
        """The parameters of the overload on exactly const Tensor&."""
        return [Parameter('const Tensor&', p.name, '') if p.carries else p for p in self.parameters] + [LOCATION]


def parse_function(fields, doc, place):
    name, forms, marks, body, result, *parameters = fields
    match = re.fullmatch(r'(\w+)\((.*)\)', body)
    if not match or match[1] not in BODIES:
        raise SystemExit(f'{place}: the body is {body}, expected one of {", ".join(BODIES)}')
    if not set(forms) <= FORMS or marks not in MARKS:
        raise SystemExit(f'{place}: forms {forms} or marks {marks}')
    return Function(name, forms, marks, match[1], [part.strip('"') for part in split(match[2])], result,
                    [Parameter.parse(p) for p in parameters], doc)


def parse():
    """(kind, what) of each line of the tables, in order."""
    entries = [entry for table in TABLES for entry in parse_table(table)]
    resolve(entries)
    return entries


def parse_table(table):
    doc, namespace = [], ''
    for number, text in enumerate(table.read_text().splitlines(), 1):
        if text.startswith('//'):
            doc.append(text)
            continue
        match = LINE.match(text)
        if text and not match:
            raise SystemExit(f'{table}:{number}: no line of the table: {text}')
        if match:
            kind, fields = match[1], split(match[2])
            if kind == 'FUNCTION':
                function = parse_function(fields, doc, f'{table}:{number}')
                function.namespace = namespace
                yield kind, function
            elif kind == 'NAMESPACE':
                namespace = fields[0] if fields else ''
                yield kind, namespace
            else:
                yield kind, [field[1:-1] if field.startswith('"') else field for field in fields]
        doc = []


def resolve(entries):
    """An alias has the body of what it stands for in its namespace or in jot, under its own name."""
    known = {(e.namespace, e.name, len(e.parameters)): e for kind, e in entries if kind == 'FUNCTION' and e.body != 'alias'}
    for kind, e in entries:
        if kind == 'FUNCTION' and e.body == 'alias':
            target = known[e.namespace, e.made[0], len(e.parameters)]
            e.doc = e.doc or [f'// {target.name}']
            e.alias_of = target.name
            if target.body in ('unary', 'binary'):
                e.body, e.made = target.body, target.made


def signature(f, name, parameters, result=None):
    return f'{result or f.result} {name}({", ".join(p.declared() for p in parameters)})'


def functions(entries, namespace=None):
    return [e for kind, e in entries if kind == 'FUNCTION' and (namespace is None or e.namespace == namespace)]


# ---- headers


def free_declarations(f):
    yield from f.doc
    if 'x' not in f.forms:
        yield signature(f, f.name, f.all) + ';'
    if 'e' in f.forms:
        yield signature(f, f.name, f.exact()) + ';'
    if 'i' in f.forms and f.namespace:
        yield signature(f, f.name + '_', f.all, 'const Tensor&') + ';'
    if 'o' in f.forms and f.namespace:
        yield signature(f, f.name + '_out', out_parameters(f)) + ';'


def out_parameters(f):
    return [*f.outs, *(p for p in f.all if p is not f.typed)]


def within(entries, namespace, header=''):
    """The lines of a namespace, of jot those of the sections of a header."""
    inside, declared = '', ''
    for kind, e in entries:
        if kind == 'NAMESPACE':
            inside, declared = e, ''
            continue
        if kind == 'SECTION':
            declared = header_of(e)
        if (inside, declared) == (namespace, header):
            yield kind, e


def header_of(section):
    return section[1] if len(section) > 1 else ''


def declarations(entries, with_output=()):
    """Of the lines of a namespace; with_output: what of jot has one."""
    for kind, e in entries:
        if kind == 'RESULT':
            yield from (f'struct {e[0]} {{', f'  Tensor {", ".join(e[1:])};', '};', f'JOT_TREE({", ".join(e)});')
        elif kind == 'OPTIONS':
            yield from (f'struct {e[0]} {{', *(f'  {member};' for member in e[1:]), '};')
        elif kind == 'SECTION':
            yield from ('', f'// ---- {e[0]}')
        elif kind == 'TEXT':
            yield f'// {e[0]}'
        elif kind == 'USING':
            yield from (f'using jot::{used};' for used in e)
            yield from (f'using jot::{used}_out;' for used in e if used in with_output)
        elif kind == 'FUNCTION':
            yield from free_declarations(e)


def header(entries):
    lines = ['// Functions of tensors. Names, order of arguments and meaning follow torch; a dim counts from the end when negative;',
             '// dims {} are all. Functions are overload sets: pass them in a lambda, or with JOT_FN.', '#pragma once',
             '#include <vector>', '', '#include "jot/tree.h"', '', 'namespace jot {', '', '// clang-format off']
    lines += declarations(within(entries, ''))
    return HEAD + '\n'.join([*lines, '// clang-format on', '', '}  // namespace jot', ''])


def header_part(entries, name):
    return HEAD + '\n'.join([f'// What of the tables jot/{name}.h declares.', *declarations(within(entries, '', name)), ''])


def members(entries):
    lines = ['// Members of class Tensor.']
    for f in functions(entries, ''):
        if 'm' in f.forms:
            # Options may hold tensors, so that there is no {} of them in the class: the member without them is another.
            given = [dataclasses.replace(p, default='') if p.plain in OPTIONS else p for p in f.rest]
            lines.append(f'  {signature(f, f.name, given)} const;')
            if given != f.rest:
                lines.append(f'  {signature(f, f.name, [p for p in f.rest if p.plain not in OPTIONS])} const;')
        if 'i' in f.forms:
            lines.append(f'  {signature(f, f.name + "_", f.rest, "const Tensor&")} const;')
    return HEAD + '\n'.join([*lines, ''])


def forwarding_members(entries):
    lines = ['// Members of what reads as a Tensor: those of its tensor().']
    for f in functions(entries, ''):
        for form, name, result in (('m', f.name, f.result), ('i', f'{f.name}_', 'const Tensor&')):
            if form in f.forms:
                lines.append(f'  {signature(f, name, f.rest, result)} const {{ return tensor().{name}({names(f.rest)}); }}')
    return HEAD + '\n'.join([*lines, ''])


def forward(entries):
    structs = [f'struct {e[0]};' for kind, e in within(entries, '') if kind in ('RESULT', 'OPTIONS')]
    return HEAD + '\n'.join(['// Results and options of functions, which tensor.h names.', '#pragma once', '', 'namespace jot {', '', *structs, '',
                             '}  // namespace jot', ''])


def outputs(entries):
    lines = ['// Functions that write their result to a tensor that is given: name_out(out, arguments of name). It keeps its shape and',
             '// dtype: a result of another shape is an error, one of a higher category (float into integer) too; what takes a dtype',
             '// has that of `out`. Not inside vmap.',
             '// Returns `out`; of several results all, which are given in their order. Those of a namespace are in its header.',
             '#pragma once', '#include <vector>', '', '#include "jot/tensor.h"', '', 'namespace jot {', '',
             '// clang-format off']
    lines += [signature(f, f.name + '_out', out_parameters(f)) + ';' for f in functions(entries, '') if 'o' in f.forms]
    return HEAD + '\n'.join([*lines, '// clang-format on', '', '}  // namespace jot', ''])


def namespace_header(entries, name):
    with_output = {f.name for f in functions(entries, '') if 'o' in f.forms}
    declared = list(declarations(within(entries, name), with_output))
    lines = [f'// torch.{name.replace("::", ".")}.', '#pragma once', '#include <string>', '#include <vector>', '', '#include "jot/ops.h"',
             *(['#include "jot/out.h"'] if any('using' in d and '_out' in d for d in declared) else []), '', f'namespace jot::{name} {{', '',
             '// clang-format off', *declared]
    return HEAD + '\n'.join([*lines, '// clang-format on', '', f'}}  // namespace jot::{name}', ''])


# ---- definitions


def names(parameters):
    return ', '.join(p.name for p in parameters)


def emitter(f, name, x, where):
    operands = [x if p is f.self else p.name for p in f.parameters if p.plain in ('Tensor', *CARRIERS)]
    lines = [f'  Emitter e({", ".join([f"{chr(34)}{name}{chr(34)}", where, *operands])});']
    lines += [f'  for (const Tensor& t : {p.name}) e.use(t);' for p in f.parameters if p.plain == 'std::vector<Tensor>']
    return lines


def composed(f, x):
    scope = f'compose::{f.namespace}::' if f.namespace else 'compose::'
    return f'{scope}{f.name}(e, {", ".join(x if p is f.self else p.name for p in f.parameters)})'


def free_definition(f):
    head = f'{f.result} {f.name}({bare(f.all)})'
    first = f.parameters[0]
    if f.body == 'unary':
        yield f'{head} {{ return apply(kUnary_{f.name}, {first.name}, at); }}'
    elif f.body == 'binary':
        yield f'{head} {{ return apply(kBinary_{f.name}, {names(f.parameters)}); }}'
    elif f.body == 'composed':
        x = f.self.name
        yield '\n'.join([f'{head} {{', *emitter(f, f.name, x, f.where()), f'  return e.result({composed(f, x)});', '}'])
    elif f.body == 'alias':
        yield f'{head} {{ return {f.qualified}({names(f.all)}); }}'
    elif f.body == 'member':
        yield f'{head} {{ return {first.name}.{f.name}({names(f.rest)}); }}'


def receiver(f, x, at):
    return x if f.self.plain == 'Tensor' else f'Arg({x}, {at})'


def member_definition(f):
    yield f'{f.result} Tensor::{f.name}({bare(f.rest)}) const {{ return {f.qualified}({f.given(receiver(f, "*this", member_where(f)))}); }}'
    if any(p.plain in OPTIONS for p in f.rest):
        without = [p for p in f.rest if p.plain not in OPTIONS]
        arguments = ['*this', *('{}' if p.plain in OPTIONS else p.name for p in f.rest)]
        yield f'{f.result} Tensor::{f.name}({bare(without)}) const {{ return {f.qualified}({", ".join(arguments)}); }}'


def member_where(f):
    carriers = [p.name for p in f.rest if p.carries]
    return f'line({", ".join(carriers)})' if f.located else 'at'


def in_place_definition(f):
    """A member, in a namespace a free function."""
    given, x, at = (f.all, f.self.name, f.where()) if f.namespace else (f.rest, '*this', member_where(f))
    head = f'const Tensor& {f.name}_({bare(given)})' if f.namespace else f'const Tensor& Tensor::{f.name}_({bare(given)}) const'
    if f.body in ('unary', 'binary'):
        kind = f.body.capitalize()
        arguments = ', '.join([f'k{kind}_{f.name}', x, *(p.name for p in f.rest)])
        body = [f'  apply_in_place({arguments});']
    elif f.body == 'composed':
        body = emitter(f, f.name + '_', x, at) + [f'  store(e, {x}, {composed(f, x)});']
    else:
        body = [f'  Composite call("{f.name}_", {at});',
                f'  store("{f.name}_", {x}, {f.qualified}({f.given(receiver(f, x, at))}), {at});']
    yield '\n'.join([head + ' {', *body, f'  return {x};', '}'])


def out_definition(f):
    given = [f'impl_of(out, "{f.name}_out", {f.where()}).dtype()' if p is f.typed else p.name for p in f.all]
    call = f'{f.qualified}({", ".join(given)})'
    outs = f'{f.result}{{{names(f.outs)}}}' if f.result in RESULTS else 'out'
    yield '\n'.join([f'{f.result} {f.name}_out({bare(out_parameters(f))}) {{', f'  Composite call("{f.name}_out", {f.where()});',
                     f'  return into("{f.name}_out", {outs}, {call}, {f.where()});', '}'])


def exact_definition(f):
    arguments = [f'{p.plain}({p.name}, at)' if p.carries else p.name for p in f.parameters]
    arguments += [] if f.located else ['at']
    yield f'{f.result} {f.name}({bare(f.exact())}) {{ return {f.name}({", ".join(arguments)}); }}'


def tables(all_functions):
    for f in all_functions:
        if f.body == 'unary':
            yield f'const Unary kUnary_{f.name}{{"{f.name}", "{f.name}_", Domain::{f.made[0]}, Op::{f.made[1]}}};'
        elif f.body == 'binary':
            yield (f'const Binary kBinary_{f.name}{{"{f.name}", "{f.name}_", Domain::{f.made[0]}, Op::{f.made[1]}, '
                   f'Op::{f.made[2]}}};')


def definitions_of(f):
    if f.body != 'function' and 'x' not in f.forms:
        yield from free_definition(f)
    if 'm' in f.forms and f.body != 'member':
        yield from member_definition(f)
    if 'i' in f.forms:
        yield from in_place_definition(f)
    if 'o' in f.forms:
        yield from out_definition(f)
    if 'e' in f.forms:
        yield from exact_definition(f)


def definitions(entries):
    spaces = list(dict.fromkeys(f.namespace for f in functions(entries)))
    lines = ['#include "core/functions/forms.h"', '#include "jot/jot.h"', '', 'namespace jot {', '', 'using namespace detail;',
             'using ir::Op;', '']
    for space in spaces:
        bodies = [f for f in functions(entries, space) if f.body == 'composed']
        opened = f'compose::{space}' if space else 'compose'
        lines += [f'namespace {opened} {{']
        lines += [f'ir::Value {f.name}(Emitter& e, {bare(f.parameters)});' for f in bodies] + [f'}}  // namespace {opened}', '']
    for space in spaces:
        own = functions(entries, space)
        if space:
            lines += [f'namespace {space} {{', '']
        lines += ['namespace {', *tables(own), '}  // namespace', '']
        for f in own:
            lines += definitions_of(f)
        if space:
            lines += [f'}}  // namespace {space}', '']
    return HEAD + '\n'.join([*lines, '', '}  // namespace jot', ''])


# ---- docs

PREAMBLE = '''# Every function

Generated from the tables `core/functions.def`, `core/nn.def` and `core/linalg.def` by `./dev generate`. Names, order of arguments, defaults and meaning are
torch's unless a line says otherwise.

A function has the forms that its line names: as a **m**ember `x.f()`; **i**n place, `x.f_()`; with an **o**utput, `f_out(out,
...)`, which returns it, and of several results `f_out(values, indices, ...)`, in the order of its struct, which it returns. An output
keeps its shape and dtype: another shape is a ShapeError, a dtype of a lower category (integers for floats) a DTypeError, inside vmap it is
a TransformError; nothing is written then. What takes a dtype takes none with an output and makes its result in the output's:
`zeros_out(out, shape)`. Views have no form in place (torch's `t_`, `transpose_`, `squeeze_`, ...), for a handle keeps
its shape and strides: write `x = x.t()`. A member is of the parameter x, where none is named so of the first. Where forms is empty it is
a free function alone. A Location, the caller's line, is the last argument where none is
shown to carry it (`Arg` and `Bound` do); leave it out. Derivatives: *full* are forward and reverse mode, any order of them, and
vmap; *zero*, the derivative is zero everywhere; *none*, not differentiable, vmap only; *in x*, of the first argument only.
"Made of" names the ops of [ir.md](ir.md) that it records, or what it composes to. Kernels are compiled loops, fused with what
is around them; a routine is a loop of the library of its own; a library call is one of OpenBLAS, oneDNN or LAPACK; a view
computes nothing. Elements: called from a kernel for one element after the other, as plain C++ (special functions whose vector code would be
long, and which are rare).
'''
DERIVATIVE = {'all': 'full', 'z': 'zero', 'n': 'none', 'x': 'in x'}


def row(f):
    shown = re.sub(r'const ([\w:<>]+)&', r'\1', signature(f, f.name, f.parameters))
    made = {'unary': lambda: f'`{f.made[1][:-3]}`', 'binary': lambda: f'`{f.made[1][:-3]}`',
            'alias': lambda: f'`{f.made[0]}`'}.get(f.body, lambda: f.made[0])()
    at = {'unary': 2, 'binary': 3}.get(f.body, 1)
    runs = f.made[at] if len(f.made) > at else 'kernels'
    doc = ' '.join(line.removeprefix('//').strip() for line in f.doc)
    for p in f.parameters:
        doc += f' `{{{", ".join(OPTIONS[p.plain])}}}`' if p.plain in OPTIONS else ''
    forms = ''.join(c for c in 'mio' if c in f.forms)
    return '| ' + ' | '.join(cell(c) for c in (f'`{shown}`', forms, DERIVATIVE[f.marks], made, runs, doc)) + ' |'


def modules_of(entries):
    """The lines of core/modules.def."""
    known = {}
    for f in [*functions(entries, 'nn::functional'), *functions(entries, '')]:
        known.setdefault(f.name, f)
    return list(modules.parse(known))


def page(entries):
    lines, opened, space = [PREAMBLE], False, ''
    for kind, e in entries:
        if kind == 'NAMESPACE':
            space = e
        if kind in ('SECTION', 'TEXT', 'USING'):
            opened = False
        if kind == 'SECTION':
            lines += ['', f'## {e[0]}']
        elif kind == 'TEXT':
            lines += ['', e[0]]
        elif kind == 'USING':
            lines += ['', f'In `jot::{space}`, too: ' + ', '.join(f'`{used}`' for used in e) + '.']
        elif kind == 'FUNCTION':
            if not opened:
                lines += ['', '| function | forms | derivative | made of | runs in | |', '|---|---|---|---|---|---|']
            opened = True
            lines.append(row(e))
    return '\n'.join([*lines, *modules.section(modules_of(entries)), *routines(), ''])


def routines():
    """The ops that run as routines, by reason."""
    ops = {}
    for op, why in re.findall(r'^ROUTINE\((\w+), \w+, [\w/]+, "(.*)"\)$',
                              (ROOT / 'backends/cpu/routines/routines.def').read_text(), re.M):
        ops.setdefault(why, []).append(f'`{op}`')
    yield from ['', '## What runs as a routine', '',
                'Ops of the IR that are, or may be, a step of their own rather than part of a kernel: precompiled C++, a call of a',
                'library, or what runs regions. Movements and reductions are, too, where nothing is computed around them.',
                '`compile(f, ...).stats()` counts kernels, routines and library calls of a program.', '',
                '| ops | why |', '|---|---|']
    yield from (f'| {", ".join(names)} | {why} |' for why, names in ops.items())


def written(entries):
    """What is committed: path, text."""
    yield ROOT / 'core/jot/functions.h', header(entries)
    yield ROOT / 'core/jot/tensor_members.inc', members(entries)
    yield ROOT / 'core/jot/forwarding_members.inc', forwarding_members(entries)
    yield ROOT / 'core/jot/forward.h', forward(entries)
    yield ROOT / 'core/jot/out.h', outputs(entries)
    for name in dict.fromkeys(header_of(e) for kind, e in entries if kind == 'SECTION' and header_of(e)):
        yield ROOT / f'core/jot/{name}.inc', header_part(entries, name)
    for space in dict.fromkeys(e for kind, e in entries if kind == 'NAMESPACE' and e):
        yield ROOT / f'core/jot/{space.replace("::", "_")}.h', namespace_header(entries, space)
    yield ROOT / 'core/jot/nn_modules.h', modules.header(modules_of(entries))
    yield ROOT / 'docs/ops.md', page(entries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--definitions', type=pathlib.Path, nargs=2)
    options = parser.parse_args()
    entries = parse()
    OPTIONS.update({e[0]: e[1:] for kind, e in entries if kind == 'OPTIONS'})
    RESULTS.update({e[0]: e[1:] for kind, e in entries if kind == 'RESULT'})
    if options.definitions:
        options.definitions[0].write_text(definitions(entries))
        options.definitions[1].write_text(modules.definitions(modules_of(entries)))
        return 0
    stale = [(path, text) for path, text in written(entries) if not path.exists() or path.read_text() != text]
    if options.check:
        for path, _ in stale:
            print(f'{path.relative_to(ROOT)} is not what the tables of functions say: run ./dev generate')
        return bool(stale)
    for path, text in stale:
        path.write_text(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
