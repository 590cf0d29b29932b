"""The programs of docs/examples/programs, at the sizes of torch's tutorials: the twins of bench/jot_programs.cpp.
Parameters are dictionaries, which torch's functional_call and flax's apply take, too, and cost less as they are."""
from library import *  # noqa: F403: what the contender has of it

if contender == "jax":
    from jax import lax

    relu, tree_map = jax.nn.relu, jax.tree.map

    def conv2d(x, p, name):
        """x [channels, height, width]."""
        out = lax.conv_general_dilated(x[None], p[f"{name}.weight"], (1, 1), "VALID")[0]
        return out + p[f"{name}.bias"][:, None, None]

    def max_pool2d(x):
        c, h, w = x.shape
        return x.reshape(c, h // 2, 2, w // 2, 2).max((2, 4))

    def cross_entropy(scores, label):
        return -jax.nn.log_softmax(scores)[label]

    def log_abs_det(m):
        return xp.linalg.slogdet(m)[1]

    def affine(x, weight, bias):
        return x @ weight.T + bias

    einsum, stack, jvp, vjp = xp.einsum, xp.stack, jax.jvp, jax.vjp
elif contender.startswith("torch"):
    from torch.func import jvp, vjp
    from torch.nn import functional as F
    from torch.utils._pytree import tree_map

    relu, einsum, stack, affine = xp.relu, xp.einsum, xp.stack, F.linear

    def conv2d(x, p, name):
        return F.conv2d(x[None], p[f"{name}.weight"], p[f"{name}.bias"])[0]

    def max_pool2d(x):
        return F.max_pool2d(x[None], 2)[0]

    def cross_entropy(scores, label):
        return F.cross_entropy(scores[None], label[None])

    def log_abs_det(m):
        return xp.linalg.slogdet(m)[1]


def filled(shapes, seed, scale=0.2, lanes=()):
    """Parameters of these shapes, in front of them the dims `lanes`; each a stream of its own."""
    return {name: array(tensor(seed + i, *lanes, *shape, scale=scale)) for i, (name, shape) in enumerate(sorted(shapes.items()))}


def in_order(params):
    return [params[name] for name in sorted(params)]


def linear(x, p, name):
    return affine(x, p[f"{name}.weight"], p[f"{name}.bias"])


def mlp_shapes(inputs, hidden, out):
    widths = {"fc1": (hidden, inputs), "fc2": (hidden, hidden), "fc3": (out, hidden)}
    return {f"{name}.{part}": shape for name, w in widths.items() for part, shape in (("weight", w), ("bias", w[:1]))}


def mlp(p, x):
    return linear(relu(linear(relu(linear(x, p, "fc1")), p, "fc2")), p, "fc3")


def inputs(seed, *shape):
    return array(tensor(seed, *shape, scale=2.0))


def squared(x):
    return (x * x).mean()


# ---- workloads: each gives a function of no arguments that returns a list of arrays

def conv_net(p, image):
    x = max_pool2d(relu(conv2d(relu(conv2d(image, p, "conv1")), p, "conv2")))
    return linear(relu(linear(x.reshape(-1), p, "fc1")), p, "fc2")


def psgconv():
    batch = 2 if toy else 64
    params = filled({"conv1.weight": (32, 1, 3, 3), "conv1.bias": (32,), "conv2.weight": (64, 32, 3, 3), "conv2.bias": (64,),
                     "fc1.weight": (128, 9216), "fc1.bias": (128,), "fc2.weight": (10, 128), "fc2.bias": (10,)}, 10)

    def clipped(p, image, label):
        gradient = grad(lambda q: cross_entropy(conv_net(q, image), label))(p)
        factor = (1.0 / (xp.sqrt(sum((g * g).sum() for g in gradient.values())) + 1e-6)).clip(max=1)
        return {name: g * factor for name, g in gradient.items()}

    each = vmapped(clipped, (None, 0, 0))
    g = jit(lambda p, images, labels: {name: one.sum(0) for name, one in each(p, images, labels).items()})
    images, labels = inputs(1, batch, 1, 28, 28), array(np.arange(batch) % 10)
    return lambda: in_order(g(params, images, labels))


def ensemble():
    params = filled(mlp_shapes(12, 8, 3) if toy else mlp_shapes(784, 128, 10), 10, lanes=(3 if toy else 10,))
    x = inputs(1, 4, 12) if toy else inputs(1, 64, 784)
    g = jit(vmapped(mlp, (0, None)))
    return lambda: [g(params, x)]


def maml():
    params = filled(mlp_shapes(1, 6 if toy else 40, 1), 10, 1.0)
    tasks = [inputs(seed, 3 if toy else 25, 5, 1) for seed in (1, 2, 3, 4)]

    def meta_loss(params, *tasks):
        def of_one(x, y, x_test, y_test):
            gradient = grad(lambda p: squared(mlp(p, x) - y))(params)
            adapted = {name: p - 0.1 * gradient[name] for name, p in params.items()}
            return squared(mlp(adapted, x_test) - y_test)

        return vmapped(of_one, (0, 0, 0, 0))(*tasks).mean()

    g = jit(grad(meta_loss))
    return lambda: in_order(g(params, *tasks))


def kernel_net(p, image):
    x = relu(conv2d(relu(conv2d(relu(conv2d(image, p, "conv1")), p, "conv2")), p, "conv3"))
    return linear(x.reshape(-1), p, "fc")


def ntk(kernel):
    params = filled({"conv1.weight": (32, 3, 3, 3), "conv1.bias": (32,), "conv2.weight": (32, 32, 3, 3), "conv2.bias": (32,),
                     "conv3.weight": (32, 32, 3, 3), "conv3.bias": (32,), "fc.weight": (10, 21632), "fc.bias": (10,)}, 10)
    x1, x2 = inputs(1, 2 if toy else 20, 3, 32, 32), inputs(2, 1 if toy else 5, 3, 32, 32)
    g = jit(kernel)
    return lambda: [g(params, x1, x2)]


def ntkjac():
    jacobians = vmapped(jacrev(kernel_net), (None, 0))

    def kernel(params, x1, x2):
        j1, j2 = jacobians(params, x1), jacobians(params, x2)
        flat = lambda j: j.reshape(*j.shape[:2], -1)
        return sum(einsum("naf,mbf->nmab", flat(j1[name]), flat(j2[name])) for name in j1)

    return ntk(kernel)


def ntkprod():
    def kernel(params, x1, x2):
        def of_pair(a, b):
            out, pullback = vjp(lambda p: kernel_net(p, b), params)
            column = lambda unit: jvp(lambda p: kernel_net(p, a), (params,), (pullback(unit)[0],))[1]
            return vmap(column)(array(np.eye(10, dtype=np.float32))).T

        return vmapped(lambda a: vmapped(lambda b: of_pair(a, b), (0,))(x2), (0,))(x1)

    return ntk(kernel)


def layer(weight, bias, x):
    return xp.tanh(affine(x, weight, bias))


def layer_inputs():
    batch, d = (3, 4) if toy else (64, 16)
    return array(tensor(1, d, d)), array(tensor(2, d)), inputs(3, batch, d)


def layerjac():
    arguments = layer_inputs()
    g = jit(vmapped(jacrev(layer, argnums=2), (None, None, 0)))
    return lambda: [g(*arguments)]


def layerhess():
    arguments = layer_inputs()
    g = jit(vmapped(hessian(layer, argnums=2), (None, None, 0)))
    return lambda: [g(*arguments)]


def hypernet():
    tasks, points, width, hidden = (3, 5, 4, 6) if toy else (64, 64, 32, 64)
    shapes = mlp_shapes(1, width, 1)
    sizes = [int(np.prod(shapes[name])) for name in sorted(shapes)]
    params = filled(mlp_shapes(4, hidden, sum(sizes)), 10, 0.5)

    def described(params, description, x):
        numbers, target, start = mlp(params, description), {}, 0
        for name, size in zip(sorted(shapes), sizes):
            target[name] = numbers[start:start + size].reshape(shapes[name])
            start += size
        return mlp(target, x)

    def loss(params, descriptions, x, y):
        one = lambda description, wanted: squared(described(params, description, x) - wanted)
        return vmapped(one, (0, 0))(descriptions, y).mean()

    g = jit(grad(loss))
    arguments = inputs(1, tasks, 4), inputs(2, points, 1), inputs(3, tasks, points, 1)
    return lambda: in_order(g(params, *arguments))


def derivative(f):
    return lambda x: jvp(f, (x,), (xp.ones_like(x),))[1]


def pinn():
    width, inside, known = (4, 5, 3) if toy else (32, 1024, 128)
    widths = {"0": (width, 2), "2": (width, width), "4": (width, width), "6": (1, width)}
    params = filled({f"{name}.{part}": shape for name, w in widths.items() for part, shape in (("weight", w), ("bias", w[:1]))},
                    10, 1.0)

    def loss(params, x, t, x_known, t_known, known):
        def u(x, t):
            y = stack([x, t])
            for name in ("0", "2", "4"):
                y = xp.tanh(linear(y, params, name))
            return linear(y, params, "6")[0]

        def residual(x, t):
            in_x = lambda at: u(at, t)
            u_x, u_xxx = derivative(in_x)(x), derivative(derivative(derivative(in_x)))(x)
            return derivative(lambda at: u(x, at))(t) + 6 * u(x, t) * u_x + u_xxx

        return squared(vmapped(residual, (0, 0))(x, t)) + squared(vmapped(u, (0, 0))(x_known, t_known) - known)

    g = jit(grad(loss))
    arguments = [inputs(seed, n) for seed, n in zip((1, 2, 3, 4, 5), (inside, inside, known, known, known))]
    return lambda: in_order(g(params, *arguments))


def inverted(layers, sample):
    kept, moved, log_det = sample[:1], sample[1:], 0.0
    for p in layers:
        out = mlp(p, kept)
        scale = 2 * xp.tanh(out[:1])
        kept, moved = moved * xp.exp(scale) + out[1:], kept
        log_det = log_det + scale[0]
    return xp.concatenate([kept, moved]), log_det


def flow_inputs():
    shapes = mlp_shapes(1, 4 if toy else 32, 2)
    return [filled(shapes, 10 + 6 * i, 1.0) for i in range(2 if toy else 6)], inputs(1, 5 if toy else 512, 2)


def flow():
    layers, samples = flow_inputs()

    def loss(layers, samples):
        def of_one(sample):
            place, log_det = inverted(layers, sample)
            return 0.5 * (place * place).sum() + float(np.log(2 * np.pi)) - log_det

        return vmap(of_one)(samples).mean()

    g = jit(grad(loss))
    return lambda: [p for layer in g(layers, samples) for p in in_order(layer)]


def flowdet():
    layers, samples = flow_inputs()
    g = jit(lambda layers, samples: vmap(lambda x: log_abs_det(jacfwd(lambda at: inverted(layers, at)[0])(x)))(samples))
    return lambda: [g(layers, samples)]


def group_norm(x, weight, bias, groups):
    y = x.reshape(groups, -1)
    y = y - y.mean(1)[:, None]
    y = y / xp.sqrt((y * y).mean(1) + 1e-5)[:, None]
    return y.reshape(x.shape) * weight[:, None, None] + bias[:, None, None]


def normgrad():
    batch, side = (3, 6) if toy else (64, 32)
    params = filled({"conv.weight": (32, 3, 3, 3), "conv.bias": (32,), "norm.weight": (32,), "norm.bias": (32,),
                     "fc.weight": (10, 32 * (side - 2) ** 2), "fc.bias": (10,)}, 10)

    def loss(p, image, label):
        x = conv2d(image, p, "conv")
        if contender == "jax":
            x = group_norm(x, p["norm.weight"], p["norm.bias"], 8)
        else:
            x = F.group_norm(x[None], 8, p["norm.weight"], p["norm.bias"])[0]
        return cross_entropy(linear(relu(x).reshape(-1), p, "fc"), label)

    g = jit(vmapped(grad(loss), (None, 0, 0)))
    images, labels = inputs(1, batch, 3, side, side), array(np.arange(batch) % 10)
    return lambda: in_order(g(params, images, labels))
