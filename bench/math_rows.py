"""Makes backends/cpu/kernel/math_rows.cpp: python3 bench/math_rows.py; needs mpmath.

Special functions by pieces, each a polynomial of t, the distance from the middle of the piece: interpolation in
Chebyshev's points, in 60 digits, with as many terms as the worst of eight pieces needs. A row has one coefficient of all
pieces. Also printed: the polynomials of one piece that kernel/math_special.cpp has.
"""
import pathlib
import struct

import mpmath as mp

mp.mp.dps = 60
OUT = pathlib.Path(__file__).parent.parent / "backends/cpu/kernel/math_rows.cpp"
rows, tables = [], {}


def to_format(x, bits):
    if bits == 64:
        return mp.mpf(float(x))
    if x == 0:
        return mp.mpf(0)
    m, e = mp.frexp(x)
    return mp.ldexp(mp.nint(mp.ldexp(m, 24)), int(e) - 24)


def interpolate(f, lo, hi, terms):
    nodes = [(lo + hi) / 2 - (hi - lo) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * terms)) for i in range(terms)]
    # Newton's divided differences, then powers.
    d = [f(x) for x in nodes]
    for level in range(1, terms):
        for i in range(terms - 1, level - 1, -1):
            d[i] = (d[i] - d[i - 1]) / (nodes[i] - nodes[i - level])
    c = [mp.mpf(0)]
    for i in range(terms - 1, -1, -1):
        c = [mp.mpf(0)] + c
        for j in range(len(c) - 1):
            c[j] -= nodes[i] * c[j + 1]
        c[0] += d[i]
    return c[:terms]


def value(c, t):
    return mp.polyval(list(reversed(c)), t)


def error(f, weight, c, lo, hi):
    return max(abs((value(c, t) - f(t)) * weight(t)) for t in (lo + (hi - lo) * (i + mp.mpf(1) / 3) / 64 for i in range(64)))


def pieces(name, bits, f, parts, two_parts=False, less_one=False, root=None):
    """parts: (middle, lo, hi) of t. f(middle + t) = c0 (+ rest) + t (c1 + t (c2 ...)); less_one: of c1.
    With a root near some of the pieces: z, rest of z, c0, c1, ...: c0 + (t - z) (c1 + ...), z 0 elsewhere."""
    tolerance = mp.mpf(2) ** (-57 if bits == 64 else -28)
    slopes, terms = [], 2
    for middle, lo, hi in parts:
        z = root - middle if root is not None and abs(root - middle) < 1 else mp.mpf(0)
        start = f(middle + z)
        slope = lambda t, m=middle, s=start, z=z: mp.diff(f, m + z) if abs(t - z) < mp.mpf("1e-25") else (f(m + t) - s) / (t - z)
        weight = lambda t, m=middle, z=z: (t - z) / f(m + t)
        while error(slope, weight, interpolate(slope, lo, hi, terms), lo, hi) > tolerance:
            terms += 1
        slopes.append((start if z == 0 else mp.mpf(0), slope, lo, hi, z))
    columns = []
    for start, slope, lo, hi, z in slopes:
        first, zero = to_format(start, bits), to_format(z, bits)
        c = [to_format(start - first, bits)] if two_parts else [zero, to_format(z - zero, bits)] if root is not None else []
        powers = interpolate(slope, lo, hi, terms)
        powers[0] -= less_one
        columns.append(c + [first] + [to_format(x, bits) for x in powers])
    tables[name, bits] = (len(rows), len(columns[0]))
    rows.extend((f"{name}, f{bits}" if i == 0 else "", [c[i] for c in columns]) for i in range(len(columns[0])))
    print(f"// {name} f{bits}: {terms} terms", flush=True)


def uniform(width, last):
    """Middles at multiples of the width; what is above `last` is not used."""
    w = mp.mpf(width)
    return [(i * w, mp.mpf(0) if i == 0 else -w / 2, w / 2 if i < 7 else max(last - 7 * w, w / 8)) for i in range(8)]


def halves_of_octaves():
    """x + 2 in [2, 32), each octave in halves."""
    out = []
    for low in (2, 4, 8, 16):
        for half in (0, 1):
            h = mp.mpf(low) / 4
            out.append((low + half * 2 * h + h - 2, -h, h))
    return out


