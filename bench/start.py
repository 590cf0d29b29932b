#!/usr/bin/env python3
"""./dev bench start [WORKLOAD...]: first calls of processes without and with files of the cache on disk (JOT_CACHE_DIR).

compile: what of it is spent in passes, kernels, plan; load: in finding the file
and reading it. Bound: load takes at most 1 ms, or a tenth of compile. Medians of 9 processes each."""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKLOADS = ['lin33t', 'ba', 'lorenz', 'gmm10', 'hesslog', 'mlphess', 'softattn', 'chain-1000', 'chain-10000']
ROUNDS = 9


def run(workload, folder):
    done = subprocess.run([ROOT / 'build/bench/start', workload], env={**os.environ, 'JOT_CACHE_DIR': folder}, text=True,
                          capture_output=True, check=True)
    return json.loads(done.stdout)


def median(rows, figure):
    return statistics.median(row[figure] for row in rows)


print('| workload | first call cold, ms | compile, ms | first call warm, ms | load, ms | load / compile | files found |')
print('|---|---|---|---|---|---|---|')
for workload in sys.argv[1:] or WORKLOADS:
    cold, warm = [], []
    with tempfile.TemporaryDirectory() as folder:
        run(workload, folder)
        for _ in range(ROUNDS):
            cold.append(run(workload, ''))
            warm.append(run(workload, folder))
    compiled, loaded = median(cold, 'compile'), median(warm, 'compile')
    print(f'| {workload} | {median(cold, "first"):.2f} | {compiled:.2f} | {median(warm, "first"):.2f} | '
          f'{loaded:.2f} | {loaded / compiled:.2f} | {warm[0]["loaded"]} of {warm[0]["misses"]} |', flush=True)
