"""SVG charts of benchmark rows: how many times slower each peer is, and compilation against graph size."""
import math

import figures

COLOURS = {"jax": "#4477aa", "torch": "#ee6677", "torch-compile": "#cc3311", "casadi": "#228833", "casadi-gcc": "#66cc88",
           "mlx": "#aa3377", "ceres": "#ccbb44", "eigen-autodiff": "#bbbbbb", "direct": "#66ccee", "jot": "#000000",
           "adbench-manual": "#882255", "adbench-eigen": "#ddaa33", "adbench-tapenade": "#999933"}


def colour(name):
    return COLOURS.get(name.removesuffix("-1t"), "#777777")


def svg(width, height, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
            f'font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(body)}</svg>\n')


def text(x, y, s, anchor="start", fill="black"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{s}</text>'


def line(x0, y0, x1, y1, stroke="#dddddd", width=1):
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{stroke}" stroke-width="{width}"/>'


def legend(names, x, y):
    return [s for i, n in enumerate(names)
            for s in (f'<circle cx="{x}" cy="{y + 18 * i - 4}" r="5" fill="{colour(n)}"/>', text(x + 10, y + 18 * i, n))]


def ratio_chart(rows):
    """A line a workload, a dot a peer: its time over jot's, on a logarithmic axis."""
    rows = figures.counted(rows, "ratio")
    workloads = list(dict.fromkeys(r["workload"] for r in rows))
    if not workloads:
        return None
    low = min(0.5, min(r["ratio"] for r in rows)) / 1.2
    high = max(10, max(r["ratio"] for r in rows)) * 1.2
    left, right, row_height, top = 130, 640, 22, 40
    bottom = top + row_height * len(workloads)

    def x(ratio):
        return left + (right - left) * math.log(ratio / low) / math.log(high / low)

    body = [text(left, 20, "time of a steady call over jot's (right of 1: jot is faster)")]
    for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for tick in (m * 10.0**e for m in (1, 2, 5)):
            if low < tick < high:
                body += [line(x(tick), top - 8, x(tick), bottom), text(x(tick), bottom + 16, f"{tick:g}", "middle")]
    body.append(line(x(1), top - 8, x(1), bottom, "black"))
    for i, w in enumerate(workloads):
        y = top + row_height * i + 8
        body += [text(left - 8, y + 4, w, "end"), line(left, y, right, y)]
        body += [f'<circle cx="{x(r["ratio"]):.1f}" cy="{y}" r="5" fill="{colour(r["contender"])}"/>'
                 for r in rows if r["workload"] == w]
    body += legend(list(dict.fromkeys(r["contender"] for r in rows)), right + 20, top + 8)
    return svg(right + 160, bottom + 30, body)


def scaling_chart(rows):
    """Compilation time of the chain's gradient against its steps, both axes logarithmic."""
    points = {}
    for r in figures.counted(rows, "compile_ms"):
        if r["workload"].startswith("chain-") and r["compile_ms"] > 0 and not r["contender"].endswith("-1t"):
            points.setdefault(r["contender"], []).append((int(r["workload"][6:]), r["compile_ms"]))
    if not points:
        return None
    steps = [s for p in points.values() for s, _ in p]
    times = [t for p in points.values() for _, t in p]
    low, high = min(times) / 2, max(times) * 2
    left, right, top, bottom = 70, 560, 40, 360

    def x(s):
        return left + (right - left) * math.log(s / min(steps)) / max(math.log(max(steps) / min(steps)), 1e-9)

    def y(t):
        return bottom - (bottom - top) * math.log(t / low) / math.log(high / low)

    body = [text(left, 20, "compilation of the gradient of a scalar chain, milliseconds against steps")]
    for s in sorted(set(steps)):
        body += [line(x(s), top, x(s), bottom), text(x(s), bottom + 16, f"{s:,}", "middle")]
    for e in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1):
        body += [line(left, y(10**e), right, y(10**e)), text(left - 6, y(10**e) + 4, f"{10.0 ** e:g}", "end")]
    for name, series in points.items():
        series.sort()
        body += [line(x(a), y(s), x(b), y(t), colour(name), 2) for (a, s), (b, t) in zip(series, series[1:])]
        body += [f'<circle cx="{x(s):.1f}" cy="{y(t):.1f}" r="4" fill="{colour(name)}"/>' for s, t in series]
    return svg(right + 150, bottom + 30, body + legend(list(points), right + 20, top + 8))


def write(rows, folder):
    """{title: file} of the charts that the rows allow."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for title, name, chart in (('ratios', 'ratios.svg', ratio_chart(rows)), ('scaling', 'scaling.svg', scaling_chart(rows))):
        if chart:
            made[title] = folder / name
            made[title].write_text(chart)
    return made
