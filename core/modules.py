"""The modules of core/modules.def, each a call of a function with stored options: functions.py writes what follows from them."""
import dataclasses
import re

from tables import HEAD, OPTIONS, ROOT, Parameter, bare, cell, split

TABLE = ROOT / 'core/modules.def'
LINE = re.compile(r'^(MODULE|SECTION)\((.*)\)$')
PREAMBLE = '''## Modules that call a function: jot::nn

From `core/modules.def`; the others are on [modules.md](modules.md). A module takes what its function takes beside the inputs, by the
same names, and is called with the inputs alone. Tensors among its options are buffers; what the function does only while training
it does until `eval()`.
'''


@dataclasses.dataclass
class Module:
    name: str
    function: object  # of functions.py
    parameters: list  # of the constructor

    @property
    def inputs(self):
        """Of the call: the tensors in front that have no default."""
        rest = [i for i, p in enumerate(self.function.parameters) if p.plain != 'Tensor' or p.default]
        return self.function.parameters[:rest[0] if rest else None]

    @property
    def single(self):
        return len(self.inputs) == 1

    @property
    def buffers(self):
        """(name, the expression that gives it to the constructor)"""
        for p in self.parameters:
            if p.plain == 'Tensor':
                yield p.name, f'given_{p.name}'
            for member in map(Parameter.parse, OPTIONS.get(p.plain.removeprefix('functional::'), ())):
                if member.type == 'Tensor':
                    yield member.name, f'{p.name}_.{member.name}'

    @property
    def stored(self):
        return [p for p in self.parameters if p.plain != 'Tensor']

    @property
    def braced(self):
        """The constructor that takes a braced list, which else might as well be a list for the copy constructor."""
        first, *rest = self.parameters or [None]
        if not first or first.plain != 'Ints' or first.default or any(not p.default for p in rest):
            return None
        return [Parameter('std::initializer_list<Extent>', first.name, ''), *rest]

    def call(self):
        given = iter(self.parameters)
        arguments = [p.name for p in self.inputs]
        for p in self.function.parameters[len(self.inputs):]:
            if p.name == 'training':
                arguments.append('is_training()')
                continue
            mine = next(given)
            arguments.append(f'detail::given({mine.name})' if mine.plain == 'Tensor' else mine.name if mine.plain in self.changed else f'{mine.name}_')
        scope = 'functional' if self.function.namespace else 'jot'
        return f'{scope}::{self.function.name}({", ".join([*arguments, "detail::CallSite::current()"])})'

    @property
    def changed(self):
        """Options that hold buffers: a copy is called with."""
        return [p.plain for p in self.stored if any(at.startswith(f'{p.name}_.') for _, at in self.buffers)]


def parse(functions):
    """(kind, what) of each line, in order. functions: by name, those of nn::functional first."""
    for number, text in enumerate(TABLE.read_text().splitlines(), 1):
        match = LINE.match(text)
        if not match:
            if text and not text.startswith('//'):
                raise SystemExit(f'{TABLE}:{number}: no line of the table: {text}')
            continue
        fields = split(match[2])
        if match[1] == 'SECTION':
            yield 'SECTION', fields[0].strip('"')
            continue
        name, called, *parameters = fields
        if called not in functions:
            raise SystemExit(f'{TABLE}:{number}: no function {called} in nn::functional or jot')
        module = Module(name, functions[called], [])
        rest = functions[called].parameters[len(module.inputs):]
        module.parameters = [Parameter.parse(p) for p in parameters] or [qualified(p) for p in rest if p.name != 'training']
        yield 'MODULE', module


def qualified(p):
    """Structs of options are those of the functions."""
    return dataclasses.replace(p, type=p.type.replace(p.plain, f'functional::{p.plain}')) if p.plain in OPTIONS else p


def constructor(m, parameters):
    return f'{m.name}({", ".join(p.declared() for p in parameters)})'


def arguments(m):
    return bare(m.inputs)


def declaration(m):
    yield f'// {m.function.name}.'
    yield from m.function.doc
    yield from (f'class {m.name} : public Module {{', ' public:')
    for parameters in filter(None, (m.parameters, m.braced)):
        yield f'  explicit {constructor(m, parameters)};'
    yield f'  Tensor forward({arguments(m)}) const override;' if m.single else f'  Tensor operator()({arguments(m)}, Location at = JOT_HERE) const;'
    yield from (f'  std::optional<Buffer> {name};' for name, _ in m.buffers)
    if m.stored:
        yield from ('', ' private:', *(f'  {p.plain} {p.name}_;' for p in m.stored))
    yield '};'


def header(entries):
    lines = ['// Modules that call a function with stored options.', '#pragma once', '#include <initializer_list>', '#include <optional>', '', '#include "jot/module.h"',
             '#include "jot/nn_functional.h"', '', 'namespace jot::nn {', '', '// clang-format off']
    for kind, e in entries:
        lines += declaration(e) if kind == 'MODULE' else ['', f'// ---- {e}']
    return HEAD + '\n'.join([*lines, '// clang-format on', '', '}  // namespace jot::nn', ''])


def definition(m):
    if m.parameters:
        parameters = [dataclasses.replace(p, name=f'given_{p.name}') if p.plain == 'Tensor' else p for p in m.parameters]
        stored = ', '.join(f'{p.name}_({p.name})' for p in m.stored)
        buffers = [f'  {name} = detail::optional_buffer(*this, "{name}", {value});' for name, value in m.buffers]
        buffers += [f'  {value} = {{}};' for _, value in m.buffers if '.' in value]
        yield '\n'.join([f'{m.name}::{m.name}({bare(parameters)})' + (f' : {stored}' if stored else '') + ' {', *buffers, '}'])
    if m.braced:
        first, *rest = m.braced
        yield f'{m.name}::{m.name}({bare(m.braced)}) : {m.name}({", ".join([f"Ints({first.name})", *(p.name for p in rest)])}) {{}}'
    copies = [f'  {p.plain} {p.name} = {p.name}_;' for p in m.stored if p.plain in m.changed]
    copies += [f'  {value.replace("_.", ".")} = detail::given({name});' for name, value in m.buffers if '.' in value]
    head = f'Tensor {m.name}::forward({arguments(m)}) const {{' if m.single else f'Tensor {m.name}::operator()({arguments(m)}, Location at) const {{\n  detail::CallSite site(at);'
    yield '\n'.join([head, *copies, f'  return {m.call()};', '}'])


def definitions(entries):
    lines = ['#include "core/nn/module_state.h"', '#include "core/record/scope.h"', '#include "jot/nn_modules.h"', '', 'namespace jot::nn {', '']
    for kind, e in entries:
        lines += definition(e) if kind == 'MODULE' else []
    return HEAD + '\n'.join([*lines, '', '}  // namespace jot::nn', ''])


def section(entries):
    """Of docs/ops.md."""
    yield from ('', PREAMBLE.rstrip('\n'))
    opened = False
    for kind, e in entries:
        if kind == 'SECTION':
            opened = False
            yield from ('', f'### {e}')
            continue
        if not opened:
            yield from ('', '| module | called with | function | |', '|---|---|---|---|')
        opened = True
        shown = re.sub(r'const ([\w:<>]+)&', r'\1', constructor(e, e.parameters)).replace('functional::', '')
        options = ' '.join(f'`{{{", ".join(OPTIONS[name])}}}`' for p in e.parameters if (name := p.plain.removeprefix('functional::')) in OPTIONS)
        yield '| ' + ' | '.join(cell(c) for c in (f'`{shown}`', f'`{", ".join(p.name for p in e.inputs)}`', f'`{e.function.name}`', options)) + ' |'
