#!/usr/bin/env python3
"""Writes exact values of the special functions, special.bin, and prints how far scipy is from them.

    special.py [NAME...]       writes the file, or those functions of it anew; needs mpmath
    special.py table PROGRAM   the table of docs/benchmarks/special.md: errors of bench/special_accuracy, which is PROGRAM,
                               and of scipy on the same points; needs scipy

Each function has 2,000 points of f64 and 1,000 of f32: where it is usually taken, beside zeros and poles, tiny and huge. The
file has of each function its name (length and bytes), the number of operands (u8), the numbers of points (u32 each), then
point by point the operands (f64, f32), the value (f64), and what its last place is to be measured at if that is more (f32):
beside zeros the terms whose sum is zero there.
"""
import math
import pathlib
import random
import struct
import subprocess
import sys

R = random.Random()  # seeded by each function's name
OUT = pathlib.Path(__file__).resolve().parent / 'special.bin'


def table():
    """name: (value, scale or None, draw of the operands)."""
    import mpmath as mp
    mp.mp.dps = 50
    log_uniform = lambda a, b: math.exp(R.uniform(math.log(a), math.log(b)))
    either = lambda x: x * R.choice((-1, 1))
    near = lambda x: x + either(log_uniform(1e-16, 0.1)) * max(1, abs(x))
    mixed = lambda *ways: lambda: R.choice(ways)()
    wide = lambda: either(log_uniform(1e-300, 1e300))

    def zeros(f, *starts):
        return [float(mp.findroot(f, s)) for s in starts]

    # ---- errors
    root2 = mp.sqrt(2)
    tail = lambda x: mp.erfc(-x / root2) / 2
    def quantile(p):
        if p in (0, 1):
            return mp.inf * (2 * p - 1)
        if p > mp.mpf('0.2'):
            return root2 * mp.erfinv(2 * p - 1) if p < mp.mpf('0.8') else -quantile(1 - p)
        y = mp.sqrt(-2 * mp.log(p))
        for _ in range(60):  # Newton's steps of the logarithm
            step = (mp.log(tail(-y)) - mp.log(p)) * tail(-y) * mp.sqrt(2 * mp.pi) * mp.exp(y * y / 2)
            y += step
            if abs(step) < mp.mpf(10) ** -45 * y:
                return -y
        raise ValueError(p)
    normal = mixed(lambda: R.uniform(-6, 6), lambda: R.uniform(-38.4, -5), lambda: R.uniform(5, 40), lambda: either(log_uniform(1e-20, 1)))
    p_tail = mixed(R.random, lambda: log_uniform(5e-324, 0.3), lambda: near(0.5), lambda: 1 - log_uniform(1.2e-16, 0.3))
    yield 'erf', mp.erf, None, mixed(lambda: R.uniform(-4, 4), lambda: either(log_uniform(1e-300, 6)), wide)
    yield 'erfc', mp.erfc, None, mixed(lambda: R.uniform(-4, 4), lambda: R.uniform(0, 27.2), lambda: either(log_uniform(1e-20, 6)))
    def erfcx(x):
        if x < 1e8:
            return mp.exp(x * x) * mp.erfc(x)
        return (1 - 1 / (2 * x * x) + 3 / (4 * x**4)) / (x * mp.sqrt(mp.pi))
    yield 'erfcx', erfcx, None, mixed(lambda: R.uniform(-26, 5), lambda: R.uniform(0, 40), lambda: either(log_uniform(1e-20, 5)), lambda: log_uniform(1, 1e300))
    yield 'erfinv', mp.erfinv, None, mixed(lambda: R.uniform(-1, 1), lambda: either(log_uniform(1e-300, 1)), lambda: either(1 - log_uniform(1e-16, 1)))
    yield 'ndtr', tail, None, normal
    yield 'log_ndtr', lambda x: mp.log(tail(x)) if x < 1 else mp.log1p(-tail(-x)), None, mixed(normal, lambda: -log_uniform(1, 1e5))
    yield 'ndtri', quantile, None, p_tail
    # ---- gamma
    roots_of_lgamma = [1.0, 2.0] + zeros(lambda x: mp.re(mp.loggamma(x)), -2.457, -2.747, -3.143, -3.955, -4.039)
    roots_of_digamma = zeros(lambda x: mp.psi(0, x), 1.4616, -0.504, -1.573, -2.61, -3.635)
    beside_pole = lambda: near(-R.randrange(0, 12))
    gamma_points = lambda roots, most: mixed(lambda: R.uniform(-12, 30), lambda: log_uniform(1e-300, most), beside_pole, lambda: near(R.choice(roots)), lambda: R.uniform(0, 4))
    def lgamma_scale(x):
        return 0 if x > 0 else max(mp.mpf(1), abs(mp.loggamma(-x)))
    yield 'lgamma', lambda x: mp.re(mp.loggamma(x)), lgamma_scale, gamma_points(roots_of_lgamma, 1e300)
    yield 'digamma', lambda x: mp.psi(0, x), lambda x: 0 if x > 0 else max(mp.mpf(1), abs(mp.psi(0, -x) - 1 / x)), gamma_points(roots_of_digamma, 1e300)
    yield 'multigammaln 3', lambda x: sum(mp.loggamma(x - mp.mpf(i) / 2) for i in range(3)) + mp.log(mp.pi) * 3 / 2, \
        lambda x: sum(abs(mp.loggamma(x - mp.mpf(i) / 2)) for i in range(3)) + 1, mixed(lambda: R.uniform(1.1, 20), lambda: log_uniform(1.1, 1e100))
    def positive_hurwitz(s, q):  # Euler and Maclaurin; mp.zeta has lost digits where s and q are large
        total, a = mp.mpf(0), q
        while a < 40 + s:
            total += a**-s
            a += 1
        total += a ** (1 - s) / (s - 1) + a**-s / 2
        factor = s * a ** (-s - 1)
        for j in range(1, 200):
            term = mp.bernoulli(2 * j) / mp.factorial(2 * j) * factor
            total += term
            if abs(term) < total * mp.mpf(10) ** -mp.mp.dps:
                return total
            factor *= (s + 2 * j - 1) * (s + 2 * j) / (a * a)
        raise ValueError((s, q))
    def hurwitz(s, q):  # and the sum of sizes
        total = size = mp.mpf(0)
        while q < 0:
            term = 1 / q ** int(s)  # of integers s alone
            total, size, q = total + term, size + abs(term), q + 1
        rest = positive_hurwitz(s, q)
        return total + rest, size + rest
    for n in (1, 2, 7, 50):
        sign = (-1) ** (n + 1) * mp.factorial(n)
        yield f'polygamma {n}', lambda x, n=n, sign=sign: sign * hurwitz(mp.mpf(n + 1), x)[0], \
            lambda x, n=n, sign=sign: 0 if x > 0 else abs(sign) * hurwitz(mp.mpf(n + 1), x)[1], \
            mixed(lambda: R.uniform(-6, 30), lambda: log_uniform(1e-4, 1e4), lambda: near(-R.randrange(0, 6)), lambda: R.uniform(0.1, 4))
    exponent = mixed(lambda: R.uniform(1.001, 12), lambda: 1 + log_uniform(1e-10, 1), lambda: log_uniform(1.1, 200))
    yield 'zeta', lambda s, q: hurwitz(s, q)[0], lambda s, q: 0 if q > 0 else hurwitz(s, q)[1], \
        mixed(lambda: (exponent(), R.uniform(0.01, 20)), lambda: (exponent(), log_uniform(1e-3, 1e6)), lambda: (float(R.randrange(2, 12)), R.uniform(-6, 0)))
    # ---- Bessel
    amplitude = lambda x: 0 if abs(x) < 0.8 else mp.sqrt(2 / (mp.pi * max(abs(x), 1)))
    bessel_x = lambda roots: mixed(lambda: R.uniform(0, 30), lambda: log_uniform(1e-8, 1e4), lambda: near(R.choice(roots)), lambda: log_uniform(1e-300, 1))
    def spread(draw):
        return lambda: either(draw())
    j_roots = {n: [float(mp.besseljzero(n, k)) for k in range(1, 12)] for n in (0, 1)}
    y_roots = {n: [float(mp.besselyzero(n, k)) for k in range(1, 12)] for n in (0, 1)}
    for n in (0, 1):
        yield f'bessel_j{n}', lambda x, n=n: mp.besselj(n, x), amplitude, spread(bessel_x(j_roots[n]))
        yield f'bessel_y{n}', lambda x, n=n: mp.bessely(n, x), amplitude, mixed(bessel_x(y_roots[n]), bessel_x(y_roots[n]), lambda: log_uniform(1e-30, 1))
        i_x = mixed(lambda: R.uniform(-30, 30), lambda: either(log_uniform(1e-20, 700)), lambda: either(R.uniform(0, 3)))
        yield f'i{n}', lambda x, n=n: mp.besseli(n, x), None, mixed(i_x, i_x, i_x, lambda: either(R.uniform(700, 713)), lambda: either(R.uniform(85, 92)))
        def scaled_i(x, n=n):
            if abs(x) < 1000:
                return mp.besseli(n, x) * mp.exp(-abs(x))
            total = term = mp.mpf(1)
            for k in range(1, 25):
                term *= mp.mpf((2 * k - 1) ** 2 - 4 * n) / (8 * abs(x) * k)
                total += term
            return mp.sign(x) ** n * total / mp.sqrt(2 * mp.pi * abs(x))
        yield f'i{n}e', scaled_i, None, mixed(i_x, i_x, lambda: either(log_uniform(1, 1e300)))
        k_x = mixed(lambda: R.uniform(0, 30), lambda: log_uniform(1e-300, 1), lambda: R.uniform(0, 3), lambda: R.uniform(1, 700))
        yield f'modified_bessel_k{n}', lambda x, n=n: mp.besselk(n, x), None, k_x
        def scaled_k(x, n=n):
            if x < 1000:
                return mp.besselk(n, x) * mp.exp(x)
            total = term = mp.mpf(1)
            for k in range(1, 25):
                term *= mp.mpf(4 * n - (2 * k - 1) ** 2) / (8 * x * k)
                total += term
            return total * mp.sqrt(mp.pi / (2 * x))
        yield f'scaled_modified_bessel_k{n}', scaled_k, None, mixed(k_x, k_x, lambda: log_uniform(1, 1e300))
    yield 'spherical_bessel_j0', lambda x: mp.sin(x) / x, None, spread(mixed(lambda: R.uniform(0, 30), lambda: log_uniform(1e-20, 1e6), lambda: near(math.pi * R.randrange(1, 20))))
    yield 'sinc', lambda x: mp.sinpi(x) / (mp.pi * x), None, spread(mixed(lambda: R.uniform(0, 30), lambda: log_uniform(1e-20, 1e6), lambda: near(R.randrange(1, 20))))
    # ---- logarithms
    yield 'entr', lambda x: -x * mp.log(x), None, mixed(R.random, lambda: log_uniform(1e-300, 1e300), lambda: near(1))
    yield 'xlogy', lambda x, y: x * mp.log(y), None, lambda: (either(log_uniform(1e-20, 1e20)), R.choice((R.uniform(0, 5), log_uniform(1e-300, 1e300), near(1))))
    yield 'xlog1py', lambda x, y: x * mp.log1p(y), None, lambda: (either(log_uniform(1e-20, 1e20)), R.choice((R.uniform(-1, 5), either(log_uniform(1e-30, 1)), log_uniform(1, 1e300))))
    yield 'logit', lambda p: mp.log(p) - mp.log1p(-p), None, p_tail
    # ---- the incomplete gamma function
    log_density = lambda a, x: (a - 1) * math.log(x) - x - math.lgamma(a)
    def gamma_point():
        while True:
            a = R.choice((R.uniform(0.05, 30), log_uniform(1e-8, 1e3), log_uniform(1, 3e4)))
            x = R.choice((a * R.uniform(0.01, 4), a * math.exp(R.gauss(0, 2)), a + R.gauss(0, 2) * math.sqrt(a), log_uniform(1e-10, 100)))
            if x > 0 and -650 < log_density(a, x) + min(0, math.log(x)):
                return a, x
    def series(a, x):
        total = term = mp.mpf(1)
        k = 0
        while abs(term) > abs(total) * mp.mpf(10) ** (-mp.mp.dps - 2):
            k += 1
            term *= x / (a + k)
            total += term
        return total * mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1))
    def precise(digits, f):
        with mp.workdps(digits):
            return +f()
    digits = lambda a, x: 50 + int(max(0, float(x - a)) / 2)
    yield 'gammainc', lambda a, x: series(a, x), None, gamma_point
    yield 'gammaincc', lambda a, x: precise(digits(a, x) + max(0, int(-math.log10(float(a)))), lambda: 1 - series(a, x)), None, gamma_point
    def by_a(a, x):
        def quotient():
            h = a * mp.mpf(10) ** -25
            return (series(a + h, x) - series(a - h, x)) / (2 * h)
        return precise(digits(a, x) + 60, quotient)
    yield 'gammainc by a', by_a, None, gamma_point


