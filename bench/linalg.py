#!/usr/bin/env python3
"""./dev bench linalg [NAME...]: linear algebra, f64: jot compiled, beside Eigen's matrices of fixed size in a loop on all
threads, LAPACK called directly, JAX and torch.

The rows whose name contains a NAME (all) are timed in rounds, the sides in turn; of a round the fastest call counts. Ratios
are of speed, jot's over theirs, medians of the rounds. Many small matrices run on two threads, large ones on one.

  --rounds N     3 by default
  --seconds S    for each sample of each, 0.3 by default
  --sides LIST   of eigen,lapack,jax,torch,torch-compile; all but the last by default (it is beside solve4 always)
  --report FILE  the table as a page
"""
import argparse
import json
import pathlib
import statistics
import sys

import figures
from contenders import Process

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
INTRODUCTION = '''# Linear algebra

Written by `./dev bench linalg --report docs/benchmarks/linalg.md`; not edited by hand. f64. Each row by jot compiled, by a loop over
Eigen's matrices of fixed size (OpenMP, `-O3 -march=native`), by LAPACK called directly (the OpenBLAS that jot uses; it copies the
matrix and works on that), by JAX {jax} jitted and by torch {torch} eager, in turn; "of" means so many matrices. Many matrices
run on two threads each, one matrix on one. Times are of a call in microseconds: medians of rounds, in each the least; ratios are of speed,
jot's over theirs, round by round: above 1 jot is faster. A gradient is of a weighed sum of squares of all results, forward
and backward. *: another result. Steps are the kernels, routines and library calls of jot's program.

'''


class Sides:
    """Processes by side and number of threads, started when they are needed."""

    def __init__(self, options):
        self.options, self.processes, self.versions = options, {}, {}

    def ask(self, side, row, number):
        key = side, row['threads']
        if key not in self.processes:
            self.processes[key] = self.start(*key)
        process = self.processes[key]
        if process is None:
            return None
        python = side in ('jax', 'torch', 'torch-compile')
        line = json.dumps({**row, 'seconds': self.options.seconds}) if python else f'{number} {self.options.seconds}'
        try:
            answer = process.ask(line)
        except (RuntimeError, OSError) as e:
            print(f'linalg: {side}: {row["name"]}: {e}', file=sys.stderr)
            process.stop()
            del self.processes[key]
            return None
        return None if 'absent' in answer else answer

    def start(self, side, threads):
        environment = dict.fromkeys(['JOT_NUM_THREADS', 'OMP_NUM_THREADS', 'BENCH_THREADS'], str(threads))
        if side in ('jot', 'eigen', 'lapack'):
            command = [self.options.build / 'bench' / 'linalg', side]
        else:
            command = [self.options.peers_python, HERE / 'linalg' / 'peers.py', side, 'linalg', 'full']
        try:
            process = Process(command, 600, **environment)
            first = process.answer()
        except RuntimeError as e:
            print(f'linalg: {side}: {e}', file=sys.stderr)
            return None
        if isinstance(first, list):
            self.rows = first
        else:
            self.versions[side] = first['version']
        return process

    def stop(self):
        for process in self.processes.values():
            if process:
                process.stop()


def sides_of(row, options):
    sides = ['jot', *options.sides]
    if row['name'].startswith('solve') and row['n'] == 4 and 'torch-compile' not in sides:
        sides.append('torch-compile')
    return [s for s in sides if s != 'lapack' or row['batch'] == 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=0.3)
    parser.add_argument('--sides', type=lambda s: [x for x in s.split(',') if x], default=['eigen', 'lapack', 'jax', 'torch'])
    parser.add_argument('--report', type=pathlib.Path)
    parser.add_argument('--build', type=lambda p: pathlib.Path(p).absolute(), default=ROOT / 'build')
    parser.add_argument('--peers-python', type=lambda p: pathlib.Path(p).absolute(),
                        default=ROOT / '.venv-peers' / 'bin' / 'python')
    options = parser.parse_args()
    sides = Sides(options)
    sides.processes['jot', 2] = sides.start('jot', 2)
    columns = [*options.sides] + ([] if 'torch-compile' in options.sides else ['torch-compile'])
    lines = ['| | jot, us | steps | ' + ' | '.join(f'{c}, us | {c} / jot' for c in columns) + ' |',
             '|---|--:|--:|' + '--:|' * (2 * len(columns))]
    print('\n'.join(lines), flush=True)
    try:
        for number, row in enumerate(sides.rows):
            if options.names and not any(name in row['name'] for name in options.names):
                continue
            times, prints, stats = {}, {}, {}
            for _ in range(options.rounds):
                for side in sides_of(row, options):
                    answer = sides.ask(side, row, number)
                    if answer is None:
                        continue
                    times.setdefault(side, []).append(min(answer['samples']))
                    prints[side] = answer['fingerprint']
                    stats = answer.get('stats') or stats
            cells = [row['name'], f'{statistics.median(times["jot"]):,.4g}',
                     str(sum(stats.get(k, 0) for k in ('kernels', 'routines', 'library_calls')))]
            for side in columns:
                if len(times.get(side, [])) < len(times['jot']):
                    cells += ['', '']
                    continue
                mark = '' if figures.agree(prints['jot'], prints[side], 1e-6) else ' *'
                cells += [f'{statistics.median(times[side]):,.4g}{mark}', f'{figures.ratio(times["jot"], times[side]):.2f}']
            lines.append('| ' + ' | '.join(cells) + ' |')
            print(lines[-1], flush=True)
    finally:
        sides.stop()
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        versions = {side: sides.versions.get(side, '(not installed)') for side in ('jax', 'torch')}
        options.report.write_text(INTRODUCTION.format(**versions) + '\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
