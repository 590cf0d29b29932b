#!/usr/bin/env python3
"""The ways into a program, each in a clean folder with nothing but what is handed on: consumers.py SOURCE BUILD [NAME...].

Each builds the README's first program and compares what it prints. pkg-config, CMake's find_package, the static library and
the .deb use an installation; FetchContent (which ends in add_subdirectory) and meson's wrap (a subproject, without optimization)
build the library from the tarball, its time apart: the library first, then the program."""
import json
import pathlib
import shutil
import sys
import tempfile
import time

from support import EXAMPLE, SOURCE, Checks, command, pkg_config, prints_what_the_readme_shows

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Werror']
CMAKE = '''cmake_minimum_required(VERSION 3.18)
project(example CXX)
{find}
add_executable(example example.cpp)
target_compile_options(example PRIVATE {warnings})
target_link_libraries(example PRIVATE {target})
'''
FETCH = '''add_compile_options(-O2)
include(FetchContent)
FetchContent_Declare(jot URL jot.tar.gz)
FetchContent_MakeAvailable(jot)'''
MESON = '''project('example', 'cpp', default_options: ['cpp_std=c++20', 'warning_level=3', 'werror=true'])
executable('example', 'example.cpp', dependencies: dependency('jot'))
'''


class Times:
    """Seconds of the parts of a consumer."""

    def __init__(self, name):
        self.name, self.parts = name, {}

    def __call__(self, part, *arguments, **options):
        start = time.monotonic()
        result = command(*arguments, **options)
        self.parts[part] = self.parts.get(part, 0) + time.monotonic() - start
        return result

    def __del__(self):
        print(f'{self.name}:', ', '.join(f'{part} {seconds:.1f} s' for part, seconds in self.parts.items()))


def with_pkg_config(prefix, work):
    Times('pkg-config')('program', 'g++', '-std=c++20', *WARNINGS, 'example.cpp', '-o', 'example', *pkg_config(prefix, 'jot'),
                        cwd=work)
    prints_what_the_readme_shows(work / 'example')


def with_find_package(prefix, work):
    times = Times('find_package')
    (work / 'CMakeLists.txt').write_text(CMAKE.format(find='find_package(jot 0.1 REQUIRED)', target='jot::jot', warnings=' '.join(WARNINGS)))
    times('program', 'cmake', '-G', 'Ninja', '-S', work, '-B', work / 'build', f'-DCMAKE_PREFIX_PATH={prefix}')
    times('program', 'cmake', '--build', work / 'build')
    prints_what_the_readme_shows(work / 'build/example')


def needs_no_libjot(program):
    listing = command('ldd', program)
    assert 'libjot' not in listing and 'not found' not in listing, listing


def with_static_library(prefix, work):
    """By pkg-config and by CMake."""
    times = Times('static library')
    times('pkg-config', 'g++', '-std=c++20', *WARNINGS, 'example.cpp', '-o', 'example', *pkg_config(prefix, 'jot-static'), cwd=work)
    needs_no_libjot(work / 'example')
    prints_what_the_readme_shows(work / 'example')
    (work / 'CMakeLists.txt').write_text(CMAKE.format(find='find_package(jot 0.1 REQUIRED)', target='jot::jot_static', warnings=' '.join(WARNINGS)))
    times('CMake', 'cmake', '-G', 'Ninja', '-S', work, '-B', work / 'build', f'-DCMAKE_PREFIX_PATH={prefix}')
    times('CMake', 'cmake', '--build', work / 'build')
    needs_no_libjot(work / 'build/example')
    prints_what_the_readme_shows(work / 'build/example')


def with_deb(packages, work):
    """Installed and removed by dpkg, in a system of its own."""
    times, system = Times('deb'), work / 'system'
    admin = system / 'var/lib/dpkg'
    for folder in ('info', 'updates', 'triggers'):
        (admin / folder).mkdir(parents=True)
    (admin / 'status').touch()
    (admin / 'available').touch()
    dpkg = ['dpkg', f'--root={system}', f'--log={work}/dpkg.log', '--force-not-root', '--force-depends', '--force-bad-path', '--no-triggers']
    package, = packages.glob('*.deb')
    before = {path for path in system.rglob('*') if admin not in path.parents}
    times('installation', *dpkg, '-i', package)
    depends = command('dpkg-deb', '--field', package, 'Depends')
    assert 'libc6' in depends and 'libstdc++6' in depends, depends
    for name in [word.split()[0].split(':')[0] for word in depends.split(',')]:  # they can be had
        assert command('dpkg-query', '-W', '-f', '${db:Status-Status}', name) == 'installed', name
    times('program', 'g++', '-std=c++20', *WARNINGS, 'example.cpp', '-o', 'example', *pkg_config(system / 'usr', 'jot'), cwd=work)
    prints_what_the_readme_shows(work / 'example')
    assert 'usage' in command(system / 'usr/bin/jot-opt', '--help').lower()
    assert (system / 'usr/share/doc/jot/copyright').read_text()
    command('md5sum', '--check', '--quiet', admin / 'info/jot.md5sums', cwd=system)
    times('removal', *dpkg, '--purge', 'jot')
    left = {path for path in system.rglob('*') if admin not in path.parents} - before
    assert not left, f'left behind: {sorted(map(str, left))[:10]}'


