#!/usr/bin/env python3
"""The lint finds what is planted in a small tree, and nothing in the same tree without it."""
import argparse
import pathlib
import sys
import tempfile

import lint

CLEAN = {
    '.clang-format': (lint.ROOT / '.clang-format').read_text(),
    'ir/meson.build': "files('graph.cpp')",
    'ir/graph.cpp': '#include "ir/graph.h"\n',
    'ir/graph.h': '#include "jot/shape.h"\n',
    'ir/ops.def': 'OP(add, sums, elementwise)\n',
    'ir/ops/sums.cpp': '',
    'ir/jot/shape.h': '#pragma once\n#include <vector>\nusing Shape = std::vector<int>;\n',
    'core/meson.build': "files('tensor.cpp')",
    'core/tensor.cpp': '#include "jot/tensor.h"\n\n#include "ir/graph.h"\n',
    'core/jot/tensor.h': '#pragma once\n#include "jot/shape.h"\n',
    'tests/meson.build': '',
    'docs/meson.build': "pages = files('numerics.md')",
    'docs/numerics.md': '',
}
# One planted fault each: the file as changed, and what the complaint must say.
PLANTED = [
    ('ir/graph.h', '#include "jot/tensor.h"\n', 'ir may not include "jot/tensor.h"'),
    ('ir/meson.build', "files('graph.cpp')\nmade = custom_target('made', output: ['one.h', 'made.cpp'])\n", 'made.cpp is not made by CMakeLists.txt'),
    ('ir/graph.cpp', 'void f() {\n  for (int64_t d : g.attrs(v).ints(Key::dims)) use(d);\n}\n', 'name the Ints before the loop'),
    ('ir/graph.cpp', '#include "graph.h"\n', 'no file "graph.h" from the root'),
    ('ir/graph.h', '#include <jot/shape.h>\n', 'write "jot/shape.h"'),
    ('core/jot/tensor.h', '#pragma once\n#include <asmjit/asmjit.h>\n', 'a public header may not include asmjit/asmjit.h'),
    ('core/jot/tensor.h', '#pragma once\n#include "ir/graph.h"\n', 'a public header may not include ir/graph.h'),
    ('core/jot/tensor.h', '#pragma once\n#define CHECK(x) (x)\n', 'macro CHECK does not begin with JOT_'),
    ('core/jot/tensor.h', '#pragma once\ninline Shape s;\n', '<jot/tensor.h> does not compile alone'),
    ('core/jot/tensor.h', '#include "jot/shape.h"\nstruct Tensor {};\n', 'redefinition of'),
    ('core/jot/tensor.h', '#pragma once\ninline int f(int x) { return 0; }\n', 'unused parameter'),
    ('core/jot/tensor.h', '#pragma once\ninline int x = 0;\ninline int f(int x) { return x; }\n', 'shadows'),
    ('ir/jot/fmt.h', '#pragma once\n#include <boost/any.hpp>\n', 'a public header may not include boost/any.hpp'),
    ('passes/cse.cpp', '', 'source not listed'),
    ('ir/ops/products.cpp', '', 'source not listed'),
    ('tests/ops/sum_test.cpp', '', 'source not listed'),
    ('docs/errors.md', '', 'page not listed'),
    ('ir/graph.cpp', '#include "ir/graph.h"\n' + '// a line\n' * 900, '901 lines; split it'),
    ('ir/graph.cpp', '#include   "ir/graph.h"\nint f( ) ;\n', 'run ./dev format on'),
]


def complaints(files):
    with tempfile.TemporaryDirectory() as folder:
        lint.ROOT = pathlib.Path(folder).resolve()
        for name, text in files.items():
            path = lint.ROOT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        results = lint.run(argparse.Namespace(sources=False))
        return '\n'.join(problem for _, problems in results for problem in problems)


passed = failed = 0
for name, text, expected in [('ir/graph.h', CLEAN['ir/graph.h'], '')] + PLANTED:
    files = {**CLEAN, name: text}
    if name.startswith('passes/'):
        files['passes/meson.build'] = ''
    found = complaints(files)
    good = expected in found if expected else not found
    passed, failed = passed + good, failed + (not good)
    if not good:
        print(f'FAIL {name}: expected {expected or "no complaint"!r}, found:\n{found}\n{text[:200]}')
for cost, expected in ((0.9, 0), (1.1, 1)):
    good = len(list(lint.check_cost('a header', lambda: cost, 1.0))) == expected
    passed, failed = passed + good, failed + (not good)
    if not good:
        print(f'FAIL a header that costs {cost} s of 1')
with tempfile.TemporaryDirectory() as folder:  # a private header that leans on what others include
    lint.ROOT = pathlib.Path(folder).resolve()
    header = lint.ROOT / 'ir' / 'graph.h'
    header.parent.mkdir()
    for text, expected in (('#pragma once\n#include <vector>\n', 0), ('#pragma once\n', 1)):
        header.write_text(text + 'inline std::vector<int> numbers;\n')
        good = lint.private_headers() == [header] and len(list(lint.check_private_header([], header))) == expected
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f'FAIL a private header: {text}')
print(f'{passed} passed, {failed} failed')
sys.exit(failed != 0)
