"""Derives the polynomial coefficients of backends/cpu/kernel/math.cpp: python3 bench/math_coefficients.py

Minimax by the Remez exchange, weighted for relative error of the function, in 60 digits (mpmath). Coefficients are
rounded to the format, the two lowest first and the rest fitted again, so that rounding costs little. The last column is the largest error, as log2 of the relative error of the function (f32 needs -26, f64 -55).
"""
import mpmath as mp

mp.mp.dps = 60


def to_format(x, bits):
    """x rounded to f32 or f64."""
    if bits == 64:
        return mp.mpf(float(x))
    m, e = mp.frexp(x)
    return mp.ldexp(mp.nint(mp.ldexp(m, 24)), int(e) - 24)


def remez(f, weight, lo, hi, fixed, free):
    """Coefficients of x^len(fixed) ... minimising max |weight * (f - polynomial)| on [lo, hi]."""
    k, n = len(fixed), free
    nodes = [(lo + hi) / 2 - (hi - lo) / 2 * mp.cos(mp.pi * i / n) for i in range(n + 1)]
    target = lambda x: f(x) - mp.polyval(list(reversed(fixed)), x) if k else f(x)
    for _ in range(30):
        a = mp.matrix(n + 1, n + 1)
        b = mp.matrix(n + 1, 1)
        for i, x in enumerate(nodes):
            for j in range(n):
                a[i, j] = x ** (k + j)
            a[i, n] = (-1) ** i / weight(x)
            b[i] = target(x)
        solution = mp.lu_solve(a, b)
        c = list(fixed) + [solution[j] for j in range(n)]
        error = lambda x: weight(x) * (f(x) - mp.polyval(list(reversed(c)), x))
        grid = [lo + (hi - lo) * i / 600 for i in range(601)]
        values = [error(x) for x in grid]
        # One extremum between two sign changes.
        peaks, start = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or (values[i] > 0) != (values[start] > 0):
                best = max(range(start, i), key=lambda j: abs(values[j]))
                peaks.append(grid[best])
                start = i
        if len(peaks) < n + 1:
            break
        while len(peaks) > n + 1:
            peaks.pop(0 if abs(error(peaks[0])) < abs(error(peaks[-1])) else -1)
        moved = max(abs(p - q) for p, q in zip(peaks, nodes))
        nodes = peaks
        if moved < (hi - lo) / 500:
            break
    return c


def fit(name, f, weight, lo, hi, terms, bits):
    # Bounded away from zero, where the exchange has nothing to balance.
    floor = max(abs(weight(lo)), abs(weight(hi))) / 100
    raw = weight
    weight = lambda x: max(abs(raw(x)), floor)
    fixed = []
    while len(fixed) < 2:  # the rest count for little
        c = remez(f, weight, lo, hi, fixed, terms - len(fixed))
        fixed = [to_format(x, bits) for x in c[: len(fixed) + 1]]
    c = remez(f, weight, lo, hi, fixed, terms - len(fixed))
    fixed = [to_format(x, bits) for x in c]
    grid = [lo + (hi - lo) * i / 2000 for i in range(2001)]
    worst = max(abs(weight(x) * (f(x) - mp.polyval(list(reversed(fixed)), x))) for x in grid)
    text = ", ".join(repr(float(x)) for x in fixed)
    print(f"{name:8} f{bits} {{{text}}}  {float(mp.log(worst, 2)):.1f}")


def taylor_safe(f, series, limit=mp.mpf("1e-12")):
    """f, near 0 by its first terms (cancellation)."""
    return lambda x: series(x) if abs(x) < limit else f(x)


def parts(name, value, bits, count):
    """value as a sum of `count` numbers."""
    out, rest = [], value
    for _ in range(count):
        p = to_format(rest, bits)
        out.append(p)
        rest -= p
    print(f"{name:8} f{bits} {{{', '.join(repr(float(p)) for p in out)}}}  {float(mp.log(abs(rest), 2)):.1f}")


half_ln2 = mp.log(2) / 2 * mp.mpf("1.001")
quarter = mp.pi / 4 * mp.mpf("1.002")
for bits in (32, 64):
    big = bits == 64
    # exp(r) = 1 + r + r^2 P(r); relative to exp(r), and to exp(r) - 1.
    curved = taylor_safe(lambda r: (mp.expm1(r) - r) / r**2, lambda r: mp.mpf(1) / 2 + r / 6)
    fit("exp", curved, lambda r: r**2 / mp.exp(r), -half_ln2, half_ln2, 10 if big else 5, bits)
    fit("expm1", curved, taylor_safe(lambda r: r**2 / mp.expm1(r), lambda r: r), -half_ln2, half_ln2, 11 if big else 6, bits)
    # sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2 / 2 + r^4 P(r^2).
    fit("sin", taylor_safe(lambda z: (mp.sin(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3, lambda z: -mp.mpf(1) / 6 + z / 120),
        taylor_safe(lambda z: mp.sqrt(z) ** 3 / mp.sin(mp.sqrt(z)), lambda z: z), mp.mpf(0), quarter**2, 6 if big else 3, bits)
    fit("cos", taylor_safe(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda z: mp.mpf(1) / 24 - z / 720),
        lambda z: z**2 / mp.cos(mp.sqrt(z)), mp.mpf(0), quarter**2, 6 if big else 3, bits)
    parts("pi/2", mp.pi / 2, bits, 3)
    # atan(r) = r + r^3 P(r^2), |r| <= 1/2.
    fit("atan", taylor_safe(lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: -mp.mpf(1) / 3 + z / 5),
        taylor_safe(lambda z: z * mp.sqrt(z) / mp.atan(mp.sqrt(z)), lambda z: z), mp.mpf(0),
        mp.mpf("0.25025"), 12 if big else 5, bits)
    # asin(r) = r + r^3 P(r^2), |r| <= 1/2.
    fit("asin", taylor_safe(lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: mp.mpf(1) / 6 + z * 3 / 40),
        taylor_safe(lambda z: z * mp.sqrt(z) / mp.asin(mp.sqrt(z)), lambda z: z), mp.mpf(0),
        mp.mpf("0.2501"), 13 if big else 5, bits)
    parts("ln2", mp.log(2), bits, 2)
    parts("1/ln2", 1 / mp.log(2), bits, 2)
    parts("1/ln10", 1 / mp.log(10), bits, 2)
    parts("lg 2", mp.log(2, 10), bits, 2)
# log(1 + f) = 2 s + s z P(z) with s = f / (2 + f), z = s^2 (f64);  f - f^2 / 2 + f^3 P(f) (f32).
top = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mp.mpf("1.001")
fit("log", taylor_safe(lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z, lambda z: mp.mpf(2) / 3 + z * 2 / 5),
    taylor_safe(lambda z: z * mp.sqrt(z) / (2 * mp.atanh(mp.sqrt(z))), lambda z: z / 2), mp.mpf(0), top, 7, 64)
fit("log", taylor_safe(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, lambda f: mp.mpf(1) / 3 - f / 4),
    taylor_safe(lambda f: f**3 / mp.log1p(f), lambda f: f * f), mp.sqrt(mp.mpf(1) / 2) - 1 - mp.mpf("1e-6"),
    mp.sqrt(2) - 1 + mp.mpf("1e-6"), 9, 32)
