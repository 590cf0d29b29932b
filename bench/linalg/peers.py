"""The Python side of the table of linear algebra (linalg.cpp): peers.py jax|torch|torch-compile linalg full. Answers each line of
JSON, a row with `seconds`, by samples and the fingerprint of the results."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'peers'))

from library import array, contender, grad, jacfwd, jit, np, uniform, version, vmapped, xp  # noqa: E402
from protocol import fingerprint, group_size, sample  # noqa: E402

IS_JAX = contender == 'jax'
if IS_JAX:
    from jax.scipy.linalg import solve_triangular
else:
    def solve_triangular(a, b, lower):
        return xp.linalg.solve_triangular(a, b, upper=not lower)


# ---- inputs: the twins of those in linalg.cpp

def uniforms(seed, *shape):
    return 2 * uniform(seed, int(np.prod(shape))).reshape(shape)


def matrices(row):
    n, u = row['n'], uniforms(1, row['batch'], row['n'], row['n'])
    if row['op'] in ('cholesky', 'eigh'):
        return u + u.transpose(0, 2, 1) + (2.0 * n * np.eye(n) if row['op'] == 'cholesky' else 0)
    return u + n * np.roll(np.eye(n), -1, 1)


# ---- the extended Kalman filter of tracks.h

TIME = 0.05


def motion(x):
    p, v, a, rates = x[0:3], x[3:6], x[6:9], x[12:15]
    yaw, pitch, roll = x[9], x[10], x[11]
    ahead = xp.stack([xp.cos(yaw) * xp.cos(pitch), xp.sin(yaw) * xp.cos(pitch), xp.sin(pitch)])
    across = xp.sin(roll) * rates[1] + xp.cos(roll) * rates[2]
    turn = xp.stack([across / xp.cos(pitch), xp.cos(roll) * rates[1] - xp.sin(roll) * rates[2],
                     rates[0] + across * xp.tan(pitch)])
    return xp.concatenate([p + TIME * v + (0.5 * TIME * TIME) * a, v + TIME * (a + 0.5 * ahead), 0.98 * a,
                           x[9:12] + TIME * turn, 0.99 * rates])


def measurement(x):
    level = x[0] * x[0] + x[1] * x[1]
    distance = xp.sqrt(level + x[2] * x[2])
    rate = (x[0] * x[3] + x[1] * x[4] + x[2] * x[5]) / distance
    return xp.stack([distance, xp.arctan2(x[1], x[0]), xp.arctan2(x[2], xp.sqrt(level)), rate, x[9], x[10]])


def step(mean, covariance, measured):
    F, mean = jacfwd(motion)(mean), motion(mean)
    covariance = F @ covariance @ F.T + 1e-3 * array(np.eye(15))
    H = jacfwd(measurement)(mean)
    crossed = H @ covariance
    lower = xp.linalg.cholesky(crossed @ H.T + 1e-2 * array(np.eye(6)))
    half = solve_triangular(lower, crossed, lower=True)
    gain = solve_triangular(lower.T, half, lower=False)
    return mean + gain.T @ (measured - measurement(mean)), covariance - half.T @ half


# ---- rows

def qr(a):
    return tuple(xp.linalg.qr(a))


def svd(a):
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    return s, u, vh


OPS = {
    'cholesky': lambda a: (xp.linalg.cholesky(a),),
    'solve': lambda a, b: (xp.linalg.solve(a, b),),
    'slogdet': lambda a: (xp.linalg.slogdet(a)[1],),
    'qr': qr,
    'eigh': lambda a: tuple(xp.linalg.eigh(a)),
    'svd': svd,
}


def weighed(results):
    return sum((r * r * array(np.arange(np.prod(r.shape), dtype=np.float64).reshape(r.shape)) / float(np.prod(r.shape))).sum()
               for r in results)


def prepared(row):
    if row['op'] == 'ekf':
        x = [uniforms(1, row['batch'], 15) + 3.0 * (np.arange(15) < 3), np.broadcast_to(np.eye(15), (row['batch'], 15, 15)),
             uniforms(2, row['batch'], 6)]
        f = jit(vmapped(step, (0, 0, 0)))
    else:
        x, op = [matrices(row)], OPS[row['op']]
        if row['op'] == 'solve':
            x.append(uniforms(2, row['batch'], row['n'], 1))
        if not row['gradient']:
            f = jit(op)
        elif IS_JAX:
            f = jit(grad(lambda *x: weighed(op(*x)), argnums=tuple(range(len(x)))))
        else:
            x = [array(a).requires_grad_() for a in x]
            f = jit(lambda *x: xp.autograd.grad(weighed(op(*x)), x))
    x = x if not IS_JAX and row['gradient'] else [array(a) for a in x]
    return lambda: f(*x)


def main():
    print(json.dumps({'version': version}), flush=True)
    last = call = group = None
    for line in sys.stdin:
        row = json.loads(line)
        if row['name'] != last:
            call = None
            call, last = prepared(row), row['name']
            call()
            group = group_size(call)
        samples, results = sample(call, group, row['seconds']), call()
        if not IS_JAX:
            results = [r.detach() for r in results]
        print(json.dumps({'samples': samples, 'fingerprint': fingerprint(results[:row['compared']])}), flush=True)


main()
