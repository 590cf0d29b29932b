"""Rows as a table for the terminal and as the page docs/benchmarks.md."""
import os

import figures
import plots
import programs

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
        for r in figures.counted(group, 'compile_ms'):
            if 'absent' in r:
                continue
            spread = f'{100 * r["spread"]:.1f}%' if 'spread' in r else ''
            agrees = 'yes' if 'agrees' in r else 'alone'
            lines.append('| ' + ' | '.join([workload, r['contender'], str(r['threads']), number(r, 'compile_ms'),
                                            number(r, 'steady_us'), spread, number(r, 'ratio'), number(r, 'ratio_1t'),
                                            number(r, 'peak_mb'), agrees]) + ' |')
        reasons = {}
        for r in group:
            if r.get('agrees') is False:
                reasons.setdefault('**another result**: not timed', []).append(r['contender'])
            elif 'absent' in r:
                reasons.setdefault(r['absent'], []).append(r['contender'])
        lines += [f'| {workload} | {", ".join(names)} | {why} |' + ' |' * 7 for why, names in reasons.items()]
    return '\n'.join(lines)


def best_peers(rows):
    """A line a workload: the fastest contender beside jot."""
    lines = ['| workload | jot us | jot-1t us | jot compile ms | fastest other | us | times jot | times jot-1t |',
             '|---|--:|--:|--:|---|--:|--:|--:|']
    for workload, group in grouped(rows).items():
        named = {r['contender']: r for r in figures.counted(group)}
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


def write(result, page):
    """The page, and its charts in the folder of the same name."""
    rows, machine = result['rows'], result['machine']
    charts = plots.write(rows, page.with_suffix(''))
    pages = {'road': 'The first road in figures', 'ops': 'Ops, one by one', 'math': 'Vector math', 'avx512': 'Another processor: AVX-512'}
    found = {title: page.with_suffix('') / f'{name}.md' for name, title in pages.items()}
    further = ''.join(f'[{title}]({os.path.relpath(path, page.parent)}).\n\n'
                      for title, path in found.items() if path.exists())
    images = '\n\n'.join(f'![{name}]({os.path.relpath(path, page.parent)})' for name, path in charts.items())
    page.write_text(f'''# Benchmarks

Written by `./dev bench --report docs/benchmarks.md`; not edited by hand. Every run leaves its rows in
`build/bench/result.json` and its charts in `build/bench/plots/` unless told otherwise. `./dev bench --help` lists the
options (`--adbench DIR` adds the modules of a checkout of ADBench); `./dev bench road` holds the figures of the first road
against their bounds; `./dev bench micro` measures the parts: recording, passes, comparison, emission, dispatch, the pool
beside OpenMP and oneTBB (`--benchmark_filter=REGEX` chooses); `./dev bench ops` each op, `./dev bench linalg`
linear algebra, `./dev bench math` and `./dev bench sleef` the accuracy and the speed of vector math.

{machine["cores"]} cores of {machine["cpu"]}, {machine["system"]}, gcc {machine.get("gcc", "")}; {machine["date"]}; jot at
{machine.get("commit", "")}; load before the run {machine.get("load", 0):.2f}.

Each contender runs in a process of its own with caches of its own. All of a workload are prepared, their results are
compared: of every array the size; sum, weighted sum and sum of magnitudes, by 2e-4 of the last in f32 and 1e-8 in f64; a
thousand elements at random places, by as much of the largest of them. A contender whose result no other agrees with is not
timed and counts nowhere. The others are timed in turn, in rounds. *compile* is the first call less a steady one, after the
library has been used once on another function. *steady* is the median of the rounds, *spread* the distance of their
quartiles as a part of it. */ jot* is the median of the ratios round by round: above 1, jot is faster; */ jot-1t* holds
against jot on one thread. *peak* is memory over that before the first call.

{images}

{further}## The fastest other, by workload

{best_peers(rows)}

## All

{table(rows)}

## Contenders

{contenders(rows)}

## Programs

As they stand in the sources: jot's, the C++ peers', the Python peers'.

{programs.section(grouped(rows))}''')
