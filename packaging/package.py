#!/usr/bin/env python3
"""Makes what is handed on, in the folder OUTPUT, of a built tree: package.py BUILD OUTPUT.

  jot-VERSION.tar.gz       the sources that git knows, with what is changed in them
  jot.wrap                 for a program's subprojects/, beside the tarball in subprojects/packagefiles/
  jot_VERSION_ARCH.deb     library, headers, jot-opt, pkg-config and CMake files under /usr, with what is bundled in /usr/lib/jot
"""
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONTROL = '''Package: jot
Version: {version}
Architecture: {architecture}
Maintainer: the authors of jot <jot@localhost>
Section: libdevel
Priority: optional
Installed-Size: {kib}
Depends: {depends}
Suggests: libasmjit-dev, libeigen3-dev
Description: just-in-time optimized transforms of tensor functions
 Derivatives, batching and compilation of ordinary C++ functions over tensors:
 the library, its headers, the tool jot-opt, and files for pkg-config and CMake.
 The static library needs libasmjit-dev where it is linked.
'''
WRAP = '''[wrap-file]
directory = jot-{version}
source_filename = {archive}
source_hash = {digest}

[provide]
dependency_names = jot
'''


def output(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def archive(path, version):
    """The same bytes for the same sources."""
    files = sorted(filter(None, output('git', '-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0')))
    with path.open('wb') as raw, gzip.GzipFile(fileobj=raw, filename='', mode='wb', mtime=0) as packed, \
            tarfile.open(fileobj=packed, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for name in files:
            if not (ROOT / name).exists():  # deleted, not yet committed
                continue
            info = tar.gettarinfo(ROOT / name, f'jot-{version}/{name}')
            info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, '', ''
            with (ROOT / name).open('rb') as file:
                tar.addfile(info, file if info.isreg() else None)


def dependencies(tree):
    """Debian's packages, with the versions that have the symbols."""
    with tempfile.TemporaryDirectory() as folder:
        control = pathlib.Path(folder, 'debian/control')
        control.parent.mkdir()
        control.write_text('Source: jot\n\nPackage: jot\nArchitecture: any\n')
        programs = [tree / 'usr/bin/jot-opt', *(path for path in (tree / 'usr/lib').rglob('*.so*') if not path.is_symlink())]
        found = output('dpkg-shlibdeps', '-O', '--ignore-missing-info', f'-l{tree}/usr/lib', f'-l{tree}/usr/lib/jot', *programs,
                       cwd=folder, stderr=subprocess.DEVNULL)
    return re.search(r'^shlibs:Depends=(.*)$', found, re.M)[1]


def deb(build, path, version, architecture):
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        output('meson', 'install', '-C', build, '--no-rebuild', '--destdir', tree / 'usr')
        for library in [tree / 'usr/bin/jot-opt', *(tree / 'usr/lib').rglob('*.so*')]:
            if not library.is_symlink():
                output('strip', '--strip-unneeded', library)
        output('strip', '--strip-debug', tree / 'usr/lib/libjot.a')
        copyright_file = tree / 'usr/share/doc/jot/copyright'
        copyright_file.parent.mkdir(parents=True)
        bundled = sorted((tree / 'usr/share/licenses/jot').glob('*.txt'))
        copyright_file.write_text((ROOT / 'LICENSE').read_text() + ''.join(
            f'\nThe license of {licence.stem}, in /usr/lib/jot: /{licence.relative_to(tree)}\n' for licence in bundled))
        for path_ in tree.rglob('*'):
            if not path_.is_symlink():
                path_.chmod(0o755 if path_.is_dir() or os.access(path_, os.X_OK) else 0o644)
        files = sorted(file for file in tree.rglob('*') if file.is_file() and not file.is_symlink())
        size = sum(file.stat().st_size for file in files)
        control = tree / 'DEBIAN'
        control.mkdir()
        (control / 'control').write_text(CONTROL.format(version=version, architecture=architecture, kib=size // 1024 + 1,
                                                        depends=dependencies(tree)))
        (control / 'md5sums').write_text(''.join(
            f'{hashlib.md5(file.read_bytes()).hexdigest()}  {file.relative_to(tree)}\n' for file in files))
        (control / 'triggers').write_text('activate-noawait ldconfig\n')
        output('dpkg-deb', '--root-owner-group', '-Zxz', '-z3', '--build', tree, path)


def main():
    build, folder = map(pathlib.Path, sys.argv[1:])
    version = json.loads((build / 'meson-info/intro-projectinfo.json').read_text())['version']
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = folder / f'jot-{version}.tar.gz'
    archive(source, version)
    (folder / 'jot.wrap').write_text(WRAP.format(version=version, archive=source.name,
                                                 digest=hashlib.sha256(source.read_bytes()).hexdigest()))
    architecture = output('dpkg', '--print-architecture').strip()
    deb(build.resolve(), folder / f'jot_{version}_{architecture}.deb', version, architecture)
    for path in sorted(folder.iterdir()):
        print(f'{path.stat().st_size / 1e6:6.1f} MB  {path}')


if __name__ == '__main__':
    main()
