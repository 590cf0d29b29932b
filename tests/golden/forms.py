#!/usr/bin/env python3
"""Writes which functions of torch have an output, a method and a method in place: forms.txt, which tests/coverage/forms.py reads.

It is run by hand, once for a version of torch (2.13 in .venv-peers). A line is a kind and names of torch:
  out NAME N...   takes out= of that many tensors, of 1 and of 2 in different overloads
  member NAME     is a method of Tensor
  in_place NAME   has a NAME_: a method of Tensor, of torch.nn.functional a function
"""
import inspect
import pathlib
import re

import torch
import torchgen

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = pathlib.Path(torchgen.__file__).parent / 'packaged/ATen/native/native_functions.yaml'
SPACES = {'': torch, 'special': torch.special, 'linalg': torch.linalg, 'nn.functional': torch.nn.functional}
PREFIXES = {'special': 'special_', 'linalg': 'linalg_', 'nn': ''}


def schemas():
    """Module and name of each overload that is written with outputs, and how many (those that are generated take none in Python)."""
    found, name, outputs = [], '', 0
    for line in SCHEMAS.read_text().splitlines():
        if match := re.match(r'- func: [\'"]?(\w+)[^(]*\((.*)\) ->', line):
            name, (_, _, keywords) = match[1], match[2].partition('*, ')
            keywords = match[2] if match[2].startswith('*') else keywords
            outputs = 0 if name.endswith('_') else len(re.findall(r'Tensor\(\w!\)', keywords))
            found.append(['', name, outputs])
        elif match := re.match(r'  python_module: (\w+)', line):
            found[-1][0] = match[1]
    return [(module, name, outputs) for module, name, outputs in found if outputs]


def outputs():
    """Of each name the numbers of tensors that its overloads write to."""
    counts = {}
    for module, name, n in schemas():
        space = {'nn': 'nn.functional'}.get(module, module)
        prefix = PREFIXES.get(module, '')
        if space not in SPACES or not name.startswith(prefix) or name.startswith('_'):
            continue
        name = name.removeprefix(prefix)
        name = {'log_sigmoid': 'logsigmoid'}.get(name, name)
        if inspect.isbuiltin(getattr(SPACES[space], name, None)):
            counts.setdefault((space, name), set()).add(n)
    for space, module in SPACES.items():
        for name in dir(module):
            function = getattr(module, name)
            if name.startswith('_') or not callable(function):
                continue
            if inspect.isfunction(function) and 'out' in inspect.signature(function).parameters:
                counts.setdefault((space, name), set()).add(1)
            if space == 'nn.functional' and inspect.isbuiltin(function):  # the same object under both
                for module_of, other, n in schemas():
                    if not module_of and function is getattr(torch, other, None):
                        counts.setdefault((space, name), set()).add(n)
    return counts


def lines():
    yield f'# Of torch {torch.__version__}, by tests/golden/forms.py, which says what a line means.'
    for (space, name), numbers in sorted(outputs().items()):
        yield ' '.join(['out', f'{space}.{name}' if space else name, *map(str, sorted(numbers))])
    methods = [name for name in dir(torch.Tensor) if not name.startswith('_')]
    for name in methods:
        if callable(getattr(torch.Tensor, name)) and not name.endswith('_'):
            yield f'member {name}'
    for name in methods:
        if name.endswith('_'):
            yield f'in_place {name[:-1]}'
    for name in dir(torch.nn.functional):
        if name.endswith('_') and not name.startswith('_'):
            yield f'in_place nn.functional.{name[:-1]}'


if __name__ == '__main__':
    (HERE / 'forms.txt').write_text('\n'.join(lines()) + '\n')
