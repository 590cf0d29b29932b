#!/usr/bin/env python3
"""Statistics, comparison, driver, table and page of the bench on rows made up."""
import pathlib
import re
import tempfile
import types
import unittest

import figures
import plots
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
        a = [[3, 1.0, 0.5, 4.0]]
        self.assertTrue(figures.agree(a, [[3, 1.0 + 3e-8, 0.5, 4.0]], 1e-8))
        self.assertFalse(figures.agree(a, [[3, 1.0 + 5e-8, 0.5, 4.0]], 1e-8))
        self.assertFalse(figures.agree(a, [[3, 1.0, 0.6, 4.0]], 1e-2))  # the order of the elements counts
        self.assertFalse(figures.agree(a, [[4, 1.0, 0.5, 4.0]], 1e-2))
        self.assertFalse(figures.agree(a, a + a, 1e-2))
        self.assertFalse(figures.agree(a, [[3, float('nan'), 0.5, 4.0]], 1e-2))


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
        source = (report.HERE / 'jot_workloads.cpp').read_text()
        names = re.findall(r'^  add\("([^"]+)"', source, re.M)
        self.assertGreater(len(names), 10)
        for name in names + ['gemm-f32-32', 'chain-100']:
            self.assertTrue(report.cpp_program(name), name)
            self.assertTrue(report.python_program(name), name)

    def test_no_chart_without_figures(self):
        self.assertIsNone(plots.ratio_chart([]))
        self.assertIsNone(plots.scaling_chart([]))


if __name__ == '__main__':
    unittest.main()
