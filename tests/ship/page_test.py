#!/usr/bin/env python3
"""The C and Python of docs/shipping.md, on what its C++ exports.  page_test.py PROGRAM PAGE CC PYTHON
PROGRAM: the page's C++ (tests/snippets)."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from checks import check, finish, skipped

program, page, cc, python = sys.argv[1:]
BLOCK = re.compile(r'^```(c|python)\n(.*?)^```$', re.M | re.S)


def run(what, *command, **options):
    done = subprocess.run([str(c) for c in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    check(what, done.returncode == 0, done.stdout)
    return done.returncode == 0


with tempfile.TemporaryDirectory() as top:
    folder = pathlib.Path(top) / 'shipped'
    if run('the C++ of the page', program, env={**os.environ, 'TMPDIR': top, 'JOT_KEEP_SHIPPED': '1'}):
        for language, code in BLOCK.findall(pathlib.Path(page).read_text()):
            if language == 'c':
                (folder / 'main.c').write_text(code)
                objects = [folder / f'{name}.o' for name in re.findall(r'^#include "(\w+)\.h"', code, re.M)]
                if run('compile', cc, '-std=c99', '-pedantic', '-Wall', '-Werror', folder / 'main.c', *objects, '-lm', '-o', folder / 'main'):
                    run('run', folder / 'main')
            elif subprocess.run([python, '-c', 'import casadi'], stderr=subprocess.DEVNULL).returncode == 0:
                run('python', python, '-c', code, cwd=folder)
            else:
                skipped('the Python of the page', 'casadi is not installed (./dev test installs it)')
finish()
