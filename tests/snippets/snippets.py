#!/usr/bin/env python3
"""Makes one program of the C++ on a Markdown page: snippets.py PAGE OUTPUT.

A block ```cpp
  with `int main`  is a program that ends with main: it gets a namespace of its own and its main is run;
  ```cpp file      stands at namespace scope (types, functions that later blocks use);
  otherwise        is run as statements, in a scope nested in those of the blocks before it, whose names it sees.
A comment <!--cpp ... --> is a block of the third kind that readers don't see (declarations that prose takes for granted).
A comment <!--prints EXPRESSION--> before an indented block: the string that the expression gives is that block, lines and
scopes left out. <!--throws EXPRESSION-->: the text of the error that the expression throws is that block, but for the
file and line after "at". Every indented block that begins as an error does, with a name in brackets, needs one.
Other languages, and C++ that is not meant to compile (mark it c++), are left alone.
"""
import pathlib
import re
import sys
import textwrap

BLOCK = re.compile(r'^```cpp(?P<kind>[^\n]*)\n(?P<code>.*?)^```$|^<!--cpp\n(?P<hidden>.*?)-->$|'
                   r'^<!--(?P<how>prints|throws) (?P<printed>[^\n]*)-->\n\n?(?P<text>(?:    [^\n]*\n)+)', re.M | re.S)
ERROR = re.compile(r'^$\n    \[\w+\] .*', re.M)
PRINTED = """[[maybe_unused]] static void printed(std::string given, std::string page, const char* where) {
  given = std::regex_replace(given, std::regex(R"(\\n$)"), "");
  if (given != page)
    std::cerr << where << ": the page shows\\n" << page << "\\nprinted was\\n" << given << "\\n", std::exit(1);
}
[[maybe_unused]] static std::string without_origins(const std::string& graph) {
  return std::regex_replace(graph, std::regex(R"( (loc|scope)\\([^)]*\\))"), "");
}
static std::string without_line(const std::string& error) {
  return std::regex_replace(error, std::regex(R"(\\n  at [^\\n]*:[0-9]+)"), "\\n  at");
}
template <class F>
std::string thrown(F f) {
  try {
    f();
  } catch (const jot::Error& e) {
    return without_line(e.what());
  }
  return "no error";
}"""


def program(page):
    text = page.read_text()
    includes, scope, statements, mains = ['#include <jot/jot.h>', '#include <cstdlib>', '#include <iostream>', '#include <regex>'], [], [], []
    depth = 0
    if unchecked := ERROR.search(BLOCK.sub('', text)):
        sys.exit(f'{page}: an error without <!--throws EXPRESSION--> before it: {unchecked[0].strip()}')
    for match in BLOCK.finditer(text):
        if match['printed']:
            line = text.count('\n', 0, match.start()) + 1
            shown = textwrap.dedent(match['text']).rstrip('\n')
            given, shown = f'without_origins({match["printed"]})', f'R"page({shown})page"'
            if match['how'] == 'throws':
                given, shown = f'thrown([&] {{ {match["printed"]}; }})', f'without_line({shown})'
            statements.append(f'{{\nprinted({given}, {shown}, "{page}:{line}");')
            depth += 1
            continue
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
    return '\n'.join([*dict.fromkeys(includes), 'using namespace jot;', PRINTED, 'namespace snippets {', *scope,
                      'void statements() {', *statements, '}' * depth, '}', '}', 'int main() {',
                      '  using namespace snippets;', *run, '  statements();', '}', ''])


pathlib.Path(sys.argv[2]).write_text(program(pathlib.Path(sys.argv[1]).resolve()))
