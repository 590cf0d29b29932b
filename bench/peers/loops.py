"""The workloads with loops: JAX's are lax.scan, lax.fori_loop and lax.while_loop; torch, whose loop functions have not all
transforms, loops in Python."""
from library import *  # noqa: F403: what the contender has of it

if contender == "jax":
    from jax import lax
elif contender.startswith("torch"):
    from torch.utils._pytree import tree_leaves, tree_map


def scan(step, carry, xs, length=None):
    if contender == "jax":
        return lax.scan(step, carry, xs, length)
    ys = []
    for i in range(length or len(tree_leaves(xs)[0])):
        carry, y = step(carry, tree_map(lambda a: a[i], xs))
        ys.append(y)
    return carry, tree_map(lambda *slices: xp.stack(slices), *ys)


def number(x):
    return array(np.array(x, np.float64))


def observe(before, observation, volatility):
    """A chain of Gaussian filters, each of which observes the mean of the one before."""
    after, observed, weight, surprise = {}, observation, number(4.0), 0.0
    for k in range(20):
        mean, precision, drift = before[f"mean{k}"], before[f"precision{k}"], before[f"drift{k}"]
        predicted = mean + drift
        error = observed - predicted
        prior = 1 / (1 / precision + xp.exp(volatility[f"volatility{k}"]))
        posterior = prior + weight
        gain = weight / posterior
        after[f"mean{k}"] = predicted + gain * error
        after[f"precision{k}"] = posterior
        after[f"drift{k}"] = 0.9 * drift + 0.05 * gain * error
        cost = prior * gain * error * error
        surprise = cost - xp.log(prior * gain) if k == 0 else surprise + cost
        observed, weight = after[f"mean{k}"], 0.5 * posterior
    return after, surprise


def scan60():
    observations = array(tensor(1, 7 if toy else 614, dtype=np.float64, scale=4.0))
    start = {f"{name}{k}": number(x) for k in range(20) for name, x in (("mean", 0.0), ("precision", 1.0), ("drift", 0.0))}

    def loss(volatility):
        return scan(lambda nodes, u: observe(nodes, u, volatility), start, observations)[1].sum()

    g = jit(value_and_grad(loss))
    volatility = {f"volatility{k}": number(x - 2) for k, x in enumerate(uniform(2, 20))}

    def call():
        value, slopes = g(volatility)
        return [*(slopes[name] for name in volatility), value]

    return call


def scan33():
    n = 7 if toy else 2000
    d, a = 4.0 + tensor(1, n, dtype=np.float64), 0.5 * np.eye(3) + tensor(4, n, 3, 3, dtype=np.float64)
    p, q = (tensor(seed, n, 3, dtype=np.float64, scale=1.0) for seed in (2, 3))

    def step(f, row):
        d, p, q, a = row
        c = xp.sqrt(d - p @ f @ p)
        along = f @ a.T
        w = (q - p @ along) / c
        return a @ along + xp.outer(w, w), (c, w)

    g = jit(lambda *rows: scan(step, number(np.zeros((3, 3))), rows)[1])
    rows = [array(x) for x in (d, p, q, a)]
    return lambda: list(g(*rows))


def newton():
    cubes = array(2 ** (79 * (uniform(1, 20 if toy else 10_000) - 0.5) - 39.5))

    def going(a, y):
        return abs(y * y * y - a) > 1e-12 * a

    def better(a, y):
        return y - (y * y * y - a) / (3 * y * y)

    def lanes(a):
        y = xp.ones_like(a)
        while (some := going(a, y)).any():
            y = xp.where(some, better(a, y), y)
        return y

    def root(a):
        return lax.while_loop(lambda y: going(a, y), lambda y: better(a, y), 1.0)

    g = jit(vmap(root)) if contender == "jax" else lanes
    return lambda: [g(cubes)]


