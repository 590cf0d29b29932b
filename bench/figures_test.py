#!/usr/bin/env python3
"""Statistics, comparison, driver, table and page of the bench on rows made up."""
import contextlib
import copy
import io
import json
import math
import pathlib
import re
import tempfile
import types
import unittest
import unittest.mock

import figures
import plots
import programs
import report
import run


def row(workload, contender, steady, spread=0.02, compile_ms=10.0, peak=50.0, **more):
    return {'workload': workload, 'contender': contender, 'threads': 2, 'steady_us': steady, 'spread': spread,
            'compile_ms': compile_ms, 'peak_mb': peak, 'agrees': True, **more}


class Statistics(unittest.TestCase):
    def test_summary(self):
        self.assertEqual(figures.summary([5.0]), (5.0, 0.0))
        self.assertEqual(figures.summary([1, 2, 3, 4, 5]), (3, 2 / 3))
        self.assertEqual(figures.summary([2, 2, 2, 2, 200])[1], 0)  # one disturbed round is not noise

    def test_ratio_is_taken_round_by_round(self):
        # A machine that slows down from round to round changes no ratio.
        self.assertEqual(figures.ratio([1, 2, 4, 8], [3, 6, 12, 24]), 3)

    def test_agree(self):
        elements = [2.0, 1.5, -0.5]
        a = [[3, 1.0, 0.5, 4.0, elements]]
        self.assertTrue(figures.agree(a, [[3, 1.0 + 3e-8, 0.5, 4.0, elements]], 1e-8))
        self.assertFalse(figures.agree(a, [[3, 1.0 + 5e-8, 0.5, 4.0, elements]], 1e-8))
        self.assertFalse(figures.agree(a, [[3, 1.0, 0.6, 4.0, elements]], 1e-2))  # the order of the elements counts
        self.assertFalse(figures.agree(a, [[4, 1.0, 0.5, 4.0, elements]], 1e-2))
        self.assertFalse(figures.agree(a, a + a, 1e-2))
        for wrong in (math.nan, math.inf):
            self.assertFalse(figures.agree(a, [[3, wrong, 0.5, 4.0, elements]], 1e-2))
            self.assertFalse(figures.agree(a, [[3, 1.0, 0.5, wrong, elements]], 1e-2))
            self.assertFalse(figures.agree(a, [[3, 1.0, 0.5, 4.0, [2.0, wrong, -0.5]]], 1e-2))

    def test_elements_agree(self):
        # Sums hide a pair of wrong elements in a long array; the sample does not.
        a = [[10**6, 1.0, 0.5, 1e6, [2.0, 1.5, -0.5]]]
        self.assertTrue(figures.agree(a, [[10**6, 1.0, 0.5, 1e6, [2.0, 1.5, -0.5 + 1e-8]]], 1e-8))
        self.assertFalse(figures.agree(a, [[10**6, 1.0, 0.5, 1e6, [2.0, 1.5, -0.5 + 3e-8]]], 1e-8))
        self.assertFalse(figures.agree(a, [[10**6, 1.0, 0.5, 1e6, [2.0, -0.5, 1.5]]], 1e-2))
        self.assertFalse(figures.agree(a, [[10**6, 1.0, 0.5, 1e6, [2.0, 1.5]]], 1e-2))

    def test_witnesses(self):
        def agreeing(**results):
            prints = {name.replace('_', '-'): [[1, x, x, abs(x), [x]]] for name, x in results.items()}
            return figures.witnessed(prints, lambda name: 1e-2 if name == 'mlx' else 1e-6)

        self.assertEqual(agreeing(jot=1.0, jax=1.0), {'jot': True, 'jax': True})
        self.assertEqual(agreeing(jot=1.0, jax=2.0), {'jot': False, 'jax': False})  # neither is known to be right
        # The first peer is no authority.
        self.assertEqual(agreeing(jot=1.0, jax=2.0, torch=1.0), {'jot': True, 'jax': False, 'torch': True})
        self.assertEqual(agreeing(jot=2.0, jax=1.0, torch=1.0), {'jot': False, 'jax': True, 'torch': True})
        # A library on one thread says nothing of itself.
        self.assertNotIn(True, agreeing(jot=2.0, jot_1t=2.0, jax=1.0, jax_1t=1.0).values())
        self.assertEqual(agreeing(direct=1.0, direct_1t=1.0), {})
        self.assertEqual(agreeing(jot=1.0, jot_1t=1.0), {})
        self.assertEqual(agreeing(jot=1.0, jax=1.0, mlx=1.001), {'jot': True, 'jax': True, 'mlx': True})


