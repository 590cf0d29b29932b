#!/usr/bin/env python3
"""Builds and runs the tests that meson lists; the last line is "N passed, N failed" (see tests/meson.build)."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

SUPPORT = pathlib.Path(__file__).resolve().parent
DOCTEST = re.compile(r'^\[doctest\] test cases:\s+\d+ \|\s+(\d+) passed \|\s+(\d+) failed', re.M)
COUNTS = re.compile(r'^(\d+) passed, (\d+) failed\s*\Z', re.M)
SKIPPED = re.compile(r'^skipped: .*', re.M)
TARGETS = {'avx512': {'avx512f', 'avx512dq', 'avx512bw', 'avx512vl'}, 'avx2': {'avx2', 'fma', 'f16c', 'bmi2'}}
FROM_BELOW = {'executable', 'routines', 'transforms_tensor'}  # with guard pages in front of buffers, too
SANITIZERS = {
    'address': {'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1',
                'LSAN_OPTIONS': f'suppressions={SUPPORT}/lsan.supp:print_suppressions=0',
                'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'},
    'thread': {'TSAN_OPTIONS': f'halt_on_error=1:die_after_fork=0:second_deadlock_stack=1:suppressions={SUPPORT}/tsan.supp'},
}


def machine_targets():
    """What JOT_CPU can be on this machine, best first; only the caller's choice if there is one."""
    if 'JOT_CPU' in os.environ:
        return [os.environ['JOT_CPU']]
    flags = re.search(r'^flags\s*:(.*)$', pathlib.Path('/proc/cpuinfo').read_text(), re.M)
    flags = set(flags.group(1).split()) if flags else set()
    return [name for name, needed in TARGETS.items() if needed <= flags] + ['reference']


class Run:
    def __init__(self, test, label='', **environment):
        self.test = test
        self.title = test['name'] + (f' [{label}]' if label else '')
        self.environment = environment


def plan(tests, sanitizer):
    """The runs of each test, by its suite."""
    targets = machine_targets()
    for test in tests:
        suites = {suite.partition(':')[2] for suite in test['suite']}
        if suites & {'tool', 'demo'}:
            if not sanitizer:
                yield Run(test)
        elif 'plain' in suites:
            yield Run(test)
        elif sanitizer:
            yield Run(test, targets[0], JOT_CPU=targets[0])
        else:
            for target in targets:
                yield Run(test, target, JOT_CPU=target)
            yield Run(test, targets[0] + ' guard, verify', JOT_CPU=targets[0], JOT_GUARD='1', JOT_VERIFY='1')
            if test['name'] in FROM_BELOW:
                yield Run(test, targets[0] + ' guard in front', JOT_CPU=targets[0], JOT_GUARD='2')


def counts(output, code):
    """(passed, failed) of a finished test: its own summary if it printed one, else its exit code."""
    found = COUNTS.search(output) or DOCTEST.search(output)
    passed, failed = map(int, found.groups()) if found else (int(code == 0), int(code != 0))
    ran = passed + failed > 0 or SKIPPED.search(output)
    if (code != 0 and failed == 0) or not ran:  # crashed after its summary, or ran nothing and does not say why
        failed += 1
    return passed, failed