def write():
    import mpmath as mp
    single = lambda x: struct.unpack('<f', struct.pack('<f', x))[0]
    out, only = bytearray(), sys.argv[1:]
    kept = dict(parts(OUT.read_bytes())) if only else {}
    for name, value, scale, draw in table():
        if only and name not in only:
            out += kept[name]
            continue
        R.seed(name)
        points = {}
        for width, count in ((64, 2000), (32, 1000)):
            points[width] = []
            while len(points[width]) < count:
                x = draw()
                x = x if isinstance(x, tuple) else (x,)
                try:
                    x = x if width == 64 else tuple(single(v) for v in x)
                    if any(math.isinf(v) or v == 0 for v in x):
                        continue
                    exact = tuple(mp.mpf(v) for v in x)
                    y = value(*exact)
                except (OverflowError, ZeroDivisionError, ValueError):  # a pole
                    continue
                if isinstance(y, mp.mpc) or mp.isnan(y):
                    continue
                y = float(y)
                if math.isinf(y) or (width == 32 and not 1e-44 < abs(y) < 3e38):
                    continue
                points[width].append((x, y, min(float(scale(*exact)), 3e38) if scale else 0.0))
        operands = len(points[64][0][0])
        out += struct.pack('<B', len(name)) + name.encode() + struct.pack('<BII', operands, 2000, 1000)
        for width in (64, 32):
            for x, y, least in points[width]:
                out += struct.pack(f'<{operands}{"d" if width == 64 else "f"}df', *x, y, least)
        print(name, flush=True)
    OUT.write_bytes(out)


