#!/usr/bin/env python3
"""docs/torch_func.md: every test of ours that it names exists, every test of torch's stands there once in a row that says
covered, not applicable or missing, and the counts are right. torch_func_test.py SOURCE"""
import collections
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
page = (source / 'docs/torch_func.md').read_text()
cases = {name.replace('\\"', '"') for path in (source / 'tests').rglob('*.cpp')
         for name in re.findall(r'TEST_CASE\(\s*"((?:[^"\\]|\\.)*)"', path.read_text())}
programs = set(re.findall(r"^    '([^']+)': \(", (source / 'tests/transforms/compile_errors.py').read_text(), re.M))
problems, count, kinds = [], 0, collections.Counter()


def check(right, problem):
    global count
    count += 1
    if not right:
        problems.append(problem)


for file, rows in re.findall(r'^## (test_\w+\.py)\n(.*?)(?=^## |\Z)', page, re.M | re.S):
    classes = re.split(r'^\*\*(\w+)\*\*$', rows, flags=re.M)[1:]
    for name, table in zip(classes[::2], classes[1::2]):
        tests = re.findall(r'^\| `(test_\w+)` \| (.*) \|$', table, re.M)
        check(len({test for test, _ in tests}) == len(tests), f'{file} {name}: a test stands there twice')
        for test, text in tests:
            kind = 'na' if text.startswith('not applicable: ') else 'missing' if text.startswith('missing: ') else 'covered'
            kinds[kind] += 1
            cited = re.findall(r'(compile_errors )?"([^"]+)"', text)
            check(kind != 'covered' or cited, f'{test}: neither a test, nor a reason')
            for program, case in cited:
                check(case in (programs if program else cases), f'{test}: there is no test "{case}"')
counts = f'{kinds["covered"]} covered, {kinds["na"]} not applicable, {kinds["missing"]} missing'
check(kinds['covered'] > 300 and counts in page, f'the page says other counts than {counts}')
print('\n'.join(problems))
print(f'{count - len(problems)} passed, {len(problems)} failed')
sys.exit(bool(problems))
