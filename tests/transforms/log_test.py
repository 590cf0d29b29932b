#!/usr/bin/env python3
"""What JOT_LOG tells of log_program.cpp, and what is told without it: log_test.py PROGRAM SOURCE."""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from checks import check, finish

program, source = sys.argv[1:]
with open(source) as file:
    lines = file.read().split('\n')


def line(text):
    return next(i for i, l in enumerate(lines, 1) if text in l)


def run(log):
    """Lines without addresses."""
    done = subprocess.run([program], env={**os.environ, 'JOT_LOG': log}, capture_output=True, text=True, check=True)
    return [re.sub(r'/?\S*log_program.cpp', 'log_program.cpp', re.sub(r'0x[0-9a-f]+', '0x', l)) for l in done.stderr.split('\n') if l]


jit, use = f'log_program.cpp:{line("auto f = jit")}', f'log_program.cpp:{line("return x * w")}'
told = [f'[jot] jit: the tensor f64[3] that the function captures, used at {use}, is held by nothing else any more: was its '
        'variable rebound (w = w * 10)? The recording keeps the tensor that it captured; write in place (w.copy_(w * 10)), '
        f'or pass w as an argument at {jit}',
        '[jot] jit: the function has been recorded 9 times for arguments that differ only in a number: pass a tensor '
        'instead of the number v, tensor(v, f64) of a double (tensor(v) is f32), tensor(v) of an integer at '
        f'log_program.cpp:{line("auto advised")}']
off = run('')
check('without JOT_LOG, once each', off == told, off)

record = [l for l in run('record') if l.startswith('[jot] record: ')]
mine = [l for l in record if jit in l]
check('a recording and its captures', len(mine) == 4 and re.fullmatch(
    rf'\[jot\] record: jit at {jit}: \d+ nodes, 1 argument, 3 captures', mine[0]), mine)
check('a capture by address and line',
      mine[1:].count(f'[jot] record: jit at {jit} captures f64[3] with elements at 0x, used at {use}') == 2, mine)
again = f'jit at log_program.cpp:{line("auto advised")} again: number 1: 0.25 -> 1.25; a number is part of the key: pass tensor(v, f64) instead'
check('why it is recorded again', f'[jot] record: {again}' in record, record)
zero = f'grad at log_program.cpp:{line("sum(x > 0)")}: output 0 is i64[], which has no derivative: it is taken to be zero'
check('an integer output', f'[jot] record: {zero}' in record, record)

cache = [l for l in run('cache') if l.startswith('[jot] cache: ')]
found = [l for l in cache if f'jit at {jit}' in l]
check('look-ups of jit', [l.split(': ')[2].split(',')[0] for l in found] == ['miss', 'hit', 'hit', 'hit'], found)
for table in ('executables', 'expansions'):
    check(table, any(re.fullmatch(rf'\[jot\] cache: {table}: (hit|miss), \d+ nodes?( at .*:\d+)?', l) for l in cache), cache)

both = run('compile,cache')
check('a list', any('compile: ' in l for l in both) and any('cache: ' in l for l in both)
      and not any('record: ' in l for l in both), both)

# A function is simplified before it is differentiated, its gradient before it is compiled, each once.
gradient = both[next(i for i, l in enumerate(both) if f'jit at log_program.cpp:{line("auto gradient")}' in l):]
runs = [match[1] for l in gradient if (match := re.match(r'\[jot\] compile: (simplify|grad): ', l))]
check('passes of a jitted gradient', runs == ['simplify', 'grad', 'simplify'], gradient)

finish()