def parts(data):
    """The name of each function and its bytes."""
    at = 0
    while at < len(data):
        n = data[at]
        operands, wide, narrow = struct.unpack_from('<BII', data, at + 1 + n)
        end = at + 10 + n + wide * (8 * operands + 12) + narrow * (4 * operands + 12)
        yield data[at + 1:at + 1 + n].decode(), data[at:end]
        at = end


def read():
    functions = {}
    for name, data in parts(OUT.read_bytes()):
        at = 1 + len(name)
        operands, wide, narrow = struct.unpack_from('<BII', data, at)
        at += 9
        functions[name] = {}
        for width, count in ((64, wide), (32, narrow)):
            form = struct.Struct(f'<{operands}{"d" if width == 64 else "f"}df')
            functions[name][width] = [form.unpack_from(data, at + i * form.size) for i in range(count)]
            at += count * form.size
    return functions


def errors(points, got, width):
    """In units of the last place: the greatest, and that which 90 of 100 do not exceed."""
    digits, least = (53, -1022) if width == 64 else (24, -126)
    all_errors = []
    for (*_, want, scale), y in zip(points, got):
        if math.isnan(y) or math.isinf(y):
            all_errors.append(math.inf)
            continue
        exponent = max(math.frexp(max(abs(want), scale))[1] - 1, least)
        all_errors.append(abs(y - want) / math.ldexp(1, exponent - digits + 1))
    all_errors.sort()
    return all_errors[-1], all_errors[len(all_errors) * 9 // 10]


def scipy_functions():
    import scipy.special as s
    names = {'lgamma': 'gammaln', 'bessel_j0': 'j0', 'bessel_j1': 'j1', 'bessel_y0': 'y0', 'bessel_y1': 'y1', 'modified_bessel_k0': 'k0',
             'modified_bessel_k1': 'k1', 'scaled_modified_bessel_k0': 'k0e', 'scaled_modified_bessel_k1': 'k1e'}
    special = {'sinc': __import__('numpy').sinc, 'spherical_bessel_j0': lambda x: s.spherical_jn(0, x), 'multigammaln 3': None,
               'gammainc by a': None}
    def function(name):
        if name in special:
            return special[name]
        if name.startswith('polygamma'):
            return lambda x: s.polygamma(int(name.split()[1]), x)
        return getattr(s, names.get(name, name))
    return function


def show_table(program):
    import numpy as np
    ours = {}
    for line in subprocess.run([program, OUT], check=True, capture_output=True, text=True).stdout.splitlines():
        name, *numbers = line.split('\t')
        ours[name] = [float(x) for x in numbers]
    theirs = scipy_functions()
    show = lambda x: f'{x:.1f}' if x < 1e4 else f'{x:.1e}'
    print('| | f64: most | 90 of 100 | scipy: most | 90 of 100 | f32: most | 90 of 100 |\n|---|--:|--:|--:|--:|--:|--:|')
    for name, points in read().items():
        cells, f = [show(x) for x in ours[name]], theirs(name)
        if f:
            with np.errstate(all='ignore'):
                columns = np.array(points[64])
                y = f(*columns[:, :-2].T)
            peer = [show(x) for x in errors(points[64], y, 64)]
        else:
            peer = ['', '']
        print(f'| {name} | {cells[0]} | {cells[1]} | {peer[0]} | {peer[1]} | {cells[2]} | {cells[3]} |')


if __name__ == '__main__':
    if sys.argv[1:2] == ['table']:
        show_table(sys.argv[2])
    else:
        write()
