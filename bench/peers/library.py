"""The library that the contender is made of, under the names that the workloads use, and their inputs."""
import os
import pathlib
import sys

contender, workload, size = sys.argv[1:4]
toy = size == "toy"
threads = int(os.environ.get("BENCH_THREADS", "0")) or os.cpu_count()
if threads == 1:
    # NPROC is what XLA takes for the number of processors: its flags alone leave products on all of them.
    os.environ.update(OMP_NUM_THREADS="1", NPROC="1", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")

import numpy as np  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def uniform(seed, count):
    """The twin of bench::uniform."""
    with np.errstate(over="ignore"):
        i = np.arange(1, count + 1, dtype=np.uint64)
        z = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + i * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53 - 0.5


def tensor(seed, *shape, dtype=np.float32, scale=0.2):
    return (scale * uniform(seed, int(np.prod(shape)))).reshape(shape).astype(dtype)


def peak_mb():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


# ---- the libraries: what they call things

if contender == "jax":
    import jax
    import jax.numpy as xp

    jax.config.update("jax_enable_x64", True)
    jit, vmap, grad, jacrev, jacfwd, hessian = jax.jit, jax.vmap, jax.grad, jax.jacrev, jax.jacfwd, jax.hessian
    array, wait = xp.asarray, jax.block_until_ready
    lse, softmax = jax.scipy.special.logsumexp, jax.nn.softmax
    value_and_grad = jax.value_and_grad
    version = jax.__version__
elif contender.startswith("torch"):
    import torch as xp
    from torch.func import grad, grad_and_value, hessian, jacfwd, jacrev, vmap

    xp.set_num_threads(threads)
    jit = xp.compile if contender == "torch-compile" else (lambda f: f)
    array, wait = (lambda a: xp.as_tensor(np.ascontiguousarray(a))), (lambda x: x)
    lse, softmax = xp.logsumexp, lambda a: xp.softmax(a, -1)
    version = xp.__version__

    def value_and_grad(f, argnums=0):
        g = grad_and_value(f, argnums=argnums)
        return lambda *args: g(*args)[::-1]

elif contender == "mlx":
    from importlib.metadata import version as version_of

    import mlx.core as xp

    xp.set_default_device(xp.cpu)
    jit, vmap, grad, lse, softmax = xp.compile, xp.vmap, xp.grad, xp.logsumexp, lambda a: xp.softmax(a, -1)
    version = version_of("mlx")

    def array(a):
        return xp.array(a, dtype=xp.float64) if a.dtype == np.float64 else xp.array(a)

    def wait(x):
        xp.eval(x)
        return x

    # What its documentation gives for jacobians: vmap of vjp or jvp over a basis.
    def jacrev(f, argnums=0):
        def jacobian(*args):
            chosen = [argnums] if isinstance(argnums, int) else list(argnums)

            def g(*some):
                full = list(args)
                for i, value in zip(chosen, some):
                    full[i] = value
                return f(*full)

            primals, out = [args[i] for i in chosen], f(*args)
            basis = xp.eye(out.size, dtype=out.dtype).reshape(out.size, *out.shape)
            rows = vmap(lambda cotangent: xp.vjp(g, primals, [cotangent])[1])(basis)
            blocks = [r.reshape(*out.shape, *p.shape) for r, p in zip(rows, primals)]
            return blocks[0] if isinstance(argnums, int) else blocks

        return jacobian

    def jacfwd(f):
        def jacobian(x):
            basis = xp.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)
            return vmap(lambda tangent: xp.jvp(f, [x], [tangent])[1][0], out_axes=-1)(basis)

        return jacobian

    def hessian(f):
        return jacfwd(grad(f))

elif contender.startswith("casadi"):
    import casadi as ca

    version, wait = ca.__version__, lambda x: x


def vmapped(f, axes):
    return vmap(f, axes) if contender == "jax" or contender == "mlx" else vmap(f, in_dims=axes)
