#!/usr/bin/env python3
"""What else `./dev bench` runs: programs_test.py PROGRAM... The programs are there and run a little, every Python file
compiles. Nothing is timed."""
import ast
import json
import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = {pathlib.Path(argument).name: argument for argument in sys.argv[1:]}


def output(name, *arguments):
    done = subprocess.run([PROGRAMS[name], *arguments], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f'{name} {" ".join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}')
    return done.stdout


def ran(name, only):
    """The names of those benchmarks, each run for a moment."""
    text = output(name, f'--benchmark_filter={only}', '--benchmark_min_time=0.001', '--benchmark_format=json')
    found = json.loads(text)['benchmarks']
    errors = [b for b in found if b.get('error_occurred') and 'on this target' not in b['error_message']]
    if errors:
        raise AssertionError(errors)
    return {b['name'] for b in found}


class Programs(unittest.TestCase):
    def test_python(self):
        files = sorted(HERE.rglob('*.py'))
        self.assertIn(HERE / 'peers' / 'worker.py', files)
        for file in files:
            compile(file.read_text(), file, 'exec')

    def test_start(self):
        self.assertGreater(json.loads(output('start', 'lin33'))['misses'], 0)

    @unittest.skipUnless('road' in PROGRAMS, 'needs Google Benchmark')
    def test_road(self):
        names = output('road', '--benchmark_list_tests').splitlines()
        for part in ('workload/lin33/', 'workload/ba/', 'ba_new_batch/', 'chain_grad/100000/', 'mlp_arena/'):
            self.assertTrue(any(name.startswith(part) for name in names), part)
        self.assertEqual(len(ran('road', '^workload/lin33/|^mlp_arena|^chain/100/')), 3)

    @unittest.skipUnless('micro' in PROGRAMS, 'needs Google Benchmark and oneTBB')
    def test_micro(self):
        names = set(output('micro', '--benchmark_list_tests').splitlines())
        self.assertGreater(len(names), 100)
        some = ran('micro', '^(pass|emit)/|^(record|hash|compare|lower|dispatch_.*)$')
        self.assertLessEqual({'pass/transpose', 'emit/lanes', 'record', 'dispatch_pointers'}, some)

    def test_special_accuracy(self):
        lines = output('special_accuracy', HERE.parent / 'tests' / 'golden' / 'special.bin').splitlines()
        self.assertIn('gammainc', {line.split('\t')[0] for line in lines})
        self.assertTrue(all(len(line.split('\t')) == 5 for line in lines))

    @unittest.skipUnless('math_speed' in PROGRAMS, 'needs SLEEF')
    def test_math_speed(self):
        lines = output('math_speed', '--smoke').splitlines()
        if 'no vector math' not in lines[0]:
            self.assertLessEqual({'exp', 'pow', 'lgamma', 'digamma'}, {line.split('|')[1].strip() for line in lines if '|' in line})

    def test_ops(self):
        """Every row at toy size: jot and the loop agree; torch has each op."""
        names = output('ops', 'check').splitlines()
        self.assertGreater(len(names), 80)
        self.assertEqual(len(names), len(set(names)))
        tree = ast.parse((HERE / 'ops' / 'torch_ops.py').read_text())
        table = next(n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == 'OPS')
        ops = {key.value for key in table.keys}
        self.assertEqual([n for n in names if not any((n + ' ').startswith((op + ' ', op + ',')) for op in ops)], [])

    def test_linalg(self):
        """Every row at toy size: jot, Eigen and LAPACK agree; JAX and torch have each op."""
        names = output('linalg', 'check').splitlines()
        self.assertGreater(len(names), 40)
        self.assertEqual(len(names), len(set(names)))
        tree = ast.parse((HERE / 'linalg' / 'peers.py').read_text())
        table = next(n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == 'OPS')
        self.assertEqual({n.split()[0] for n in names} - {key.value for key in table.keys}, {'ekf'})

    @unittest.skipUnless('math_accuracy' in PROGRAMS, 'not built')
    def test_math_accuracy(self):
        lines = output('math_accuracy', '2000').splitlines()
        if 'no vector math' not in lines[0]:
            functions = {tuple(line.split()[:2]) for line in lines}
            self.assertLessEqual({(f, t) for f in ('exp', 'erf_inv', 'pow', 'zeta') for t in ('f32', 'f64')}, functions)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
