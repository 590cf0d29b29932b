#!/usr/bin/env python3
"""Exported functions as CasADi's external() and as acados see them.  casadi_test.py PROGRAM PYTHON
Runs itself again with PYTHON, which has casadi and numpy; where it has not, calls the functions alone."""
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from checks import check, finish, skipped

try:
    import casadi
    import numpy
except ImportError:
    casadi = None
    if 'JOT_CASADI_TRIED' not in os.environ and os.path.exists(sys.argv[2]):
        os.execve(sys.argv[2], [sys.argv[2], *sys.argv], {**os.environ, 'JOT_CASADI_TRIED': '1'})


def close(a, b, within=1e-13):
    a, b = numpy.array(a), numpy.array(b)
    return a.shape == b.shape and numpy.all(numpy.abs(a - b) <= within * (1 + numpy.abs(b)))


def same_function(f, truth, points):
    """Values, jacobian with its pattern, reverse derivative."""
    for i in range(f.n_in()):
        check(f'{f.name()} input {i}', f.sparsity_in(i) == truth.sparsity_in(i), f.sparsity_in(i))
    for i in range(f.n_out()):
        check(f'{f.name()} output {i}', f.sparsity_out(i) == truth.sparsity_out(i), f.sparsity_out(i))
    ours, theirs = f.jacobian(), truth.jacobian()
    for point in points:
        for got, expected in zip(f.call(point), truth.call(point)):
            check(f'{f.name()} value', close(got, expected), (got, expected))
        results = [casadi.DM(f.sparsity_out(i)) for i in range(f.n_out())]
        for i, (got, expected) in enumerate(zip(ours.call(point + results), theirs.call(point + results))):
            check(f'{f.name()} jacobian {ours.name_out(i)}', close(got.full(), expected.full()), (got, expected))
            check(f'{f.name()} pattern {ours.name_out(i)}', got.sparsity() == expected.sparsity(), (got.sparsity(), expected.sparsity()))
        seeds = [casadi.DM(numpy.random.rand(*f.size_out(i))) for i in range(f.n_out())]
        for got, expected in zip(f.reverse(1).call(point + results + seeds), truth.reverse(1).call(point + results + seeds)):
            check(f'{f.name()} reverse', close(got.full(), expected.full()), (got, expected))
        # Second derivatives: by the inputs and, as far as they are used, by the seeds.
        made = [casadi.DM(s.size1(), s.size2()) for s in map(f.reverse(1).sparsity_out, range(f.n_in()))]
        given = point + results + seeds
        ours_again, theirs_again = f.reverse(1).jacobian(), truth.reverse(1).jacobian()
        for i, (got, expected) in enumerate(zip(ours_again.call(given + made), theirs_again.call(given + made))):
            check(f'{f.name()} {ours_again.name_out(i)}', close(got.full(), expected.full()), (got, expected))
            check(f'{f.name()} pattern {ours_again.name_out(i)}', got.sparsity() == expected.sparsity(), (got.sparsity(), expected.sparsity()))


def check_program(f, g, truth_f, truth_g):
    """The same optimum of a constrained problem with external functions as with CasADi's own."""
    optima = []
    for cost, circle, hessian in ((f, g, 'exact'), (f, g, 'limited-memory'), (truth_f, truth_g, 'exact')):
        x = casadi.MX.sym('x', 6)
        problem = {'x': x, 'f': cost(x), 'g': circle(x)}
        solver = casadi.nlpsol('solver', 'ipopt', problem, {'ipopt.print_level': 0, 'print_time': False, 'ipopt.sb': 'yes',
                                                           'ipopt.hessian_approximation': hessian, 'ipopt.tol': 1e-10})
        optima.append(solver(x0=[0.4, 0.4, 0.9, 0.6, 0.5, 0.2], lbg=[-casadi.inf, 0], ubg=[0.5, 0]))
        check('ipopt solves it', solver.stats()['success'], solver.stats()['return_status'])
    for ours in optima[:2]:
        check('the same optimum', close(ours['x'], optima[2]['x'], 1e-6) and close(ours['f'], optima[2]['f'], 1e-7), optima)


def check_narrow(library, name):
    """acados calls with int, and void* for mem."""
    lib = ctypes.CDLL(str(library))
    sizes = [ctypes.c_int(-1) for _ in range(4)]
    check('work', getattr(lib, f'{name}_work')(*map(ctypes.byref, sizes)) == 0)
    check('work sizes', sizes[0].value >= 1 and sizes[1].value >= 1 and sizes[3].value > 0, sizes)
    sparsity = getattr(lib, f'{name}_sparsity_in')
    sparsity.restype = ctypes.POINTER(ctypes.c_int)
    check('sparsity in int', sparsity(ctypes.c_int(0))[:3] == [6, 1, 1], sparsity(0)[:3])
    check('no such input', not sparsity(1) and not sparsity(-1))
    point = [-1 + 0.6 * i for i in range(6)]
    truth = sum(100 * (b - a**2)**2 + (1 - a)**2 for a, b in zip(point, point[1:]))
    x, y = (ctypes.c_double * 6)(*point), ctypes.c_double(0)
    arg = (ctypes.c_void_p * sizes[0].value)(ctypes.addressof(x))
    res = (ctypes.c_void_p * sizes[1].value)(ctypes.addressof(y))
    work = (ctypes.c_double * sizes[3].value)()
    check('call', getattr(lib, name)(arg, res, None, work, None) == 0)
    check('value', abs(y.value - truth) <= 1e-13 * (1 + abs(truth)), (y.value, truth))
    arg[0] = None  # zeros
    check('zeros', getattr(lib, name)(arg, res, None, work, None) == 0 and y.value == 5, y)
    res[0] = None  # not wanted
    check('no result', getattr(lib, name)(arg, res, None, work, None) == 0)


def check_casadi(folder):
    cost, mixed, circle = (casadi.external(name, str(folder / f'lib{name}.so')) for name in ('cost', 'mixed', 'circle'))
    check('names', mixed.name_in() == ['A', 'v'] and mixed.name_out() == ['B', 's'], (mixed.name_in(), mixed.name_out()))
    x = casadi.SX.sym('x', 6)
    a, b = x[:5], x[1:]
    truth_cost = casadi.Function('cost', [x], [casadi.sum1(100 * (b - a**2)**2 + (1 - a)**2)])
    truth_circle = casadi.Function('circle', [x], [casadi.vertcat(x[0]**2 + x[1]**2, x[2] * x[3] - x[4])])
    A, v = casadi.SX.sym('A', 2, 3), casadi.SX.sym('v', 2)
    truth_mixed = casadi.Function('mixed', [A, v], [casadi.sin(A.T) * v[0], casadi.sum2(2 * A[0, :] + A[1, :]) + v * v])
    numpy.random.seed(1)
    points = [numpy.random.rand(6) for _ in range(3)]
    same_function(cost, truth_cost, [[casadi.DM(p)] for p in points])
    same_function(circle, truth_circle, [[casadi.DM(p)] for p in points])
    same_function(mixed, truth_mixed, [[casadi.DM(p.reshape(2, 3)), casadi.DM(p[:2])] for p in points])
    check_program(cost, circle, truth_cost, truth_circle)


def main():
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        subprocess.run([sys.argv[1], top], check=True)
        check_narrow(top / 'libcost_narrow.so', 'cost_narrow')
        if casadi:
            check_casadi(top)
        else:
            skipped('external() of CasADi', 'casadi and numpy are not installed (./dev test installs both)')
    finish()


main()
