#!/usr/bin/env python3
"""./dev bench road: the figures of the first road against their bounds, JAX beside them in the same rounds.

  --rounds N     15 by default; each starts jot's side (bench/road.cpp, Google Benchmark) anew
  --json FILE    every figure of every round
  --report FILE  the table as a page
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import figures
from contenders import Contender

ROOT = pathlib.Path(__file__).resolve().parent.parent
JAX = ['lin33', 'lin33t', 'ba', 'lorenz', 'elem']
SIZES = [100, 1000, 10_000, 100_000]
SHORT = '(workload|lin33|ba_new|mlp)'  # in every round; the chains in every third


def run(program, only, into):
    """One process of jot's side: {figure: value} appended."""
    done = subprocess.run([program, f'--benchmark_filter={only}', '--benchmark_format=json'], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    skip = {'name', 'family_index', 'per_family_instance_index', 'run_name', 'run_type', 'repetitions', 'repetition_index',
            'threads', 'iterations', 'real_time', 'cpu_time', 'time_unit'}
    for b in json.loads(done.stdout)['benchmarks']:
        name = b['name'].split('/iterations')[0].removeprefix('workload/')
        into.setdefault(f'{name} us', []).append(b['real_time'] / 1000)  # given in ns
        for counter in b.keys() - skip:
            into.setdefault(f'{name} {counter}', []).append(b[counter])


class Jax:
    """Its workloads, each alive for all rounds."""

    def __init__(self, python):
        self.alive, self.found = {}, {}
        for workload in [*JAX, 'chain-100']:
            try:
                process = Contender('jax', workload, 'full', {'jot': ''}, python)
                self.alive[workload] = process
                self.found[f'{workload} compile_us'] = [process.answer()['compile_ms'] * 1000]
            except (RuntimeError, OSError, ValueError) as e:
                self.found[f'{workload} compile_us'] = self.found[f'{workload} us'] = str(e)
                if workload in self.alive:
                    self.alive.pop(workload).stop()

    def round(self):
        for workload, process in self.alive.items():
            self.found.setdefault(f'{workload} us', []).append(figures.summary(process.sample(0.1))[0])

    def stop(self):
        for process in self.alive.values():
            process.stop()


def text(values):
    """Median and spread; or why there is none."""
    if isinstance(values, str):
        return values
    if not values:
        return ''
    median, spread = figures.summary(values) if statistics.median(values) else (0, 0)
    return f'{median:,.4g}' + (f' ± {50 * spread:.1f}%' if spread else '')


def bounds():
    """(title, figure, bound, JAX's figure) of the issue; a bound None is judged elsewhere."""
    yield 'lin33: cached call, us', 'lin33 us', 1, 'lin33 us'
    yield 'lin33: not jitted, us', 'lin33_recorded us', 10, None
    yield 'lin33t: cached call, us', 'lin33t us', 1.5, 'lin33t us'
    yield 'lin33t: compilation, us', 'lin33t compile_us', 5000, 'lin33t compile_us'
    yield 'ba: kernels', 'ba kernels', 2, None
    yield 'ba: steady call, us', 'ba us', 1000, 'ba us'
    yield 'ba: compilation, us', 'ba compile_us', 40_000, 'ba compile_us'
    yield 'ba: 31,000 observations after 31,843, us more', 'ba_new_batch extra_us', 500, None
    yield 'ba: kernels compiled for them', 'ba_new_batch kernels_compiled', 0, None
    for name in ('lorenz', 'elem'):
        yield f'{name}: kernels', f'{name} kernels', 1, None
        yield f'{name}: steady call, us', f'{name} us', 'JAX', f'{name} us'
        yield f'{name}: compilation, us', f'{name} compile_us', None, f'{name} compile_us'
    for kind, title in (('chain', 'chain'), ('chain_grad', "chain's gradient")):
        for n in SIZES:
            jax = 'chain-100 compile_us' if kind == 'chain_grad' and n == 100 else None
            yield f'{title}, {n:,} steps: compilation, us a step', f'{kind}/{n} us_a_step', 10, jax
            yield f'{title}, {n:,} steps: bytes of code a step', f'{kind}/{n} bytes_a_step', 200, None
    yield "MLP's gradient: arena over its largest live set", 'mlp_arena arena_over_live', 1.2, None


def judge(found, jax):
    """Rows of the table: title, bound, jot, JAX, verdict."""
    for title, figure, bound, theirs in bounds():
        ours, beside = found[figure], jax.get(theirs, []) if theirs else []
        if theirs and 'chain' in theirs and not isinstance(beside, str):
            beside = [us / 100 for us in beside]
        verdict = ''
        if bound == 'JAX':
            if not isinstance(beside, str):
                times = figures.ratio(ours, beside)
                verdict = f'{"pass" if times >= 1 else "SHORT"}: JAX takes {times:.3g} times as long'
        elif bound is not None:
            verdict = 'pass' if statistics.median(ours) <= bound else 'SHORT'
        yield title, '' if bound is None else f'{bound:,}' if bound != 'JAX' else 'JAX', text(ours), text(beside), verdict
    for kind, title in (('chain', 'chain'), ('chain_grad', "chain's gradient")):
        long, short = found[f'{kind}/100000 us_a_step'], found[f'{kind}/1000 us_a_step']
        grows = [a / b for a, b in zip(long, short)]
        good = statistics.median(grows) <= 1.3 or statistics.median(long) <= 3
        yield f'{title}: 100,000 steps over 1,000, us a step', '1.3 (or 3 us)', text(grows), '', 'pass' if good else 'SHORT'


def report(found, jax):
    lines = ['| figure | bound | jot | JAX | |', '|---|--:|--:|--:|---|']
    lines += ['| ' + ' | '.join(row) + ' |' for row in judge(found, jax)]
    for name in ('lin33t', 'ba'):
        stats = ('kernels', 'routines', 'library_calls', 'code_bytes', 'arena_bytes')
        figures_of = ', '.join(f'{s.replace("_", " ")} {found[f"{name} {s}"][-1]:,.0f}' for s in stats)
        lines += ['', f'{name}, stats(): {figures_of}.']
    return '\n'.join(lines) + '\n'


INTRODUCTION = '''# The first road in figures

Written by `./dev bench road --report docs/benchmarks/road.md`; not edited by hand. Each round starts jot's side anew and
asks JAX, alive since the start, for samples; medians of the rounds, with half the distance of the quartiles. Compilation is
the first call less a steady one, after the library has been used once on another function. The machine is that of
[the benchmarks](../benchmarks.md).

'''


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--json', type=pathlib.Path)
    parser.add_argument('--report', type=pathlib.Path)
    parser.add_argument('--build', type=lambda p: pathlib.Path(p).absolute(), default=ROOT / 'build')
    parser.add_argument('--peers-python', type=lambda p: pathlib.Path(p).absolute(),
                        default=ROOT / '.venv-peers' / 'bin' / 'python')
    options = parser.parse_args()
    program, found = options.build / 'bench' / 'road', {}
    print('preparing JAX', file=sys.stderr, flush=True)
    jax = Jax(options.peers_python)
    for i in range(options.rounds):
        print(f'round {i + 1} of {options.rounds}', file=sys.stderr, flush=True)
        run(program, SHORT, found)
        jax.round()
        if i % 3 == 0:
            run(program, 'chain', found)
    jax.stop()
    page = report(found, jax.found)
    print(page)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(INTRODUCTION + page)
    if options.json:
        options.json.write_text(json.dumps({'jot': found, 'jax': jax.found}, indent=1) + '\n')


if __name__ == '__main__':
    main()