def around_integers():
    """1 to 8, in the order of the number modulo 8."""
    half = mp.mpf(1) / 2
    return [(mp.mpf(n), mp.mpf(0) if n == 1 else -half, half) for n in (8, 1, 2, 3, 4, 5, 6, 7)]


def erf_inv_ratio(s):
    if s < mp.mpf("1e-20"):
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-s * s))
    return mp.erfinv(x) / x


def ndtri_ratio(s):
    """-ndtri(p) / (1 - 2 p), where s is sqrt(-log(4 p (1 - p)))."""
    if s < 2:
        return mp.sqrt(2) * erf_inv_ratio(s)
    x = mp.sqrt(-mp.expm1(-s * s))
    log_tail = -s * s - mp.log1p(x)  # of 1 - x
    return mp.sqrt(2) * mp.findroot(lambda y: mp.log(mp.erfc(y)) - log_tail, s - mp.log(s) / (2 * s)) / x


erfcx = lambda x: mp.exp(x * x) * mp.erfc(x)
i0e = lambda x: mp.exp(-x) * mp.besseli(0, x)
i1e = lambda x: mp.mpf(1) / 2 if x == 0 else mp.exp(-x) * mp.besseli(1, x) / x


def log_steps(bits):
    """Sixteen steps c of the mantissa from 1 - 9.5 / 32: 1 / c, and log(c) in two parts of which the first has room."""
    mantissa = 52 if bits == 64 else 23
    grid = mp.mpf(2) ** (-42 if bits == 64 else -16)
    inverse, high, low = [], [], []
    position = lambda u: 1 + u / 32 if u < 0 else 1 + u / 16  # in steps from 1
    for i in range(16):
        a, b = position(mp.mpf(i) - mp.mpf("9.5")), position(mp.mpf(i) - mp.mpf("8.5"))
        inv = mp.mpf(1) if a < 1 < b else to_format(2 / (a + b), bits)
        log = -mp.log(inv)
        inverse.append(inv)
        high.append(mp.nint(log / grid) * grid)
        low.append(to_format(log - high[-1], bits))
    tables["log_step", bits] = (len(rows), 6)
    for i, values in enumerate((inverse, high, low)):
        for half in (0, 8):
            rows.append((f"log_step, f{bits}" if i + half == 0 else "", values[half : half + 8]))
    ln2 = mp.log(2)
    first = mp.nint(ln2 / grid) * grid
    print(f"// ln2 of log_step f{bits}: {float(first)!r}, {float(to_format(ln2 - first, bits))!r}")


