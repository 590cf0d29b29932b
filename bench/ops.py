#!/usr/bin/env python3
"""./dev bench ops [NAME...]: how fast ops are, one row each: jot compiled, beside a loop written by hand and torch eager.

The rows whose name contains a NAME (all) are timed in rounds, jot, loop and torch in turn, on arrays of about 10^6
elements; of a round the fastest call counts. Ratios are of speed, jot's over theirs, medians of the rounds.

  --rounds N     7 by default
  --seconds S    for each sample of each, 0.05 by default
  --threads N    of each side, all by default
  --report FILE  the table as a page
"""
import argparse
import json
import os
import pathlib
import statistics
import sys

import figures
from contenders import Process

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
INTRODUCTION = '''# Ops, one by one

Written by `./dev bench ops --report docs/benchmarks/ops.md` (`--threads 1` for one); not edited by hand. Each op compiled by
jot, beside a loop written by hand (bench/ops, `-O3 -march=native`) and torch {version} eager, {threads}, on the same arrays, in
turn. Times are of a call in microseconds: medians of rounds, in each the least; ratios are of speed, jot's over theirs, round by
round: above 1 jot is faster. A gradient is forward and backward. *: another result, as of ties, or of several writes to one place.

'''


def measure(row, number, sides, options):
    """{side: us of each round, the least of its calls (other work of the machine adds)}, and who has another result."""
    times, prints = {}, {}
    for _ in range(options.rounds):
        for side, process in sides.items():
            if side == 'loop' and not row['loop']:
                continue
            line = json.dumps({**row, 'seconds': options.seconds}) if side == 'torch' else f'{number} {options.seconds}'
            try:
                answer = process.ask(line)
            except (RuntimeError, OSError) as e:
                raise SystemExit(f'ops: {side}: {row["name"]}: {e}') from e
            times.setdefault(side, []).append(min(answer['samples']))
            prints[side] = answer['fingerprint']
    tolerances = {'torch': 1e-4, 'loop': 1e-2}  # long sums in f32 by the plain loop
    return times, {side for side, tolerance in tolerances.items()
                   if side in prints and not figures.agree(prints['jot'], prints[side], tolerance)}


def cells(times, other, side):
    """Time and ratio."""
    if side not in times:
        return '', ''
    mark = ' *' if side in other else ''
    return f'{statistics.median(times[side]):,.4g}{mark}', f'{figures.ratio(times["jot"], times[side]):.2f}'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--seconds', type=float, default=0.05)
    parser.add_argument('--threads', type=int)
    parser.add_argument('--report', type=pathlib.Path)
    parser.add_argument('--build', type=lambda p: pathlib.Path(p).absolute(), default=ROOT / 'build')
    parser.add_argument('--peers-python', type=lambda p: pathlib.Path(p).absolute(),
                        default=ROOT / '.venv-peers' / 'bin' / 'python')
    options = parser.parse_args()
    program, threads = options.build / 'bench' / 'ops', {}
    if options.threads:
        threads = dict.fromkeys(['JOT_NUM_THREADS', 'OMP_NUM_THREADS', 'BENCH_THREADS'], str(options.threads))
    sides = {side: Process([program, side], **threads) for side in ('jot', 'loop')}
    rows, _ = sides['jot'].answer(), sides['loop'].answer()
    version = '(not installed)'
    try:
        sides['torch'] = Process([options.peers_python, HERE / 'ops' / 'torch_ops.py', 'torch', 'ops', 'full'], **threads)
        version = sides['torch'].answer()['version']
    except RuntimeError as e:
        print(f'torch: {e}', file=sys.stderr)
        sides.pop('torch', None)
    many = 'on one thread each' if options.threads == 1 else f'on {options.threads or os.cpu_count()} threads each'
    lines = ['| op | jot, us | loop, us | loop / jot | torch, us | torch / jot |', '|---|--:|--:|--:|--:|--:|']
    print('\n'.join(lines), flush=True)
    try:
        for number, row in enumerate(rows):
            if options.names and not any(name in row['name'] for name in options.names):
                continue
            times, other = measure(row, number, sides, options)
            own = f'{statistics.median(times["jot"]):,.4g}'
            lines.append('| ' + ' | '.join([row['name'], own, *cells(times, other, 'loop'), *cells(times, other, 'torch')]) + ' |')
            print(lines[-1], flush=True)
    finally:
        for process in sides.values():
            process.stop()
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(INTRODUCTION.format(version=version, threads=many) + '\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
