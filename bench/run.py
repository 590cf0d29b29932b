#!/usr/bin/env python3
"""./dev bench: jot and its peers on the same work, side by side, in one run. Needs only the standard library.

  --only NAME,...      workloads (lin33, ba, ...; a name ending in - takes all that start so: gemm-)
  --peers NAME,...     contenders beside jot (jax, jax-1t, torch, ...; -1t: on one thread); all by default
  --quick              a small selection, fewer and shorter rounds: under two minutes
  --check              every contender once at full size, results compared, nothing timed
  --smoke              at toy size, nothing timed; without --peers a test: results compared with JAX's of bench/data
  --limit SECONDS      for a contender's compilation (240; at most 60 for chain and foridx)
  --json FILE          the rows (build/bench/result.json)
  --compare OLD.json   names what became slower than the noise
  --plots FOLDER       SVG charts (build/bench/plots)
  --report PAGE.md     the page docs/benchmarks.md and its charts
  --from FILE.json     measures nothing: report, charts or comparison of an earlier run
  --adbench DIR        a checkout of ADBench: its hand-written and Tapenade modules as contenders on ba, gmm10, gmm64
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import adbench
import figures
import plots
import report
from contenders import ADBENCH, LOOPS, PYTHON_PEERS, Contender, kind, python_peers, why_not

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TOY = HERE / 'data' / 'toy.json'  # fingerprints of the toy sizes, by JAX
QUICK = ['lin33', 'lin33t', 'elem', 'lorenz', 'ba', 'mlpjac', 'hesslog', 'gemm-f32-256', 'chain-100']
QUICK_PEERS = ['jax']


def tolerance(workload, contender):
    if contender == 'mlx':  # whose exp, sin and cos of f64 are accurate to f32
        return 2e-4
    f64 = kind(workload) in ['lorenz', 'ba', 'gmm10', 'gmm64', 'chain', 'stream', *LOOPS] or '-f64-' in workload
    return 1e-8 if f64 else 2e-4


class Bench:
    def __init__(self, options):
        self.options = options
        worker = options.build / 'bench' / 'bench_worker'
        self.programs = {'jot': worker}
        listing = subprocess.run([worker, '--list'], capture_output=True, text=True, check=True)
        self.native = [line.split(' ', 2) for line in listing.stdout.splitlines()]
        if options.adbench:
            self.programs.update(adbench.build(options.adbench, options.build / 'adbench'))

    def workloads(self):
        names = list(dict.fromkeys(workload for _, workload, _ in self.native))
        if self.options.only:
            wanted = self.options.only.split(',')
            unknown = [w for w in wanted if not any(matches(name, w) for name in names)]
            if unknown:
                sys.exit(f'unknown workloads: {", ".join(unknown)}; there are: {", ".join(names)}')
            return [name for name in names if any(matches(name, w) for w in wanted)]
        return QUICK if self.options.quick else names

    def contenders(self, workload):
        """(name, what keeps it from running) in the order of the table."""
        here = {name: why for name, w, why in self.native if w == workload}
        if here.get('jot'):
            return [('jot', here['jot'])]
        if self.options.smoke and self.options.peers is None:
            some = [name for name, why in here.items() if not why]
            return [(name, None) for name in (['jot-1t', *some] if workload == 'ba' else some)]
        some = ['jot', 'jot-1t'] + [name for name in here if name != 'jot']
        if kind(workload) in ('gemm', 'stream', 'newton'):
            some.append('direct-1t')
        some += python_peers(workload)
        if workload in adbench.WORKLOADS:
            some += ADBENCH
        wanted = self.options.peers.split(',') if self.options.peers is not None else None
        if wanted is None and self.options.quick:
            wanted = [*QUICK_PEERS, *here, *ADBENCH]
        if wanted is not None:
            some = [name for name in some if name.startswith('jot') or name in wanted]
            some += [name for name in wanted if name not in some and name.removesuffix('-1t') in PYTHON_PEERS]
        return [(name, self.absent(name, workload, here)) for name in some]

    def absent(self, name, workload, here):
        if name in ADBENCH and name not in self.programs:
            return 'needs --adbench DIR'
        return here.get(name) or why_not(name, workload)

    def measure(self, workload, gave_up):
        """Rows of one workload: all contenders prepared, their results compared, then timed in rounds."""
        size = 'toy' if self.options.smoke else 'full'
        running, rows = [], []
        for name, why in self.contenders(workload):
            row = {'workload': workload, 'contender': name, 'threads': 1 if name.endswith('-1t') else os.cpu_count()}
            rows.append(row)
            why = why or gave_up.get((name, kind(workload)))
            if why:
                row['absent'] = why
                continue
            try:
                process, facts = self.prepare(name, workload, size)
                row.update(facts)
                running.append((process, row, []))
            except (RuntimeError, OSError, ValueError) as e:
                row['absent'] = str(e)
                if kind(workload) == 'chain':
                    gave_up[name, 'chain'] = f'{workload}: {e}'
        self.check(workload, rows)
        for process, row, _ in running:
            if row.get('agrees') is False:
                process.stop()
        running = [r for r in running if r[1].get('agrees') is not False]
        rounds, seconds = (5, 0.05) if self.options.quick else (15, 0.14)
        if self.options.smoke or self.options.check or not running:
            rounds = 0
        for i in range(rounds):
            for process, row, samples in running[i % len(running):] + running[:i % len(running)]:
                if 'absent' in row or len(samples) >= 5 and sum(samples) > 2e6:  # slow calls: two seconds are enough
                    continue
                try:
                    samples.append(figures.summary(process.sample(seconds))[0])
                except (RuntimeError, OSError, ValueError) as e:
                    row['absent'] = str(e)
        for process, row, samples in running:
            process.stop()
            if samples and 'absent' not in row:
                row['steady_us'], row['spread'] = figures.summary(samples)
                for ours, key in (('jot', 'ratio'), ('jot-1t', 'ratio_1t')):
                    mine = [s for _, r, s in running if r['contender'] == ours and 'absent' not in r]
                    if mine and not row['contender'].startswith('jot'):
                        row[key] = figures.ratio(mine[0], samples)
        return rows

    def prepare(self, name, workload, size):
        """A process ready to be timed, and its facts. What starts fast is started three times, for the median of its
        compilation."""
        times, process = [], None
        fast = name.removesuffix('-1t') not in PYTHON_PEERS and not (self.options.smoke or self.options.check)
        for _ in range(3 if fast else 1):
            if times:
                process.stop()
            process = Contender(name, workload, size, self.programs, self.options.peers_python, self.options.limit)
            try:
                facts = process.answer()
            except BaseException:
                process.stop()
                raise
            times.append(facts['compile_ms'])
        return process, {**facts, 'compile_ms': statistics.median(times)}

    def check(self, workload, rows):
        """Whether the results are those of others; of toy sizes those of JAX, kept in bench/data."""
        rows = [r for r in rows if 'fingerprint' in r]
        prints = {r['contender']: r['fingerprint'] for r in rows}
        if self.options.smoke and self.options.peers is None:
            reference = json.loads(TOY.read_text()).get(workload)
            agrees = {} if reference is None else {name: figures.agree(p, reference, tolerance(workload, name))
                                                   for name, p in prints.items()}
        else:
            agrees = figures.witnessed(prints, lambda name: tolerance(workload, name))
        for row in rows:
            if row['contender'] in agrees:
                row['agrees'] = agrees[row['contender']]
            if not self.options.smoke:
                del row['fingerprint']  # long

    def run(self):
        """The rows of each workload in turn."""
        gave_up, start = {}, time.monotonic()
        workloads = self.workloads()
        for i, workload in enumerate(workloads):
            if sys.stderr.isatty() or not self.options.smoke:
                seconds = time.monotonic() - start
                print(f'[{i + 1}/{len(workloads)}, {seconds:.0f} s] {workload}', file=sys.stderr, flush=True)
            yield self.measure(workload, gave_up)


def matches(name, wanted):
    return name == wanted or wanted.endswith('-') and name.startswith(wanted)


def machine():
    def output(*command):
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        return done.stdout.strip() if done.returncode == 0 else ''

    cpu = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), 'unknown')
    commit = output('git', 'rev-parse', '--short', 'HEAD')
    return {'cpu': cpu, 'cores': os.cpu_count(), 'system': f'{platform.system()} {".".join(platform.release().split(".")[:2])}, {" ".join(platform.libc_ver())}', 'gcc': output('gcc', '-dumpfullversion'),
            'date': time.strftime('%Y-%m-%d'), 'load': os.getloadavg()[0],
            'commit': commit + (' with changes' if output('git', 'status', '--porcelain', '-uno') else '')}


def smoke(rows):
    """The summary of a test."""
    bad = [r for r in rows if not r.get('agrees', r.get('absent', '').startswith('waits'))]
    for r in bad:
        print(f'{r["workload"]} {r["contender"]}: {r.get("absent", "other results than JAX, or none to compare with")}')
    print(f'{len(rows) - len(bad)} passed, {len(bad)} failed')
    return 1 if bad else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ('--only', '--peers'):
        parser.add_argument(flag)
    for flag in ('--json', '--compare', '--plots', '--report', '--from', '--adbench'):
        parser.add_argument(flag, type=pathlib.Path, dest=flag.strip('-').replace('from', 'source'))
    for flag in ('--quick', '--check', '--smoke', '--write-toy'):
        parser.add_argument(flag, action='store_true', help=argparse.SUPPRESS if flag == '--write-toy' else None)
    parser.add_argument('--limit', type=float, default=240)
    parser.add_argument('--build', type=lambda p: pathlib.Path(p).absolute(), default=ROOT / 'build')
    parser.add_argument('--peers-python', type=lambda p: pathlib.Path(p).absolute(),
                        default=ROOT / '.venv-peers' / 'bin' / 'python')
    options = parser.parse_args()
    if not (options.source or options.smoke or options.check):  # a run that measures leaves what it found
        options.json = options.json or options.build / 'bench' / 'result.json'
        options.plots = options.plots or options.build / 'bench' / 'plots'
    return options


def main():
    options = parse()
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
    if options.source:
        result = json.loads(options.source.read_text())
    else:
        result = {'machine': machine(), 'rows': []}
        for found in Bench(options).run():
            for row in found:
                if row['contender'].startswith('jot'):
                    row['version'] = result['machine']['commit']
            result['rows'] += found
            if options.json:  # a run that is cut short keeps what it has
                options.json.write_text(json.dumps(result, indent=1) + '\n')
    rows = result['rows']
    if options.smoke and options.peers is None:
        return smoke(rows)
    if options.write_toy:
        found = {r['workload']: r['fingerprint'] for r in rows if r['contender'] == 'jax' and 'fingerprint' in r}
        found = {**json.loads(TOY.read_text()), **found}
        TOY.write_text('{\n' + ',\n'.join(f' {json.dumps(w)}: {json.dumps(f)}' for w, f in found.items()) + '\n}\n')
    print(report.table(rows))
    if options.plots:
        charts = plots.write(rows, options.plots)
        print('written:', *filter(None, [options.json, *charts.values()]))
    if options.report:
        report.write(result, options.report)
    if options.compare:
        print(*figures.compare(rows, json.loads(options.compare.read_text())['rows']), sep='\n')
    differing = [f'{r["workload"]} {r["contender"]}' for r in rows if r.get('agrees') is False]
    broken = [r['workload'] for r in rows if r['contender'] == 'jot' and not r.get('absent', 'waits').startswith('waits')]
    if differing or broken:
        print('results differ:', *differing, '; without result:', *broken)
    return 1 if differing or broken else 0


if __name__ == '__main__':
    sys.exit(main())
