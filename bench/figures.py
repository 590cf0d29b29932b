"""What is made of samples: medians, ratios, agreement, regressions."""
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
    """Whether two fingerprints are of equal results: for each array its size, sum, weighted sum and sum of magnitudes."""
    if len(a) != len(b):
        return False
    for (n, *sums), (m, *others) in zip(a, b):
        scale = max(sums[-1], others[-1], 1e-300)
        if n != m or not all(abs(s - o) <= tolerance * scale for s, o in zip(sums, others)):
            return False
    return True


def compare(new, old):
    """Lines about rows of jot that became slower than the noise. What the peers, whose code did not change, gained or
    lost meanwhile is the machine's doing and taken out."""
    before = {(r['workload'], r['contender']): r for r in old if 'steady_us' in r}
    pairs = [(before[key], r) for r in new if 'steady_us' in r and (key := (r['workload'], r['contender'])) in before]
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