def execute(run, wrapper, sanitizer, timeout):
    environment = {**os.environ, **SANITIZERS.get(sanitizer, {}), **run.test['env'], **run.environment}
    start = time.monotonic()
    try:
        done = subprocess.run(wrapper + run.test['cmd'], env=environment, cwd=run.test['workdir'], timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as expired:
        output, code = (expired.stdout or b'') + f'\nstopped after {timeout} s\n'.encode(), 1
    output = output.decode(errors='replace')
    passed, failed = counts(output, code)
    if code < 0:
        output += f'\nended by signal {-code}\n'
    return run, passed, failed, time.monotonic() - start, output


def build(directory, tests):
    """Builds what the tests need and nothing else, with ninja's line of progress."""
    targets = json.loads((directory / 'meson-info/intro-targets.json').read_text())
    files = {target['id']: target['filename'] for target in targets}
    needed = sorted({os.path.relpath(file, directory) for test in tests for target in test['depends']
                     for file in files[target]})
    return not needed or subprocess.run(['ninja', *needed], cwd=directory).returncode == 0


def stages(runs):
    """What does not depend on the target first, tools last; within that the tests of a folder. Each stage is built while
    the ones before it run: the first result comes when the lowest layer is built."""
    order, groups = ['plain', '', 'demo', 'tool'], {}
    for run in runs:
        suite = next((suite for _, _, suite in (name.partition(':') for name in run.test['suite']) if suite in order), '')
        folder = run.test['depends'][0].partition('@')[0] if run.test['depends'] else ''
        groups.setdefault((order.index(suite), folder), []).append(run)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


class Results:
    """Runs tests on some threads; shows each result when it comes, above ninja's line."""

    def __init__(self, options):
        self.passed = self.failed = 0
        self.options = options
        self.lock = threading.Lock()

    def run(self, run):
        # Newer kernels place mappings where ThreadSanitizer of g++ 12 does not expect them.
        wrapper = ['setarch', '-R'] if self.options.sanitizer == 'thread' else []
        run, good, bad, seconds, output = execute(run, wrapper, self.options.sanitizer,
                                                   max(self.options.timeout, run.test['timeout']))
        with self.lock:
            self.passed, self.failed = self.passed + good, self.failed + bad
            clear = '\r\x1b[K' if sys.stdout.isatty() else ''
            print(f'{clear}{"FAIL" if bad else "ok  "} {run.title}: {good} passed, {bad} failed, {seconds:.1f} s', flush=True)
            print(output if bad else ''.join(f'     {line}\n' for line in SKIPPED.findall(output)), end='\n' if bad else '', flush=True)


def show(directory, runs):
    """Builds and runs one at a time, so that the first is seen early."""
    failed = False
    for run in runs:
        if not build(directory, [run.test]):
            return 1
        failed |= subprocess.run(run.test['cmd'], cwd=run.test['workdir']).returncode != 0
    return int(failed)


def finish(passed, failed):
    print(f'{passed} passed, {failed} failed', flush=True)
    return 0 if failed == 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('names', nargs='*', help='run only the tests whose name contains one of these')
    parser.add_argument('--suite', help='run only the tests of this suite')
    parser.add_argument('--show', action='store_true', help='one at a time, their output shown')
    parser.add_argument('--sanitizer', choices=SANITIZERS)
    parser.add_argument('--build-only', action='store_true')
    parser.add_argument('--timeout', type=float, default=900, help='seconds for one run, unless its test asks for more')
    options = parser.parse_intermixed_args()
    directory = options.build.resolve()

    if subprocess.run(['ninja', '-C', directory, '--quiet', 'build.ninja']).returncode:
        return finish(0, 1)
    tests = json.loads((directory / 'meson-info/intro-tests.json').read_text())
    exact = {test['name'] for test in tests} & set(options.names)  # a name in full means that test alone
    tests = [test for test in tests
             if (not options.names or test['name'] in exact
                 or any(name in test['name'] for name in options.names if name not in exact))
             and (not options.suite or any(suite.endswith(':' + options.suite) for suite in test['suite']))]
    if not tests:
        print('no test matches', *options.names)
        return finish(0, 1)
    runs = list(plan(tests, options.sanitizer))
    if options.build_only:
        return int(not build(directory, [run.test for run in runs]))
    if options.show:
        return show(directory, runs)
    results, built = Results(options), True
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = []
        for stage in stages(runs):
            built = build(directory, [run.test for run in stage])
            if not built:
                break
            futures += [pool.submit(results.run, run) for run in stage]
        for future in futures:
            future.result()
    if not built:
        print('the build failed')
    return finish(results.passed, results.failed + (not built))


if __name__ == '__main__':
    sys.exit(main())
