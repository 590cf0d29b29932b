#!/usr/bin/env python3
"""Installs into a temporary prefix, moves it, and builds and runs the README's first program there: install.py SOURCE BUILD."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

source, build = map(pathlib.Path, sys.argv[1:])
failed = passed = 0
CMAKE = '''cmake_minimum_required(VERSION 3.18)
project(example CXX)
find_package(jot 0.1 REQUIRED)
add_executable(example example.cpp)
target_compile_options(example PRIVATE -Wall -Wextra -Werror)
target_link_libraries(example PRIVATE jot::jot)
'''
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


def command(*arguments, **environment):
    """The command's output; its failure ends the test."""
    environment = {**{name: value for name, value in os.environ.items() if name != 'LD_LIBRARY_PATH'}, **environment}
    done = subprocess.run([str(argument) for argument in arguments], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f'{" ".join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}')
    return done.stdout


def check(name, function, *arguments):
    global passed, failed
    try:
        function(*arguments)
        passed += 1
    except Exception as error:
        failed += 1
        print(f'FAIL {name}: {error}')


def files(prefix):
    """All of the library and nothing of its inside."""
    headers = {str(path.relative_to(prefix / 'include')) for path in prefix.glob('include/**/*.h')}
    public = {f'jot/{path.relative_to(source / layer / "jot")}' for layer in ('ir', 'core')
              for path in (source / layer / 'jot').rglob('*.h')}
    assert headers == public, f'installed headers differ from the public ones: {sorted(headers ^ public)}'
    for file in ('lib/libjot.so', 'lib/pkgconfig/jot.pc', 'lib/cmake/jot/jotConfig.cmake', 'bin/jot-opt'):
        assert (prefix / file).exists(), f'{file} is not installed'


def libraries(prefix):
    """libjot finds everything it needs, oneDNN beside itself, and nothing in the build tree; OpenBLAS is loaded later."""
    listing = command('ldd', prefix / 'lib/libjot.so')
    assert 'not found' not in listing and str(build) not in listing, listing
    bundled = prefix / 'lib/libdnnl.so.3'
    assert not bundled.exists() or f'libdnnl.so.3 => {prefix}/lib/libdnnl.so.3' in listing, listing
    assert 'blas' not in listing, listing


def teardown(prefix):
    """No static or thread_local object of the library is ever destroyed: destructors of the program's may use it."""
    symbols = command('nm', '-D', '--undefined-only', prefix / 'lib/libjot.so')
    registered = re.findall(r'\b__cxa_(?:thread_)?atexit\b', symbols)
    assert not registered, f'libjot.so has objects with destructors: it calls {", ".join(registered)}'


def with_pkg_config(prefix, work):
    flags = command('pkg-config', '--cflags', '--libs', 'jot', PKG_CONFIG_PATH=prefix / 'lib/pkgconfig').split()
    command('g++', '-std=c++20', '-Wall', '-Wextra', '-Werror', work / 'example.cpp', '-o', work / 'example', *flags)
    assert command(work / 'example') == expected(), 'the README shows another output'


def product(prefix, work):
    """The first product loads the OpenBLAS beside libjot, whose licence is installed; nothing else is told where."""
    (work / 'product.cpp').write_text(PRODUCT)
    flags = command('pkg-config', '--cflags', '--libs', 'jot', PKG_CONFIG_PATH=prefix / 'lib/pkgconfig').split()
    command('g++', '-std=c++20', work / 'product.cpp', '-o', work / 'product', *flags)
    maps = command(work / 'product').splitlines()
    loaded = {line.split()[-1] for line in maps if 'openblas' in line}
    bundled = prefix / 'lib/libscipy_openblas.so'
    if bundled.exists():
        assert loaded == {str(bundled)}, loaded
        for library in ('libdnnl', 'libscipy_openblas'):
            assert (prefix / f'share/licenses/jot/{library}.txt').read_text(), library
    assert len(loaded) == 1, f'one OpenBLAS: {loaded}'
    if not bundled.exists():
        return
    bundled.rename(work / 'gone')
    text = subprocess.run([work / 'product'], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    (work / 'gone').rename(bundled)
    assert 'factors of matrices need libscipy_openblas.so' in text and 'LD_LIBRARY_PATH' in text, text


def with_cmake(prefix, work):
    (work / 'CMakeLists.txt').write_text(CMAKE)
    command('cmake', '-G', 'Ninja', '-S', work, '-B', work / 'build', f'-DCMAKE_PREFIX_PATH={prefix}')
    command('cmake', '--build', work / 'build')
    assert command(work / 'build/example') == expected(), 'the README shows another output'


def jot_opt(prefix):
    assert 'usage' in command(prefix / 'bin/jot-opt', '--help').lower()


readme = (source / 'README.md').read_text()
example = next(code for code in re.findall(r'^```cpp\n(.*?)^```$', readme, re.M | re.S) if 'int main(' in code)


def expected():
    """The block of output that follows the program in the README."""
    return re.search(r'^```\n(.*?)^```$', readme[readme.index(example) + len(example) + 4:], re.M | re.S).group(1)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    first, prefix, work = folder / 'first', folder / 'prefix', folder / 'work'
    work.mkdir()
    (work / 'example.cpp').write_text(example)
    command('meson', 'install', '-C', build, '--no-rebuild', '--destdir', first)
    first.rename(prefix)  # an installation may be moved
    check('files', files, prefix)
    check('libraries', libraries, prefix)
    check('teardown', teardown, prefix)
    check('pkg-config', with_pkg_config, prefix, work)
    check('product', product, prefix, work)
    check('cmake', with_cmake, prefix, work)
    check('jot-opt', jot_opt, prefix)
print(f'{passed} passed, {failed} failed')
sys.exit(failed != 0)