def prefixes(build, form):
    """Where that build has oneDNN and OpenBLAS."""
    options = {option['name']: option['value'] for option in json.loads(command('meson', 'introspect', '--buildoptions', build))}
    return [form.format(name=name, value=options[f'{name}_prefix'], upper=name.upper()) for name in ('dnnl', 'openblas')]


def with_fetch_content(build, packages, work):
    """The same compiler's flags, and places of sources beside the folder that the compiler runs in, as in the build that is
    tested: a compiler cache has the objects."""
    times = Times('FetchContent')
    archive, = packages.glob('*.tar.gz')
    (work / 'CMakeLists.txt').write_text(CMAKE.format(find=FETCH, target='jot::jot', warnings=' '.join(WARNINGS)))
    (work / 'jot').mkdir()
    command('tar', '--extract', '--file', archive, '--directory', work / 'jot', '--strip-components=1')
    launcher = ['-DCMAKE_CXX_COMPILER_LAUNCHER=ccache'] if shutil.which('ccache') else []
    flags = '-DNDEBUG -D_FILE_OFFSET_BITS=64 -Wall -Winvalid-pch -Wextra -Wpedantic -Werror'
    times('program', 'cmake', '-G', 'Ninja', '-S', work, '-B', work / 'jot/build', f'-DFETCHCONTENT_SOURCE_DIR_JOT={work}/jot',
          f'-DCMAKE_CXX_FLAGS={flags}', *launcher, *prefixes(build, '-DJOT_{upper}_PREFIX={value}'))
    times('library', 'cmake', '--build', work / 'jot/build', '--target', 'jot', CCACHE_BASEDIR=work)
    times('program', 'cmake', '--build', work / 'jot/build', CCACHE_BASEDIR=work)
    prints_what_the_readme_shows(work / 'jot/build/example')


def with_meson_wrap(build, packages, work):
    times = Times('meson wrap')
    (work / 'meson.build').write_text(MESON)
    (work / 'subprojects/packagefiles').mkdir(parents=True)
    shutil.copy(packages / 'jot.wrap', work / 'subprojects')
    shutil.copy(*packages.glob('*.tar.gz'), work / 'subprojects/packagefiles')
    times('program', 'meson', 'setup', work / 'build', work, '--wrap-mode=forcefallback', '--buildtype=plain', '-Dcpp_args=-O0',
          *prefixes(build, '-Djot:{name}_prefix={value}'))
    targets = json.loads(command('meson', 'introspect', '--targets', work / 'build'))
    library = next(target['filename'][0] for target in targets if target['name'] == 'jot' and target['type'] == 'shared library')
    times('library', 'ninja', '-C', work / 'build', pathlib.Path(library).relative_to(work / 'build'))
    times('program', 'ninja', '-C', work / 'build', 'example')
    prints_what_the_readme_shows(work / 'build/example')


def main():
    build, names = pathlib.Path(sys.argv[2]), sys.argv[3:]
    check = Checks()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        prefix, packages = folder / 'prefix', folder / 'packages'
        command('meson', 'install', '-C', build, '--no-rebuild', '--destdir', prefix)
        print(command(sys.executable, SOURCE / 'packaging/package.py', build, packages), end='')
        consumers = {'pkg-config': (with_pkg_config, prefix), 'find_package': (with_find_package, prefix),
                     'static': (with_static_library, prefix), 'deb': (with_deb, packages),
                     'FetchContent': (with_fetch_content, build, packages), 'meson': (with_meson_wrap, build, packages)}
        for name, (function, *arguments) in consumers.items():
            if names and name not in names:
                continue
            work = folder / name
            work.mkdir()
            (work / 'example.cpp').write_text(EXAMPLE)
            check(name, function, *arguments, work)
    check.finish()


main()
