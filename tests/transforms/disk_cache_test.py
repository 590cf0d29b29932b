#!/usr/bin/env python3
"""Runs of a program that share a cache on disk: what is found there gives the same results to the bit, and what cannot
be used is compiled and told of in one line.  disk_cache_test.py PROGRAM SOURCE"""
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from checks import check, finish

program, source = sys.argv[1:]
line = next(i for i, text in enumerate(pathlib.Path(source).read_text().split('\n'), 1) if '"fault"' in text)
reference = os.environ.get('JOT_CPU') == 'reference'


def run(folder, limit=None, **environment):
    """What it computed, how often it compiled, and what it told."""
    def limits():
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    done = subprocess.run([program], env={**os.environ, 'JOT_CACHE_DIR': str(folder), **environment}, text=True,
                          capture_output=True, preexec_fn=limits, timeout=300)
    lines = done.stdout.split('\n')
    check('the program ends well', done.returncode == 0, done.stdout + done.stderr)
    values = [line.replace(' loaded ', ' ').replace(' compiled ', ' ') for line in lines]
    return values, sum(' compiled ' in line for line in lines), done.stderr


with tempfile.TemporaryDirectory() as top:
    top = pathlib.Path(top)
    expected, compiled, _ = run(top / 'unused', JOT_CACHE_DIR='')
    check('without a cache all is compiled', compiled == 7, expected)
    check('the line of a fault', any(text.endswith(f'disk_cache_program.cpp:{line}') for text in expected), expected)

    cache = top / 'parent' / 'cache'
    values, compiled, told = run(cache)
    check('cold', (values, compiled, told) == (expected, 7, ''), values)
    files = sorted(cache.iterdir())
    check('files', len(files) >= 7 and all(f.suffix == '.jotx' for f in files), files)
    values, compiled, told = run(cache)
    check('warm', (values, compiled if not reference else 0, told) == (expected, 0, ''), values)
    _, _, told = run(cache, JOT_LOG='cache')
    check('JOT_LOG tells of hits', told.count('disk: hit') >= 7 and 'disk: miss' not in told, told)
    check('and nothing is written then', sorted(cache.iterdir()) == files)

    generator = random.Random(1)
    contents = {f: f.read_bytes() for f in files}
    for _ in range(40):
        for f, data in contents.items():
            data = bytearray(data)
            if generator.random() < 0.5:
                data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
            else:
                del data[generator.randrange(len(data)):]
            f.write_bytes(data)
        values, compiled, told = run(cache)
        check('files that were changed', values == expected, values)
        check('all are compiled anew, a line each', compiled == 7 and told.count('compiled anew') == len(files), told)
    check('and kept anew', run(cache)[1] == 0 or reference)

    if os.geteuid() != 0:
        os.chmod(cache, 0o500)
        check('a folder that cannot be written is read', run(cache)[0] == expected)
        os.chmod(cache, 0o700)
    for f in cache.iterdir():
        f.unlink()
    values, compiled, told = run(cache, limit=100)
    check('a full disk', values == expected and compiled == 7 and told.count('\n') == 1 and 'nothing is kept' in told, told)
    check('leaves nothing', not list(cache.iterdir()), list(cache.iterdir()))
    os.chmod(cache, 0o777)
    values, compiled, told = run(cache)
    check('a folder that others may write', values == expected and told.count('\n') == 1 and 'others may write' in told, told)
    check('is not used', not list(cache.iterdir()))
    os.chmod(cache, 0o700)
    values, _, told = run('/proc/nothing/here')
    check('a folder that cannot be made', values == expected and told.count('\n') == 1, told)

    together = [subprocess.Popen([program], env={**os.environ, 'JOT_CACHE_DIR': str(cache)}, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for process in together:
        out, told = process.communicate(timeout=300)
        values = [line.replace(' loaded ', ' ').replace(' compiled ', ' ') for line in out.split('\n')]
        check('processes at the same time', (process.returncode, values, told) == (0, expected, ''), out + told)
    killed = subprocess.Popen([program], env={**os.environ, 'JOT_CACHE_DIR': str(cache)}, stdout=subprocess.DEVNULL)
    killed.kill()
    killed.wait()
    check('after one that was killed', run(cache)[0] == expected)
    small = run(cache, JOT_CACHE_LIMIT='40K')
    check('a small limit', small[0] == expected, small)

finish()
