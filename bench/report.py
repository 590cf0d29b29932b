"""Rows as a table for the terminal and as the page docs/benchmarks.md."""
import ast
import os
import pathlib
import re

import plots

HERE = pathlib.Path(__file__).resolve().parent
ABOUT = {
    'jot': 'bench/jot_workloads.cpp, each workload under `jit`',
    'jax': '`jax.jit`; x64 enabled, so that f64 workloads are in f64',
    'torch': '`torch.func`, eager',
    'torch-compile': '`torch.func` under `torch.compile`',
    'mlx': '`mx.compile` on the CPU device; jacobians by `vmap` of `vjp` / `jvp`; its exp, sin and cos '
           'of f64 are accurate to f32, so its results are compared as f32',
    'casadi': 'SX graphs, interpreted; `map` over threads',
    'casadi-gcc': 'the same, its generated C through `gcc -O3 -march=native`',
    'ceres': '`ceres::Jet` (bench/cpp_peers.cpp)',
    'eigen-autodiff': '`Eigen::AutoDiffScalar` (bench/cpp_peers.cpp)',
    'direct': 'the library or a loop, called directly (bench/direct.cpp)',
    'adbench-manual': "ADBench's module `manual`, `g++ -O3 -march=native -ffast-math`",
    'adbench-eigen': "ADBench's module `manualEigen`, likewise",
    'adbench-tapenade': "ADBench's module `tapenade`, likewise",
}


def number(row, key):
    if key not in row:
        return ''
    return f'{row[key]:,.0f}' if row[key] >= 1000 else f'{row[key]:.3g}'


def grouped(rows):
    groups = {}
    for r in rows:
        groups.setdefault(r['workload'], []).append(r)
    return groups


def table(rows):
    """Every row, grouped by workload; those without figures in one line a reason."""
    lines = ['| workload | contender | threads | compile ms | steady us | spread | / jot | / jot-1t | peak MB | agrees |',
             '|---|---|--:|--:|--:|--:|--:|--:|--:|---|']
    for workload, group in grouped(rows).items():
        for r in group:
            if 'absent' in r or 'compile_ms' not in r:
                continue
            spread = f'{100 * r["spread"]:.1f}%' if 'spread' in r else ''
            agrees = {True: 'yes', False: '**NO**', None: 'alone'}[r.get('agrees')]
            lines.append('| ' + ' | '.join([workload, r['contender'], str(r['threads']), number(r, 'compile_ms'),
                                            number(r, 'steady_us'), spread, number(r, 'ratio'), number(r, 'ratio_1t'),
                                            number(r, 'peak_mb'), agrees]) + ' |')
        reasons = {}
        for r in group:
            if 'absent' in r:
                reasons.setdefault(r['absent'], []).append(r['contender'])
        lines += [f'| {workload} | {", ".join(names)} | {why} |' + ' |' * 7 for why, names in reasons.items()]
    return '\n'.join(lines)


def best_peers(rows):
    """A line a workload: the fastest contender beside jot."""
    lines = ['| workload | jot us | jot-1t us | jot compile ms | fastest other | us | times jot | times jot-1t |',
             '|---|--:|--:|--:|---|--:|--:|--:|']
    for workload, group in grouped(rows).items():
        named = {r['contender']: r for r in group if 'steady_us' in r}
        others = [r for name, r in named.items() if not name.startswith('jot')]
        if 'jot' not in named:
            continue
        best = min(others, key=lambda r: r['steady_us'], default={'contender': 'none'})
        cells = [number(named['jot'], 'steady_us'), number(named.get('jot-1t', {}), 'steady_us'),
                 number(named['jot'], 'compile_ms'), best['contender'], number(best, 'steady_us'),
                 number(best, 'ratio'), number(best, 'ratio_1t')]
        lines.append('| ' + ' | '.join([workload, *cells]) + ' |')
    return '\n'.join(lines)


def contenders(rows):
    """Version and threads of each."""
    lines = ['| contender | version | threads | how |', '|---|---|---|---|']
    for name in dict.fromkeys(r['contender'].removesuffix('-1t') for r in rows):
        mine = [r for r in rows if r['contender'] == name and 'compile_ms' in r]
        if mine:
            versions = ', '.join(dict.fromkeys(r['version'] for r in mine if r.get('version')))
            threads = ', '.join(dict.fromkeys(str(r['threads']) for r in mine))
            lines.append(f'| {name} | {versions} | {threads} | {ABOUT[name]} |')
    return '\n'.join(lines)


def python_program(workload):
    source = (HERE / 'peers' / 'worker.py').read_text()
    functions = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    name = 'gmm' if workload.startswith('gmm') else workload.split('-')[0]
    return ast.get_source_segment(source, functions[name]) if name in functions else ''


def cpp_program(workload):
    name = 'gmm' if workload.startswith('gmm') else workload.split('-')[0]
    found = re.search(rf'^Job {name}\(.*?^}}$', (HERE / 'jot_workloads.cpp').read_text(), re.M | re.S)
    return found.group(0) if found else ''


def programs(rows):
    """What was run, as it stands in the sources; helpers are in the same files."""
    seen, parts = set(), []
    for workload in grouped(rows):
        name = 'gmm' if workload.startswith('gmm') else workload.split('-')[0]
        cpp, python = cpp_program(workload), python_program(workload)
        if name in seen or not cpp:
            continue
        seen.add(name)
        parts.append(f'<details><summary>{name}</summary>\n\n```c++\n{cpp}\n```\n\n```python\n{python}\n```\n\n</details>\n')
    return '\n'.join(parts)


def write(result, page):
    """The page, and its charts in the folder of the same name."""
    rows, machine = result['rows'], result['machine']
    charts = plots.write(rows, page.with_suffix(''))
    road = page.with_suffix('') / 'road.md'
    further = f'[The first road in figures]({os.path.relpath(road, page.parent)}).\n\n' if road.exists() else ''
    images = '\n\n'.join(f'![{name}]({os.path.relpath(path, page.parent)})' for name, path in charts.items())
    page.write_text(f'''# Benchmarks

Written by `./dev bench --json FILE --report docs/benchmarks.md`; not edited by hand. `./dev bench --help` lists the
options (`--adbench DIR` adds the modules of a checkout of ADBench); `./dev bench road` holds the figures of the first road
against their bounds; `./dev bench micro` measures the parts: recording, passes, comparison, emission, dispatch, the pool
beside OpenMP and oneTBB, vector math beside SLEEF (`--benchmark_filter=REGEX` chooses).

{machine["cores"]} cores of {machine["cpu"]}, {machine["system"]}, gcc {machine.get("gcc", "")}; {machine["date"]}; jot at
{machine.get("commit", "")}; load before the run {machine.get("load", 0):.2f}.

Each contender runs in a process of its own with caches of its own. All of a workload are prepared, their results are
compared (by size, sum, weighted sum and sum of magnitudes of every array; 2e-4 of the last in f32, 1e-8 in f64), then they
are timed in turn, in rounds. *compile* is the first call less a steady one, after the library has been used once on
another function. *steady* is the median of the rounds, *spread* the distance of their quartiles as a part of it. */ jot*
is the median of the ratios round by round: above 1, jot is faster; */ jot-1t* holds against jot on one thread. *peak* is
memory over that before the first call.

{images}

{further}## The fastest other, by workload

{best_peers(rows)}

## All

{table(rows)}

## Contenders

{contenders(rows)}

## Programs

{programs(rows)}''')
