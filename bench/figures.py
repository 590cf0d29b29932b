"""What is made of samples: medians, ratios, agreement, regressions."""
import math
import statistics


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method='inclusive')
    return low, high


def summary(samples):
    """Median, and the distance of the quartiles as a part of it."""
    median = statistics.median(samples)
    low, high = quartiles(samples)
    return median, (high - low) / median


def ratio(ours, theirs):
    """How many times ours theirs takes: the median of the ratios round by round."""
    return statistics.median(t / o for o, t in zip(ours, theirs))


def agree(a, b, tolerance):
    """Whether two fingerprints are of equal results. For each array: its size; its sum, weighted sum and sum of
    magnitudes, all within the tolerance times the last; elements, within the tolerance times the largest of them."""

    def close(some, others, scale):
        return len(some) == len(others) and all(abs(s - o) <= tolerance * scale for s, o in zip(some, others))

    if len(a) != len(b):
        return False
    for (n, *sums, elements), (m, *other_sums, others) in zip(a, b):
        if n != m or not all(map(math.isfinite, [*sums, *other_sums, *elements, *others])):
            return False
        largest = max(map(abs, elements + others), default=0)
        if not (close(sums, other_sums, max(sums[-1], other_sums[-1])) and close(elements, others, largest)):
            return False
    return True


def witnessed(prints, tolerance):
    """{contender: whether its result is another's too} of {contender: fingerprint}. All are held against the contender
    beside jot that most others agree with; of one library, on one thread or more, one does not speak for the other.
    {} where there is nothing to compare."""

    def agreeing(name):
        return [other for other, p in prints.items() if agree(p, prints[name], tolerance(other))]

    def witnesses(name):
        return [other for other in agreeing(name) if other.removesuffix('-1t') != name.removesuffix('-1t')]

    peers = [name for name in prints if not name.startswith('jot')]
    if not peers or len({name.removesuffix('-1t') for name in prints}) < 2:
        return {}
    reference = max(peers, key=lambda name: len(witnesses(name)))
    found = agreeing(reference) if witnesses(reference) else []
    return {name: name in found for name in prints}


def counted(rows, key='steady_us'):
    """The rows that have this figure and no other result than the rest."""
    return [r for r in rows if key in r and r.get('agrees') is not False]


def compare(new, old):
    """Lines about rows of jot that became slower than the noise. What the peers, whose code did not change, gained or
    lost meanwhile is the machine's doing and taken out."""
    before = {(r['workload'], r['contender']): r for r in counted(old)}
    pairs = [(before[key], r) for r in counted(new) if (key := (r['workload'], r['contender'])) in before]
    drifts = [r['steady_us'] / o['steady_us'] for o, r in pairs if not r['contender'].startswith('jot')
              and r.get('version') == o.get('version')]
    drift = statistics.median(drifts) if drifts else 1.0
    yield f'compared {len(pairs)} rows; {len(drifts)} of peers, which took {drift:.3g} times as long as before'
    for o, r in pairs:
        if not r['contender'].startswith('jot'):
            continue
        name = f'{r["workload"]} {r["contender"]}'
        steady = r['steady_us'] / o['steady_us'] / drift
        if steady > 1 + max(0.05, r['spread'] + o['spread']):
            yield f'slower: {name}: {o["steady_us"]:.4g} -> {r["steady_us"]:.4g} us'
        if r['compile_ms'] > 1.5 * drift * o['compile_ms'] + 1:  # one sample each, so a wide margin
            yield f'compiles slower: {name}: {o["compile_ms"]:.4g} -> {r["compile_ms"]:.4g} ms'
        if r['peak_mb'] > 1.2 * o['peak_mb'] + 4:
            yield f'needs more memory: {name}: {o["peak_mb"]:.4g} -> {r["peak_mb"]:.4g} MB'
