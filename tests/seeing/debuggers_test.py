#!/usr/bin/env python3
"""Kernels in gdb and perf, by name and line: debuggers_test.py PROGRAM SOURCE. What is not there is said."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from checks import check, finish, skipped

program, source = sys.argv[1:]
lines = pathlib.Path(source).read_text().split('\n')
folder = tempfile.mkdtemp(prefix='jot-debug-')


def run(*command, **environment):
    done = subprocess.run(command, env={**os.environ, 'JOT_TRACE_DIR': folder, 'JOT_NUM_THREADS': '1', 'DEBUGINFOD_URLS': '', **environment}, cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    return done.stdout, done.returncode


of_kernel = {i for i, l in enumerate(lines, 1) if 'Tensor y = x * 2' in l or 'return sqrt' in l}
name = r'jot_kernel_\d+_\w+'

if os.environ.get('JOT_CPU') == 'reference' or 'avx2' not in pathlib.Path('/proc/cpuinfo').read_text():
    skipped('all', 'no kernels on this machine')
else:
    if shutil.which('gdb'):
        out, _ = run('gdb', '-q', '-nx', '-batch', '-ex', 'run', '-ex', 'backtrace', '--args', program, 'crash', JOT_GDB='1')
        if 'ptrace' in out and 'not permitted' in out:
            skipped('gdb', 'it may not trace programs here')
        else:
            frame = re.search(rf'#0 .*({name}).*debug_program\.cpp:(\d+)', out)
            check('gdb names the kernel and the line', frame and int(frame[2]) in of_kernel, out)
            check('gdb finds its callers', re.search(r'#\d+ .* main \(', out), out)
    else:
        skipped('gdb', 'not installed')
    out, code = run(program, JOT_PERF='1')
    dumps = list(pathlib.Path(folder).glob('jit-*.dump'))
    check('a jitdump', code == 0 and len(dumps) == 1 and dumps[0].read_bytes()[:4] == b'DTiJ', out)
    for dump in dumps:
        data = dump.read_bytes()
        check('it names kernel and line', re.search(name.encode(), data) and b'debug_program.cpp' in data, data[:200])
        dump.unlink()
    if shutil.which('perf'):
        out, code = run('perf', 'record', '-q', '-k', '1', '-e', 'cpu-clock', '-o', 'raw.data', program, JOT_PERF='1')
        if code or not (pathlib.Path(folder) / 'raw.data').exists():
            skipped('perf', 'it may not record here: ' + out.strip().split('\n')[0])
        else:
            run('perf', 'inject', '--jit', '-i', 'raw.data', '-o', 'jit.data')
            out, _ = run('perf', 'report', '-i', 'jit.data', '--stdio', '-q')
            check('perf report names the kernel', re.search(name, out), out)
            symbol = re.search(name, out)
            if symbol:
                out, _ = run('perf', 'annotate', '-i', 'jit.data', '--stdio', '-l', '-s', symbol[0])
                check('perf annotate names the line', any(f'debug_program.cpp:{l}' in out for l in of_kernel), out[-3000:])
    else:
        skipped('perf', 'not installed')
shutil.rmtree(folder)
finish()
