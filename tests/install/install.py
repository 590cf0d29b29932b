#!/usr/bin/env python3
"""Installs into a temporary prefix, moves it, and looks at what is there: files, libraries, symbols: install.py SOURCE BUILD."""
import pathlib
import re
import sys
import tempfile

from support import Checks, command, pkg_config

source, build = map(pathlib.Path, sys.argv[1:])
PRODUCT = '''#include <fstream>
#include <iostream>

#include "jot/jot.h"

int main() try {
  std::cout << std::ifstream("/proc/self/maps").rdbuf() << std::flush;
  jot::Tensor a = jot::ones({100, 100}, jot::f64);
  if (matmul(a, a).sum().item<double>() != 1e6) return 1;
  std::cout << std::ifstream("/proc/self/maps").rdbuf();
} catch (const std::exception& e) {
  std::cout << e.what();
}
'''
# Names of namespace jot, mangled: functions and variables, const and && members, vtables, types, guards, thunks, static
# variables of functions.
OURS = re.compile(r'_Z(TV|TT|TI|TS|GV|T[hv]n?[\d_n]+_|Z|GVZ)?N[KRO]*3jot')
# Sources with code that runs when the library is loaded. Each puts itself into a list of what a fork calls, or asks the
# kernel one question; none takes memory, starts a thread, or reads a file or the environment.
AT_LOAD = {'code_memory.cpp', 'dump.cpp', 'fence.cpp', 'fork.cpp', 'pool.cpp', 'seen.cpp', 'thread.cpp', 'buffer.cpp'}


def files(prefix):
    """All of the library and nothing of its inside."""
    headers = {str(path.relative_to(prefix / 'include')) for path in prefix.glob('include/**/*.h')}
    public = {f'jot/{path.relative_to(source / layer / "jot")}' for layer in ('ir', 'core')
              for path in (source / layer / 'jot').rglob('*.h')}
    assert headers == public, f'installed headers differ from the public ones: {sorted(headers ^ public)}'
    for file in ('lib/libjot.so', 'lib/libjot.a', 'lib/pkgconfig/jot.pc', 'lib/pkgconfig/jot-static.pc',
                 'lib/cmake/jot/jotConfig.cmake', 'bin/jot-opt'):
        assert (prefix / file).exists(), f'{file} is not installed'


def libraries(prefix):
    """libjot finds everything it needs, oneDNN in a folder of its own, and nothing in the build tree; OpenBLAS is loaded later."""
    listing = command('ldd', prefix / 'lib/libjot.so')
    assert 'not found' not in listing and str(build) not in listing, listing
    bundled = prefix / 'lib/jot/libdnnl.so.3'
    assert not bundled.exists() or re.search(rf'libdnnl.so.3 => {prefix}/lib/(\./)?jot/libdnnl.so.3', listing), listing
    assert 'blas' not in listing, listing


def symbols(prefix):
    """Only names of namespace jot are exported, under the version of the interface."""
    lines = command('nm', '-D', '--defined-only', '--with-symbol-versions', prefix / 'lib/libjot.so').splitlines()
    names = [line.split()[-1] for line in lines]
    version = names.pop(next(i for i, name in enumerate(names) if name.startswith('JOT_')))
    interface = re.search(r"^  version: '(\d+\.\d+)", (source / 'meson.build').read_text(), re.M)[1]
    assert version.split('@')[0] == f'JOT_{interface}', version
    wrong = [name for name in names if not OURS.match(name) or not name.endswith(f'@@JOT_{interface}')]
    assert len(names) > 1000 and not wrong, f'{len(wrong)} of {len(names)}: {wrong[:20]}'
    soname = command('readelf', '-d', prefix / 'lib/libjot.so')
    assert f'Library soname: [libjot.so.{interface}]' in soname, soname


def constructors(prefix):
    """Nothing but what AT_LOAD names runs when the library is loaded."""
    found = set(re.findall(r'_GLOBAL__sub_I_(\S+)', command('nm', prefix / 'lib/libjot.so')))
    assert found == AT_LOAD, f'code at load: {sorted(found)}, expected {sorted(AT_LOAD)}'


def teardown(prefix):
    """No static or thread_local object of the library is ever destroyed: destructors of the program's may use it."""
    undefined = command('nm', '-D', '--undefined-only', prefix / 'lib/libjot.so')
    registered = re.findall(r'\b__cxa_(?:thread_)?atexit\b', undefined)
    assert not registered, f'libjot.so has objects with destructors: it calls {", ".join(registered)}'


def product(prefix, work):
    """The first product loads the OpenBLAS beside libjot, whose licence is installed; nothing else is told where."""
    (work / 'product.cpp').write_text(PRODUCT)
    command('g++', '-std=c++20', work / 'product.cpp', '-o', work / 'product', *pkg_config(prefix, 'jot'))
    maps = command(work / 'product').splitlines()
    loaded = {path for line in maps for path in line.split()[-1:] if 'openblas' in path}
    bundled = prefix / 'lib/jot/libscipy_openblas.so'
    if bundled.exists():
        assert loaded == {str(bundled)}, loaded
        for library in ('libdnnl', 'libscipy_openblas'):
            assert (prefix / f'share/licenses/jot/{library}.txt').read_text(), library
    assert len(loaded) == 1, f'one OpenBLAS: {loaded}'
    if not bundled.exists():
        return
    bundled.rename(work / 'gone')
    try:
        text = command(work / 'product')
    except RuntimeError as error:
        text = str(error)
    (work / 'gone').rename(bundled)
    assert 'factors of matrices need libscipy_openblas.so' in text and 'LD_LIBRARY_PATH' in text, text


def jot_opt(prefix):
    assert 'usage' in command(prefix / 'bin/jot-opt', '--help').lower()


check = Checks()
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    first, prefix, work = folder / 'first', folder / 'prefix', folder / 'work'
    work.mkdir()
    command('meson', 'install', '-C', build, '--no-rebuild', '--destdir', first)
    first.rename(prefix)  # an installation may be moved
    check('files', files, prefix)
    check('libraries', libraries, prefix)
    check('symbols', symbols, prefix)
    check('constructors', constructors, prefix)
    check('teardown', teardown, prefix)
    check('product', product, prefix, work)
    check('jot-opt', jot_opt, prefix)
check.finish()