class Compare(unittest.TestCase):
    old = [row('ba', 'jot', 400.0), row('ba', 'jax', 8000.0), row('elem', 'jot', 10.0, spread=0.2)]

    def complaints(self, *new):
        return [line.split(':')[0] + ':' + line.split(':')[1] for line in list(figures.compare(list(new), self.old))[1:]]

    def test_same(self):
        self.assertEqual(self.complaints(*self.old), [])

    def test_slower(self):
        self.assertEqual(self.complaints(row('ba', 'jot', 460.0), row('ba', 'jax', 8000.0)), ['slower: ba jot'])

    def test_within_the_noise(self):
        self.assertEqual(self.complaints(row('ba', 'jot', 418.0)), [])
        self.assertEqual(self.complaints(row('elem', 'jot', 12.0)), [])  # noisy before
        self.assertEqual(self.complaints(row('elem', 'jot', 12.5)), ['slower: elem jot'])

    def test_a_slower_machine_is_no_regression(self):
        self.assertEqual(self.complaints(row('ba', 'jot', 520.0), row('ba', 'jax', 10400.0)), [])
        self.assertEqual(self.complaints(row('ba', 'jot', 400.0), row('ba', 'jax', 6000.0)), ['slower: ba jot'])

    def test_another_version_of_a_peer_says_nothing_of_the_machine(self):
        self.assertEqual(self.complaints(row('ba', 'jot', 400.0), row('ba', 'jax', 6000.0, version='2')), [])

    def test_compilation_and_memory(self):
        self.assertEqual(self.complaints(row('ba', 'jot', 400.0, compile_ms=17.0)), ['compiles slower: ba jot'])
        self.assertEqual(self.complaints(row('ba', 'jot', 400.0, peak=70.0)), ['needs more memory: ba jot'])

    def test_new_and_absent_rows_are_left_out(self):
        absent = {'workload': 'ba', 'contender': 'jot', 'threads': 2, 'absent': 'why'}
        self.assertEqual(self.complaints(absent, row('new', 'jot', 1.0)), [])


class Driver(unittest.TestCase):
    def test_a_workload_that_waits_is_a_row(self):
        bench = run.Bench.__new__(run.Bench)
        bench.options = types.SimpleNamespace(smoke=False, check=False, quick=False, peers=None, only='solve4')
        bench.native = [['jot', 'solve4', 'waits for linalg.solve']]
        rows = [r for found in bench.run() for r in found]
        self.assertEqual([(r['contender'], r['absent']) for r in rows], [('jot', 'waits for linalg.solve')])

    def test_the_smoke_run_sees_one_wrong_element(self):
        reference = json.loads(run.TOY.read_text())['ba']
        self.assertGreater(len(reference[0][4]), 10)
        bench = run.Bench.__new__(run.Bench)
        bench.options = types.SimpleNamespace(smoke=True, peers=None)
        for change, code in ((0, 0), (1e-3, 1)):
            rows = [{'workload': 'ba', 'contender': 'jot', 'fingerprint': copy.deepcopy(reference)}]
            rows[0]['fingerprint'][1][4][3] += change
            bench.check('ba', rows)
            with contextlib.redirect_stdout(io.StringIO()):
                self.assertEqual(run.smoke(rows), code)

    def test_another_result_is_not_timed(self):
        class Fake:
            """A contender: torch is fast and wrong."""

            timed = []

            def __init__(self, name, *_):
                self.name, self.running = name, True

            def answer(self):
                x = 2.0 if self.name.startswith('torch') else 1.0
                return {'compile_ms': 1.0, 'peak_mb': 1.0, 'fingerprint': [[1, x, x, x, [x]]]}

            def sample(self, seconds):
                assert self.running
                Fake.timed.append(self.name)
                return [{'jot': 3.0, 'jot-1t': 4.0, 'jax': 6.0}.get(self.name, 1.0)]

            def stop(self):
                self.running = False

        bench = run.Bench.__new__(run.Bench)
        bench.options = types.SimpleNamespace(smoke=False, check=False, quick=True, peers='jax,torch', only='lin33',
                                              peers_python='', limit=1)
        bench.native, bench.programs = [['jot', 'lin33', '']], {}
        with unittest.mock.patch.object(run, 'Contender', Fake):
            rows = [r for found in bench.run() for r in found]
        self.assertEqual(set(Fake.timed), {'jot', 'jot-1t', 'jax'})
        self.assertEqual([r['contender'] for r in rows if not r['agrees']], ['torch'])
        self.assertNotIn('steady_us', next(r for r in rows if r['contender'] == 'torch'))
        self.assertIn('| lin33 | 3 | 4 | 1 | jax | 6 | 2 | 1.5 |', report.best_peers(rows))


    def test_a_run_that_measures_leaves_what_it_found(self):
        def written(*arguments):
            with unittest.mock.patch('sys.argv', ['run.py', '--build', '/b', *arguments]):
                options = run.parse()
            return [path and str(path) for path in (options.json, options.plots)]

        self.assertEqual(written(), ['/b/bench/result.json', '/b/bench/plots'])
        self.assertEqual(written('--json', 'x', '--plots', 'y'), ['x', 'y'])
        for other in (['--smoke'], ['--check'], ['--from', 'old.json']):
            self.assertEqual(written(*other), [None, None])