def two_over_pi():
    """Words W of 32 bits of 2 / pi, two in an entry: of j = 0 to 31 those from j - 2 on in four rows, then from j, ..."""
    digits = 44
    with mp.workprec(32 * digits + 64):
        whole = int(mp.floor(mp.ldexp(2 / mp.pi, 32 * digits)))
    word = lambda k: whole >> 32 * (digits - 1 - k) & 0xFFFFFFFF if k >= 0 else 0
    tables["two_over_pi", 64] = tables["two_over_pi", 32] = (len(rows), 16)
    for i in range(16):
        entries = (word(j) << 32 | word(j + 1) for j in (8 * (i % 4) + c - 2 + 2 * (i // 4) for c in range(8)))
        rows.append(("two_over_pi, bits" if i == 0 else "", [struct.unpack("d", struct.pack("Q", x))[0] for x in entries]))


def plain(name, f, lo, hi, bits, relative=-58, weight=None, first_in_parts=False):
    tolerance, terms = mp.mpf(2) ** (relative if bits == 64 else relative + 29 if relative != -58 else -28), 1
    weight = weight or (lambda t: 1 / f(t))
    while True:
        c = interpolate(f, lo, hi, terms)
        if error(f, weight, c, lo, hi) <= tolerance:
            break
        terms += 1
    if first_in_parts:
        print(f"// what rounding takes from the first: {float(to_format(c[0] - to_format(c[0], bits), bits))!r}")
    print(f"constexpr double {name}{bits}[] = {{{', '.join(repr(float(to_format(x, bits))) for x in c)}}};", flush=True)


for bits in (64, 32):
    ends = (mp.mpf(6), mp.mpf(4)) if bits == 64 else (mp.mpf(4), mp.mpf(4))
    width = "0.8125" if bits == 64 else "0.5625"
    pieces("erf", bits, mp.erf, uniform(width, ends[0]), True, less_one=True)
    pieces("erfcx", bits, erfcx, halves_of_octaves(), True)
    pieces("erf_inv", bits, erf_inv_ratio, uniform(width, mp.mpf("6.06") if bits == 64 else mp.mpf("4.0")), False)
    pieces("lgamma", bits, lambda x: mp.loggamma(x), around_integers(), False)
    pieces("digamma", bits, lambda x: mp.psi(0, x), around_integers(), root=mp.findroot(lambda x: mp.psi(0, x), mp.mpf("1.46")))
    pieces("bessel_i0", bits, i0e, halves_of_octaves(), True)
    pieces("bessel_i1", bits, i1e, halves_of_octaves(), True)
    pieces("ndtri", bits, ndtri_ratio, halves_of_octaves(), True)
    log_steps(bits)
two_over_pi()

constant = mp.log(2 * mp.pi) / 2 - mp.mpf(1) / 2
z = lambda f: (lambda t: f(1 / mp.sqrt(t)))
small = mp.mpf("1e-12")
for bits in (64, 32):
    plain("kStirling", z(lambda x: (mp.loggamma(x) - (x - mp.mpf(1) / 2) * (mp.log(x) - 1) - constant) * x), small, 1 / mp.mpf("8.49") ** 2, bits, -50)
    plain("kDigammaFar", z(lambda x: (mp.log(x) - 1 / (2 * x) - mp.psi(0, x)) * x * x), small, 1 / mp.mpf("8.49") ** 2, bits, -50)
    plain("kErfcxFar", z(lambda x: x * (mp.exp(x * x) * mp.erfc(x) if x < 1000 else (1 - 1 / (2 * x * x) + 3 / (4 * x**4)) / (x * mp.sqrt(mp.pi)))), small, 1 / mp.mpf(28) ** 2, bits, first_in_parts=True)
    for n in (0, 1):
        plain(f"kBesselI{n}Far", lambda t: mp.exp(-1 / t) * mp.besseli(n, 1 / t) / mp.sqrt(t), mp.mpf("1e-3"), 1 / mp.mpf("29.9"), bits, first_in_parts=True)
    plain("kSincPi", lambda t: mp.sin(mp.pi * mp.sqrt(t)) / (mp.pi * mp.sqrt(t)), small, mp.mpf("0.25"), bits)
    absolute = lambda t: mp.mpf(1)
    plain("kCotPi", lambda t: mp.pi * mp.sqrt(t) * mp.cot(mp.pi * mp.sqrt(t)), small, mp.mpf("0.25"), bits, weight=absolute)
    plain("kInverseCbrt", lambda t: 1 / mp.cbrt(t), mp.mpf(1), mp.mpf(2), bits, -14 if bits == 64 else -38)
    # log(1 + r) = r - r^2 / 2 + r^3 P(r)
    plain("kLogStep", lambda r: (mp.log1p(r) - r + r * r / 2) / r**3, mp.mpf("-0.0337"), mp.mpf("0.0341"), bits, -50)


def text(x):
    return repr(float(x))


lines = ["// Made by bench/math_rows.py.", '#include "backends/cpu/kernel/math_rows.h"', "", "#include <bit>", "", "namespace jot::cpu {", "namespace {", "",
         "// clang-format off", "constexpr double kRows[][kRowEntries] = {"]
for comment, row in rows:
    if comment:
        lines.append(f"  // {comment}")
    lines.append("  {" + ", ".join(text(x) for x in row) + "},")
lines += ["};", "// clang-format on", "", "}  // namespace", ""]
camel = lambda name: "k" + "".join(w.capitalize() for w in name.split("_")) + "Rows"
for name in dict.fromkeys(n for n, _ in tables):
    a, b = tables[name, 64], tables[name, 32]
    lines.append(f"const RowsOf {camel(name)} = {{{{{a[0]}, {a[1]}}}, {{{b[0]}, {b[1]}}}}};")
lines += ["", "int num_rows() { return static_cast<int>(std::size(kRows)); }", "", "uint64_t row_bits(KType type, int64_t row, uint64_t entry) {",
          "  const double x = kRows[row][entry % kRowEntries];",
          "  return type == KType::f64 ? std::bit_cast<uint64_t>(x) : std::bit_cast<uint32_t>(static_cast<float>(x));", "}", "", "}  // namespace jot::cpu", ""]
OUT.write_text("\n".join(lines))
