"""What programs that answer a driver share: the twin of bench/measure.h."""
import time

from library import np, toy, uniform, wait


def time_calls(call, calls):
    start = time.perf_counter()
    for _ in range(calls):
        wait(call())
    return time.perf_counter() - start


def group_size(call):
    group = 1
    while time_calls(call, group) < 20e-6 and group < 4096:
        group *= 2
    return group


def sample(call, group, seconds):
    samples, start = [], time.perf_counter()
    while not samples or time.perf_counter() - start < seconds:
        samples.append(time_calls(call, group) / group * 1e6)
    return samples


def fingerprint(results):
    """The twin of that in bench/measure.h."""
    prints, elements = [], 20 if toy else 1000
    for r in results:
        flat = np.asarray(r).astype(np.float64).reshape(-1)
        n = flat.size
        places = ((uniform(98, elements) + 0.5) * n).astype(np.int64) if n > elements else np.arange(n)
        sums = flat.sum(), (flat * uniform(99, n)).sum(), np.abs(flat).sum()
        prints.append([n, *map(float, sums), [float(f"{x:.12g}") for x in flat[places]]])
    return prints
