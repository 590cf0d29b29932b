#!/usr/bin/env python3
"""Runs the two commands of README.md, and the lint of the newest compilers, on a fresh clone of HEAD in fresh systems of Debian, made by debootstrap with nothing
but git. What this machine needs to reach its mirrors and registries (proxies, certificates, pip's configuration and the
folders it names, apt's mirror and settings) holds inside, too. As root; ends with 1 if a command fails."""
import argparse
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / '.portability'
SYSTEMS = {'12': 'bookworm', '13': 'trixie'}
# Debian 12 has g++ 12 and clang 16, 13 has g++ 14 and clang 19.
COMMANDS = {'12': ['demo', 'test'], '13': ['demo', 'test', 'lint 19']}
FRESH = {'HOME': '/root', 'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8'}
CARRIED = re.compile(r'(https?|ftp|all|no)_proxy|PIP_\w+|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE', re.I)
PIP_FILES = ['/etc/pip.conf', '/etc/xdg/pip', '/root/.pip', '/root/.config/pip']
APT_SETTINGS = re.compile(r'^(Acquire::(?:https?|ftp|Retries|Check-Valid-Until|AllowInsecure\w*)\b.*);$', re.M)


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def mirror():
    """Where this machine has Debian from."""
    found = output('apt-get', 'indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Created-By: Packages')
    of_debian = [line.split()[1] for line in found.splitlines() if line.startswith('Debian ')]
    return of_debian[0] if of_debian else 'http://deb.debian.org/debian/'


def environment():
    proxies = re.findall(r'^Acquire::(https?)::Proxy "(.+)";$', output('apt-config', 'dump'), re.M)
    carried = {f'{scheme}_proxy': url for scheme, url in proxies if url != 'DIRECT'}
    carried |= {name: value for name, value in os.environ.items() if CARRIED.fullmatch(name)}
    return carried


def copy(system, path):
    target = system / path.relative_to('/')
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    else:
        shutil.copy(path, target)


def paths_in(text):
    """The paths of this machine that a configuration names."""
    names = {re.sub('^file://', '', word) for word in re.findall(r'(?:file://)?/[^\s,;\'"]*', text)}
    return [path for path in map(pathlib.Path, sorted(names)) if path.exists() and path != pathlib.Path('/')]


def carry(system):
    """Gives the system what this machine needs; the folders to mount in it."""
    configuration = list(environment().values())
    for path in filter(pathlib.Path.exists, map(pathlib.Path, PIP_FILES)):
        copy(system, path)
        configuration += [file.read_text() for file in ([path] if path.is_file() else path.glob('*'))]
    folders = []
    for path in paths_in('\n'.join(configuration)):
        if path.is_file():
            copy(system, path)
            if path.suffix in ('.crt', '.pem'):  # the package ca-certificates writes the files in /etc/ssl anew
                local = system / 'usr/local/share/ca-certificates' / f'{path.stem}-host.crt'
                local.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, local)
        elif not str(path).startswith('/etc/'):
            folders.append(path.parent if path.name == 'simple' else path)
    settings = APT_SETTINGS.findall(output('apt-config', 'dump'))
    (system / 'etc/apt/apt.conf.d/90host').write_text(''.join(f'{line};\n' for line in settings))
    for path in ('/etc/apt/auth.conf.d', '/etc/hosts', '/etc/resolv.conf'):
        if pathlib.Path(path).exists():
            copy(system, pathlib.Path(path))
    return folders


def run_inside(system, folders, log, command):
    """The command's exit code and last two lines. What is mounted is gone afterwards."""
    mounts = [('-t', 'proc', 'proc', system / 'proc')]
    for source, target in folders.items():
        (system / target.relative_to('/')).mkdir(parents=True, exist_ok=True)
        mounts.append(('--bind', source, system / target.relative_to('/')))
    script = ''.join(f'mount {" ".join(map(str, mount))}\n' for mount in mounts)
    script += f'exec chroot {system} /bin/sh -c "$1"'
    with log.open('w') as out:
        code = subprocess.run(['unshare', '--mount', '/bin/sh', '-ec', script, 'sh', command], env={**FRESH, **environment()},
                              stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT).returncode
    lines = [line for line in log.read_text(errors='replace').splitlines() if line.strip()]
    return code, lines[-2:]


def run_system(version, cache):
    """The number of commands that fail there."""
    name = SYSTEMS[version]
    system, logs = FOLDER / name, FOLDER
    shutil.rmtree(system, ignore_errors=True)
    print(f'Debian {version}: debootstrap into {system.relative_to(ROOT)}', flush=True)
    with (logs / f'{name}-debootstrap.log').open('w') as out:
        done = subprocess.run(['debootstrap', '--variant=minbase', '--include=git', name, system, mirror()],
                              env={**os.environ, **environment()}, stdout=out, stderr=subprocess.STDOUT)
    if done.returncode:
        print(f'  failed; see {out.name}')
        return len(COMMANDS[version])
    folders = {folder: folder for folder in carry(system)}
    if cache:
        (cache / name).mkdir(parents=True, exist_ok=True)
        folders[cache / name] = pathlib.Path('/root/.cache/ccache')
    output('git', 'clone', '--quiet', '--no-local', ROOT, system / 'root/jot')
    failed = 0
    for command in COMMANDS[version]:
        log = logs / f'{name}-{command.replace(" ", "-")}.log'
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        code, lines = run_inside(system, folders, log, f'cd /root/jot && ./dev {command}')
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        failed += code != 0
        print(f'Debian {version}: ./dev {command}: {"exit " + str(code) if code else "ok"}, '
              f'{time.monotonic() - start:.0f} s, {processor:.0f} s of processor time ({log.relative_to(ROOT)})')
        print(*(f'  {line}' for line in lines), sep='\n', flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(prog='dev portability', description=__doc__)
    parser.add_argument('versions', nargs='*', metavar='VERSION', help=f'{" ".join(SYSTEMS)}; without one, all')
    parser.add_argument('--cache', type=lambda name: pathlib.Path(name).resolve(),
                        help='a folder that keeps the compiler cache of each system for the next run')
    options = parser.parse_args()
    unknown = set(options.versions) - set(SYSTEMS)
    if unknown:
        parser.error(f'no such version: {" ".join(sorted(unknown))}')
    if output('git', '-C', str(ROOT), 'status', '--porcelain'):
        print('what is not committed is left out')
    FOLDER.mkdir(exist_ok=True)
    versions = options.versions or list(SYSTEMS)
    failed = sum(run_system(version, options.cache) for version in versions)
    print(f'{failed} of {sum(len(COMMANDS[version]) for version in versions)} commands failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