def foridx(n):
    n = 9 if toy else n

    def body(i, carry, x):
        ys, last = carry
        last = 0.5 * last + xp.sin(x[i])
        return ys.at[i].set(last * last), last

    def loss(x):
        return lax.fori_loop(0, n, lambda i, c: body(i, c, x), (xp.zeros(n), 0.0))[0].sum()

    def loss_of_list(x):  # its writes in place are not differentiated under torch.func
        ys, last = [], 0.0
        for i in range(n):
            last = 0.5 * last + xp.sin(x[i])
            ys.append(last * last)
        return xp.stack(ys).sum()

    g = jit(value_and_grad(loss if contender == "jax" else loss_of_list))
    x = array(tensor(1, n, dtype=np.float64, scale=2.0))
    return lambda: list(g(x))[::-1]


def lorenz_rate(u):
    return xp.stack([10.0 * (u[1] - u[0]), u[0] * (28.0 - u[2]) - u[1], u[0] * u[1] - 8 / 3 * u[2]])


def lorenzjac():
    h = 0.01

    def step(u, _):
        k1 = lorenz_rate(u)
        k2 = lorenz_rate(u + h / 2 * k1)
        k3 = lorenz_rate(u + h / 2 * k2)
        k4 = lorenz_rate(u + h * k3)
        return u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), ()

    g = jit(jacfwd(lambda start: scan(step, start, (), 10 if toy else 1000)[0]))
    start = number([1.0, 2.0, 20.0])
    return lambda: [g(start)]


def ckpt(checkpoints):
    """Of JAX's users who want few states kept: scans of a thousand steps, each recomputed, in a scan."""
    start, weights = number([1.0, 0.5, 0.2]), number([1.0, 2.0, 3.0])

    def loss(goal):
        step = lambda u, _: (u + 0.01 * (goal - u * (u * u).sum()), ())
        if checkpoints and not toy:
            thousand = jax.checkpoint(lambda u, _: scan(step, u, (), 1000))
            last, _ = scan(thousand, start, (), 1000)
        else:
            last, _ = scan(step, start, (), 10 if toy else 1_000_000)
        return (last * weights).sum()

    g = jit(value_and_grad(loss))
    goal = number([0.3, 0.5, 0.7])
    return lambda: list(g(goal))[::-1]


def read_lstm():
    text = (HERE / "../data/lstm_l2_c1024.txt").read_text().split()
    l, c, b = map(int, text[:3])
    v = np.split(np.array(text[3:], dtype=np.float64), np.cumsum([8 * l * b, 3 * b, 2 * l * b]))
    return v[0].reshape(2 * l, 4, b), v[1].reshape(3, b), v[2].reshape(l, 2, b), v[3].reshape(c, b)[: 12 if toy else c]


def lstm():
    main, extra, state, text = (array(x) for x in read_lstm())
    sigmoid = xp.sigmoid if contender.startswith("torch") else jax.nn.sigmoid
    total = lambda x: x.sum(1)[:, None]

    def layer(hidden, cell, x, w, b):
        forget, into = sigmoid(x * w[0] + b[0]), sigmoid(hidden * w[1] + b[1])
        out, change = sigmoid(x * w[2] + b[2]), xp.tanh(hidden * w[3] + b[3])
        cell = cell * forget + into * change
        return out * xp.tanh(cell), cell

    def objective(main, extra):
        def step(before, character):
            x, after = character * extra[0], []
            for i, (hidden, cell) in enumerate(before):
                after.append(layer(hidden, cell, x, main[2 * i], main[2 * i + 1]))
                x = after[-1][0]
            return after, x * extra[1] + extra[2]

        _, predicted = scan(step, [(s[0], s[1]) for s in state], text[:-1])
        return -(text[1:] * (predicted - xp.log(total(xp.exp(predicted)) + 2))).mean()

    g = jit(value_and_grad(objective, argnums=(0, 1)))

    def call():
        value, slopes = g(main, extra)
        return [*slopes, value]

    return call
