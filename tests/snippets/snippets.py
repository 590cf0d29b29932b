#!/usr/bin/env python3
"""Makes one program of the C++ on a Markdown page: snippets.py PAGE OUTPUT.

A block ```cpp
  with `int main`  is a program that ends with main: it gets a namespace of its own and its main is run;
  ```cpp file      stands at namespace scope (types, functions that later blocks use);
  otherwise        is run as statements, in a scope nested in those of the blocks before it, whose names it sees.
A comment <!--cpp ... --> is a block of the third kind that readers don't see (declarations that prose takes for granted).
Other languages, and C++ that is not meant to compile (mark it c++), are left alone.
"""
import pathlib
import re
import sys

BLOCK = re.compile(r'^```cpp(?P<kind>[^\n]*)\n(?P<code>.*?)^```$|^<!--cpp\n(?P<hidden>.*?)-->$', re.M | re.S)


def program(page):
    text = page.read_text()
    includes, scope, statements, mains = ['#include <jot/jot.h>'], [], [], []
    depth = 0
    for match in BLOCK.finditer(text):
        kind = (match['kind'] or '').strip()
        code = match['hidden'] if match['code'] is None else match['code']
        line = text.count('\n', 0, match.start('hidden' if match['code'] is None else 'code')) + 1
        includes += re.findall(r'^#include .*$', code, re.M)
        code = f'#line {line} "{page}"\n' + re.sub(r'^#include .*$', '', code, flags=re.M)
        if kind not in ('', 'file'):
            sys.exit(f'{page}:{line - 1}: unknown kind of block: cpp {kind}')
        if re.search(r'\bint main\(', code):
            mains.append(f'line_{line}')
            code = re.sub(r'}\s*\Z', 'return 0; }\n', code)  # which only the real main may leave out
            scope.append(f'namespace {mains[-1]} {{\n{code}}}')
        elif kind == 'file':
            scope.append(code)
        else:
            statements.append('{\n' + code)
            depth += 1
    run = [f'  {name}::main();' for name in mains]
    return '\n'.join([*dict.fromkeys(includes), 'using namespace jot;', 'namespace snippets {', *scope,
                      'void statements() {', *statements, '}' * depth, '}', '}', 'int main() {',
                      '  using namespace snippets;', *run, '  statements();', '}', ''])


pathlib.Path(sys.argv[2]).write_text(program(pathlib.Path(sys.argv[1]).resolve()))