class Page(unittest.TestCase):
    rows = [row('ba', 'jot', 400.0), row('ba', 'jot-1t', 700.0), row('ba', 'jax', 8000.0, ratio=20.0, ratio_1t=11.4),
            row('ba', 'ceres', 2000.0, ratio=5.0, ratio_1t=2.9, version='2.1'),
            {'workload': 'ba', 'contender': 'mlx', 'threads': 2, 'absent': 'no answer within 240 s'},
            {'workload': 'lstm', 'contender': 'jot', 'threads': 2, 'absent': 'waits for scan'},
            row('chain-100', 'jot', 5.0, compile_ms=0.8), row('chain-1000', 'jot', 50.0, compile_ms=8.0),
            row('chain-100', 'casadi', 30.0, compile_ms=0.7, ratio=6.0)]

    def test_table(self):
        table = report.table(self.rows)
        self.assertIn('| ba | mlx | no answer within 240 s |', table)
        self.assertIn('| lstm | jot | waits for scan |', table)
        widths = {line.count('|') for line in table.splitlines()}
        self.assertEqual(len(widths), 1, table)

    def test_fastest_other(self):
        self.assertIn('| ba | 400 | 700 | 10 | ceres | 2,000 | 5 | 2.9 |', report.best_peers(self.rows))

    def test_another_result_counts_nowhere(self):
        wrong = row('ba', 'torch', 1.0, ratio=0.0025, ratio_1t=0.001) | {'agrees': False}
        chain = row('chain-1000', 'jax', 1.0, compile_ms=0.001) | {'agrees': False}
        rows = [*self.rows, wrong, chain]
        self.assertEqual(report.best_peers(rows), report.best_peers(self.rows))
        self.assertEqual(plots.ratio_chart(rows), plots.ratio_chart(self.rows))
        self.assertEqual(plots.scaling_chart(rows), plots.scaling_chart(self.rows))
        self.assertIn('| ba | torch | **another result**: not timed |', report.table(rows))
        self.assertEqual(list(figures.compare(rows, rows)), list(figures.compare(self.rows, self.rows)))

    def test_page(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / 'benchmarks.md'
            report.write({'machine': {'cpu': 'x', 'cores': 2, 'system': 's', 'date': 'd'}, 'rows': self.rows}, page)
            text = page.read_text()
            self.assertIn('Job ba(Size size) {', text)
            self.assertIn('def ba():', text)
            for name in ('ratios', 'scaling'):
                self.assertIn(f'(benchmarks/{name}.svg)', text)
                self.assertIn('</svg>', (page.with_suffix('') / f'{name}.svg').read_text())

    def test_every_workload_shows_its_programs(self):
        source = (programs.HERE / 'jot_workloads.cpp').read_text()
        names = re.findall(r'^  add\("([^"]+)"', source, re.M)
        self.assertGreater(len(names), 10)
        text = programs.section(names + ['gemm-f32-32', 'chain-100'])
        blocks = re.findall(r'<details><summary>(\w+)</summary>', text)
        self.assertEqual(len(blocks), len(names) + 1)  # the two of gmm are one
        for name in blocks:
            self.assertIn(f'Job {name}(', programs.jot(name))
            self.assertIn(f'def {name}(', programs.python(name))

    def test_programs_show_what_they_call(self):
        for name, functions in {'ba': ['Tensor residual(', 'Tensor project(', 'Tensor rotate(', 'jacobian('],
                                'gmm': ['Tensor log_posterior(', 'places_below('], 'chain': ['Tensor chain_sum('],
                                'mlpjac': ['Tensor mlp(', 'Layers layers('], 'lorenz': ['Tensor lorenz_rate(']}.items():
            for function in functions:
                self.assertIn(function, programs.jot(name))
        for name, functions in {'ba': ['project', 'read_ba', 'casadi_map', 'casadi_call', 'casadi_function'],
                                'gmm': ['read_gmm', 'lower_positions'], 'chain': ['chain_sum'], 'mlpjac': ['mlp'],
                                'lorenz': ['lorenz_steps', 'lorenz_rate']}.items():
            for function in functions:
                self.assertIn(f'def {function}(', programs.python(name))
        for name, texts in {'ba': ['residual(const T*', 'cross(', 'struct Api<ceres::Jet'], 'lorenz': ['lorenz_rate('],
                            'gemm': ['dnnl::sgemm(', 'cblas_dgemm('], 'stream': ['#pragma omp']}.items():
            for part in texts:
                self.assertIn(part, programs.cpp_peers(name))
        self.assertNotIn('elemchain', programs.jot('elem'))  # and nothing else
        self.assertEqual(programs.cpp_peers('gmm'), '')

    def test_no_chart_without_figures(self):
        self.assertIsNone(plots.ratio_chart([]))
        self.assertIsNone(plots.scaling_chart([]))


if __name__ == '__main__':
    unittest.main()
