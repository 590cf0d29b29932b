"""A contender of another library: worker.py CONTENDER WORKLOAD full|toy. Speaks the protocol of bench/worker.cpp.

Each workload has the name and meaning of its twin in bench/jot_workloads.cpp, jot_loops.cpp or jot_programs.cpp and is written the way the library's own
documentation recommends.
"""
import json
import sys
import time

import loops
import programs
from library import *  # noqa: F403: what the contender has of it
from protocol import fingerprint, group_size, sample


def read_ba():
    text = (HERE / "../../docs/examples/data/ba1_n49_m7776_p31843.txt").read_text().split()
    n, m, p = map(int, text[:3])
    v = np.array(text[3:], dtype=np.float64)
    p = 20 if toy else p
    i = np.arange(p)
    return (np.tile(v[:11], (n, 1)), np.tile(v[11:14], (m, 1)), np.full(p, v[14]), np.tile(v[15:17], (p, 1)), i % n, i % m)


def read_gmm(name):
    text = (HERE / "../data" / name).read_text().split()
    d, k, n = map(int, text[:3])
    v = iter(np.split(np.array(text[3:], dtype=np.float64), np.cumsum([k, k * d, k * (d * (d + 1) // 2), n * d])))
    alphas, means, factors, x = next(v), next(v).reshape(k, d), next(v).reshape(k, -1), next(v).reshape(n, d)
    gamma, m = next(v)[:2]
    return alphas, means, factors, x[:5] if toy else x, float(gamma), float(m)


def lower_positions(d):
    position, following = np.full((d, d), d * (d - 1) // 2), 0
    for column in range(d):
        for row in range(column + 1, d):
            position[row, column] = following
            following += 1
    return position.reshape(-1)


# ---- workloads: each gives a function of no arguments that returns a list of arrays

def lin33():
    W, b, x = array(tensor(1, 3, 3)), array(tensor(2, 3)), array(tensor(3, 3))
    g = jit(jacrev(lambda v: W @ v + b))
    return lambda: [g(x)]


def lin33t():
    W, b, x = array(tensor(1, 3, 3)), array(tensor(2, 3)), array(tensor(3, 3))
    g = jit(jacrev(lambda v: xp.tanh(W @ v + b)))
    return lambda: [g(x)]


def elem():
    x = array(tensor(1, 1000 if toy else 10_000_000))
    g = jit(vmap(grad(lambda v: xp.sin(v) * xp.exp(-v * v) + xp.tanh(v))))
    return lambda: [g(x)]


def elemchain():
    x = array(tensor(1, 1000 if toy else 10_000_000))

    def f(v):
        y = v
        for _ in range(8):
            y = y * v + 0.5
        return y

    g = jit(f)
    return lambda: [g(x)]


def stream():
    n = 1000 if toy else 20_000_000
    a, b = array(tensor(1, n, dtype=np.float64)), array(tensor(2, n, dtype=np.float64))
    g = jit(lambda x, y: x + 3.0 * y)
    return lambda: [g(a, b)]


def jacsin4000():
    x = array(tensor(1, 40 if toy else 4000))
    g = jit(jacrev(lambda v: xp.sin(v) * v))
    return lambda: [g(x)]


def layers(*widths):
    return [(array(tensor(10 + 2 * i, o, n)), array(tensor(11 + 2 * i, o))) for i, (n, o) in enumerate(zip(widths, widths[1:]))]


def mlp(net, x):
    for w, b in net[:-1]:
        x = xp.tanh(w @ x + b)
    w, b = net[-1]
    return w @ x + b


def mlpjac():
    net = layers(4, 5, 5, 3) if toy else layers(64, 256, 256, 32)
    x = array(tensor(1, 3 if toy else 256, 4 if toy else 64))
    g = jit(vmap(jacrev(lambda v: mlp(net, v))))
    return lambda: [g(x)]


def psgrad():
    net = layers(4, 5, 5, 3) if toy else layers(64, 128, 128, 10)
    batch = 3 if toy else 512
    x, y = array(tensor(1, batch, 4 if toy else 64)), array(tensor(2, batch, 3 if toy else 10))

    def loss(net, x, y):
        difference = mlp(net, x) - y
        return (difference * difference).sum()

    g = jit(vmapped(grad(loss), (None, 0, 0)))
    return lambda: [leaf for pair in g(net, x, y) for leaf in pair]


def mlphess():
    net = layers(4, 5, 5, 1) if toy else layers(32, 64, 64, 1)
    x = array(tensor(1, 3 if toy else 256, 4 if toy else 32))
    g = jit(vmap(hessian(lambda v: mlp(net, v)[0])))
    return lambda: [g(x)]


def hesslog():
    n, d = (8, 4) if toy else (512, 64)
    A, y, w = array(tensor(1, n, d)), array(tensor(2, n)), array(tensor(3, d))
    g = jit(hessian(lambda w: xp.log(1 + xp.exp(-(A @ w) * y)).mean()))
    return lambda: [g(w)]


def softattn():
    shape = (2, 5, 4) if toy else (8, 128, 64)
    arguments = [array(tensor(seed, *shape)) for seed in (1, 2, 3)]

    def loss(q, k, v):
        out = softmax(q @ k.swapaxes(-1, -2) / 8) @ v
        return (out * out).sum()

    g = jit(grad(loss, argnums=(0, 1, 2)))
    return lambda: list(g(*arguments))


def lorenz_rate(u, stack):
    return stack([10.0 * (u[1] - u[0]), u[0] * (28.0 - u[2]) - u[1], u[0] * u[1] - 8 / 3 * u[2]])


def lorenz_steps(u, stack):
    h = 0.01
    for _ in range(4):
        k1 = lorenz_rate(u, stack)
        k2 = lorenz_rate(u + h / 2 * k1, stack)
        k3 = lorenz_rate(u + h / 2 * k2, stack)
        k4 = lorenz_rate(u + h * k3, stack)
        u = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return u


def lorenz():
    x = tensor(1, 10 if toy else 10_000, 3, dtype=np.float64, scale=2.0)
    if contender.startswith("casadi"):
        def symbolic():
            u = ca.SX.sym("u", 3)
            J = ca.jacobian(lorenz_steps(u, lambda l: ca.vertcat(*l)), u)
            return [u], [ca.reshape(J.T, 9, 1)]

        return casadi_map(symbolic, [x], [(3, 3)])
    x = array(x)
    g = jit(vmap(jacfwd(lambda u: lorenz_steps(u, xp.stack))))
    return lambda: [g(x)]


def project(camera, X, stack):
    rotation, centre, focal, principal, k1, k2 = camera[0:3], camera[3:6], camera[6], camera[7:9], camera[9], camera[10]
    Y = X - centre
    angle = xp.sqrt((rotation * rotation).sum())
    c, s, axis = xp.cos(angle), xp.sin(angle), rotation / angle
    cross = stack([axis[1] * Y[2] - axis[2] * Y[1], axis[2] * Y[0] - axis[0] * Y[2], axis[0] * Y[1] - axis[1] * Y[0]])
    seen = Y * c + cross * s + axis * ((axis * Y).sum() * (1 - c))
    p = seen[:2] / seen[2]
    r2 = (p * p).sum()
    return p * (1 + k1 * r2 + k2 * r2 * r2) * focal + principal


def ba():
    cameras, points, weights, features, ci, pi = read_ba()
    if contender.startswith("casadi"):
        def symbolic():
            c, X, w, f = ca.SX.sym("c", 11), ca.SX.sym("X", 3), ca.SX.sym("w"), ca.SX.sym("f", 2)
            Y, angle = X - c[3:6], ca.sqrt(ca.sumsqr(c[0:3]))
            axis = c[0:3] / angle
            seen = Y * ca.cos(angle) + ca.cross(axis, Y) * ca.sin(angle) + axis * (ca.dot(axis, Y) * (1 - ca.cos(angle)))
            p = seen[:2] / seen[2]
            r2 = ca.sumsqr(p)
            r = w * (p * (1 + c[9] * r2 + c[10] * r2 * r2) * c[6] + c[7:9] - f)
            return [c, X, w, f], [ca.reshape(ca.jacobian(r, v).T, -1, 1) for v in (c, X, w)]

        inputs = [cameras[ci], points[pi], weights[:, None], features]
        return casadi_map(symbolic, inputs, [(2, 11), (2, 3), (2,)])
    data = [array(a) for a in (cameras, points, weights, features, ci, pi)]
    residual = lambda camera, X, w, f: w * (project(camera, X, xp.stack) - f)
    blocks = jacrev(residual, argnums=(0, 1, 2))
    g = jit(lambda cameras, points, w, f, ci, pi: vmap(blocks)(cameras[ci], points[pi], w, f))
    return lambda: list(g(*data))


def casadi_call(build, arguments, finish):
    """Like a jitted function: what `build` makes is made by the first call."""
    made = None

    def call():
        nonlocal made
        made = made or build()
        out = made(*arguments)
        return list(out) if isinstance(out, tuple) else [out]

    call.finish = finish
    return call


def casadi_function(symbols, outputs):
    """casadi-gcc compiles its generated C."""
    flags = {"jit": True, "compiler": "shell", "jit_options": {"flags": ["-O3", "-march=native"], "compiler": "gcc"}}
    return ca.Function("f", symbols, outputs, flags if contender == "casadi-gcc" else {})


def casadi_map(symbolic, inputs, shapes):
    """One CasADi function over all rows; `symbolic` gives its symbols and outputs."""
    rows = len(inputs[0])

    def build():
        f = casadi_function(*symbolic())
        return f.map(rows, "thread", threads) if threads > 1 else f.map(rows)

    columns = [ca.DM(np.ascontiguousarray(a.T)) for a in inputs]
    return casadi_call(build, columns, lambda out: [np.array(o).T.reshape((-1,) + s) for o, s in zip(out, shapes)])


def gmm(name):
    alphas, means, factors, x, gamma, m = read_gmm(name)
    k, d, n = *means.shape, x.shape[0]
    positions, x = array(lower_positions(d)), array(x)
    concatenate = xp.cat if contender.startswith("torch") else xp.concatenate

    def objective(alphas, means, factors):
        log_diagonal, lower = factors[:, :d], factors[:, d:]
        diagonal, sums = xp.exp(log_diagonal), log_diagonal.sum(1)
        L = concatenate([lower, xp.zeros((k, 1), dtype=lower.dtype)], 1)[:, positions].reshape(k, d, d)
        centred = x[None] - means[:, None]
        Qx = diagonal[:, None] * centred + centred @ L.swapaxes(1, 2)
        inner = (alphas + sums)[:, None] - 0.5 * (Qx * Qx).sum(2)
        return (lse(inner, 0).sum() - n * lse(alphas, 0)
                + 0.5 * gamma**2 * ((diagonal * diagonal).sum() + (lower * lower).sum()) - m * sums.sum())

    arguments = [array(a) for a in (alphas, means, factors)]
    g = jit(grad(objective, argnums=(0, 1, 2)))
    return lambda: list(g(*arguments))


def read_hand():
    fields = lambda name: [line.split(":") for line in (HERE / "../data/hand" / name).read_text().split()]
    bones, vertices = fields("bones.txt"), fields("vertices.txt")
    matrices = lambda first: np.array([[float(x) for x in b[first:first + 16]] for b in bones]).reshape(-1, 4, 4)
    numbers = (HERE / "../data/hand1_t26_c100.txt").read_text().split()
    n = int(numbers[0])
    points = np.array(numbers[2:2 + 4 * n], np.float64).reshape(n, 4)
    weights, places = np.zeros((n, len(bones))), np.ones((n, 4))
    for i in range(n):
        v = vertices[int(points[i, 0])]
        places[i, :3] = [float(x) for x in v[:3]]
        for k in range(int(v[8])):
            weights[i, int(v[9 + 2 * k])] = float(v[10 + 2 * k])
    theta = np.array(numbers[2 + 4 * n:], np.float64)
    return [int(b[1]) for b in bones], matrices(2), matrices(18), places, weights, points[:, 1:], theta


def hand1():
    parents, *rest, theta = read_hand()
    relatives, inverses, vertices, weights, points = (array(x) for x in rest)
    concatenate = xp.cat if contender.startswith("torch") else xp.concatenate
    one, zero, unit = array(np.ones(())), array(np.zeros(())), array(np.eye(3))
    matrix = lambda *rows: xp.stack([xp.stack(row) for row in rows])

    def euler(angles):
        c, s = xp.cos(angles), xp.sin(angles)
        X = matrix([one, zero, zero], [zero, c[0], -s[0]], [zero, s[0], c[0]])
        Y = matrix([c[2], zero, s[2]], [zero, one, zero], [-s[2], zero, c[2]])
        Z = matrix([c[1], -s[1], zero], [s[1], c[1], zero], [zero, zero, one])
        return Z @ (Y @ X)

    def about_axis(v):
        angle = xp.sqrt((v * v).sum())
        axis = v / angle
        K = matrix([zero, -axis[2], axis[1]], [axis[2], zero, -axis[0]], [-axis[1], axis[0], zero])
        return unit * xp.cos(angle) + xp.sin(angle) * K + (1 - xp.cos(angle)) * (axis[:, None] * axis[None])

    def residuals(theta):
        angles = [zero] * (3 * len(parents))
        for finger in range(5):
            at, first = 3 * (2 + 4 * finger), 6 + 4 * finger
            angles[at], angles[at + 1] = theta[first], theta[first + 1]
            angles[at + 3], angles[at + 6] = theta[first + 2], theta[first + 3]
        R = vmap(euler)(xp.stack(angles).reshape(-1, 3))
        turned = concatenate([relatives[:, :, :3] @ R, relatives[:, :, 3:]], 2)
        absolutes = []
        for bone, parent in enumerate(parents):
            absolutes.append(turned[bone] if parent < 0 else absolutes[parent] @ turned[bone])
        transforms = (xp.stack(absolutes) @ inverses)[:, :3]
        carried = (weights @ transforms.reshape(-1, 12)).reshape(-1, 3, 4)
        places = (carried * vertices[:, None]).sum(2)
        return (points - (places @ about_axis(theta[:3]).T + theta[3:6])).reshape(-1)

    theta = array(theta)
    g = jit(jacfwd(residuals))
    return lambda: [g(theta)]


def gemm(dtype, n):
    n = 8 if toy else n
    kind = np.float32 if dtype == "f32" else np.float64
    a, b = array(tensor(1, n, n, dtype=kind)), array(tensor(2, n, n, dtype=kind))
    g = jit(lambda x, y: x @ y)
    return lambda: [g(a, b)]


def chain_sum(x, steps, sin):
    a, b = x[0], x[1]
    total = b
    for _ in range(steps):
        a, b = b, sin(a * b + 1)
        total = total + b
    return total


def chain(steps):
    steps = 10 if toy else steps
    if contender.startswith("casadi"):
        def build():
            x = ca.SX.sym("x", 2)
            return casadi_function([x], [ca.gradient(chain_sum(x, steps, ca.sin), x)])

        return casadi_call(build, [[0.3, 0.4]], lambda out: [np.array(out[0]).reshape(2)])
    x = array(np.array([0.3, 0.4]))

    g = jit(grad(lambda v: chain_sum(v, steps, xp.sin)))
    return lambda: [g(x)]


def find(name):
    kind, *rest = name.split("-")
    if kind == "gemm":
        return lambda: gemm(rest[0], int(rest[1]))
    if kind == "chain":
        return lambda: chain(int(rest[0]))
    if kind in ("gmm10", "gmm64"):
        return lambda: gmm(f"gmm_d{kind[3:]}_K25.txt")
    if kind in ("foridx", "ckpt"):
        return lambda: getattr(loops, kind)(int(rest[0]))
    return globals().get(name) or getattr(loops, name, None) or getattr(programs, name)


def main():
    before = peak_mb()
    if not contender.startswith("casadi"):  # what a process does once is not compilation
        wait(jit(grad(lambda x: (x * x).sum()))(array(np.ones(3, np.float32))))
    call = find(workload)()
    start = time.perf_counter()
    results = wait(call())
    first = time.perf_counter() - start
    group = group_size(call)
    steady = sorted(sample(call, group, 0 if toy else 0.2))
    compile_ms, peak = max(0.0, first * 1e3 - steady[len(steady) // 2] / 1e3), peak_mb() - before
    results = call.finish(results) if hasattr(call, "finish") else results
    print(json.dumps({"compile_ms": compile_ms, "peak_mb": peak, "fingerprint": fingerprint(results), "version": version}),
          flush=True)
    for line in sys.stdin:
        print(json.dumps(sample(call, group, float(line))), flush=True)


main()
