"""Torch's side of the table of ops (bench/ops/ops.h): torch_ops.py torch ops full. Answers each line of JSON, a row with
`seconds`, by samples and the fingerprint of the results. OPS has a function of a row's inputs and arguments for each op."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'peers'))

from library import array, np, uniform, version  # noqa: E402
from protocol import fingerprint, group_size, sample  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402, F401


def dims(x, d):
    """One dim, or all (-9)."""
    return tuple(range(x.ndim)) if d == -9 else d


OPS = {
    # reductions
    'sum': lambda x, d: x.sum(dims(x, d)),
    'sum f64': lambda x, d: x.sum(dims(x, d)),
    'mean': lambda x, d: x.mean(dims(x, d)),
    'amax': lambda x, d: x.amax(dims(x, d)),
    'prod': lambda x, d: x.prod() if d == -9 else x.prod(d),
    'any': lambda x, d: x.any() if d == -9 else x.any(d),
    'argmax': lambda x, d: x.argmax() if d == -9 else x.argmax(d),
    'var': lambda x, d: x.var(dims(x, d)),
    'logsumexp': lambda x, d: x.logsumexp(dims(x, d)),
    'softmax': lambda x, d: x.softmax(d),
    'sum of x.t()': lambda x, d: x.t().sum(dims(x, d)),
    'sum of x[:, ::2]': lambda x, d: x[:, ::2].sum(dims(x, d)),
    # scans
    'cumsum': torch.cumsum,
    'cumprod': torch.cumprod,
    'cummax': torch.cummax,
    'logcumsumexp': torch.logcumsumexp,
    # order
    'sort': lambda x, d: x.sort(dim=d, stable=True),
    'topk': lambda x, k, d: x.topk(k, d),
    'searchsorted': lambda s, v: torch.searchsorted(s.sort().values, v),
    # indexing
    'gather': lambda x, i, d: x.gather(d, i),
    'index_select': lambda x, i, d: x.index_select(d, i),
    'scatter_add': lambda x, i, s, d: x.scatter_add(d, i, s),
    'scatter': lambda x, i, s, d: x.scatter(d, i, s),
    'scatter_reduce amax': lambda x, i, s, d: x.scatter_reduce(d, i, s, 'amax'),
    'index_put': lambda x, i, s: x.index_put((i,), s),
    'index_add': lambda x, i, s, d: x.index_add(d, i, s),
    # norms and attention
    'batch_norm': lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
    'layer_norm': lambda x, w, b: F.layer_norm(x, (x.shape[-1],), w, b),
    # convolutions and pooling
    'conv2d': lambda x, w, stride, padding, groups: F.conv2d(x, w, None, stride, padding, 1, groups),
    'conv2d f64': lambda x, w, stride, padding, groups: F.conv2d(x, w, None, stride, padding, 1, groups),
    'conv1d': lambda x, w, padding: F.conv1d(x, w, None, 1, padding),
    'conv_transpose2d': lambda x, w, stride, padding: F.conv_transpose2d(x, w, None, stride, padding),
    'max_pool2d': F.max_pool2d,
    'avg_pool2d': F.avg_pool2d,
    'adaptive_avg_pool2d': F.adaptive_avg_pool2d,
    'attention': lambda q, k, v, causal: F.scaled_dot_product_attention(q, k, v, is_causal=bool(causal)),
}


def prepared(row):
    x = []
    for shape, dtype, low, high in row['inputs']:
        flat = low + (high - low) * (uniform(len(x) + 1, int(np.prod(shape))) + 0.5)
        x.append(array(flat.reshape(shape).astype({'f32': np.float32, 'f64': np.float64, 'i64': np.int64, 'bool': bool}[dtype])))
    f, args = OPS[row['op']], row['args']
    if not row['gradient']:
        return lambda: f(*x, *args)
    floating = [t.requires_grad_() for t in x if t.is_floating_point()]
    like = f(*x, *args).detach().numpy()
    cotangent = array((2 * uniform(len(x) + 1, like.size)).reshape(like.shape).astype(like.dtype))

    def call():
        y = f(*x, *args)
        return y, *torch.autograd.grad(y, floating, cotangent)

    return call


def main():
    print(json.dumps({'version': version, 'ops': sorted(OPS)}), flush=True)
    last = call = group = None
    for line in sys.stdin:
        row = json.loads(line)
        if row['name'] != last:
            call, last = prepared(row), row['name']
            call()
            group = group_size(call)
        samples, results = sample(call, group, row['seconds']), call()
        results = [results] if isinstance(results, torch.Tensor) else results
        print(json.dumps({'samples': samples, 'fingerprint': fingerprint([r.detach() for r in results])}), flush=True)


main()
