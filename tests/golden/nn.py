#!/usr/bin/env python3
"""Values and gradients of torch.nn.functional, for tests/functions/nn_test.cpp: nn.py > tests/functions/nn_golden.inc, with torch."""
import torch
import torch.nn.functional as F


def unit(i, k):
    """In [0, 1), the same in C++: element i of input k."""
    return ((i + 1) * 0.6180339887498949 + k * 0.3141592653589793) % 1.0


CASES = []


def case(name, inputs, call):
    """inputs: (shape, lo, hi), of integers with a fourth entry."""
    CASES.append((name, inputs, call))


X, Y, P = ((3, 4), -4, 4), ((3, 4), -3, 5), ((3, 4), 0.05, 0.95)
C, S = ((3,), 0, 4, int), ((3,), 0, 2, int)
LINE = ((17,), -9, 9)
for name in 'relu6 elu selu celu gelu silu mish softplus softsign softshrink hardshrink tanhshrink hardtanh hardswish leaky_relu logsigmoid rrelu'.split():
    case(name, [LINE], getattr(F, name))
case('hardsigmoid', [LINE], lambda x: F.relu6(x + 3) / 6)  # its own derivative has 1 / 6 in f32
case('elu 2', [LINE], lambda x: F.elu(x, 2))
case('celu 2', [LINE], lambda x: F.celu(x, 2))
case('gelu tanh', [LINE], lambda x: F.gelu(x, approximate='tanh'))
case('softplus 2 3', [LINE], lambda x: F.softplus(x, 2, 3))
case('softshrink 1', [LINE], lambda x: F.softshrink(x, 1))
case('hardtanh -2 3', [LINE], lambda x: F.hardtanh(x, -2, 3))
case('threshold', [LINE], lambda x: F.threshold(x, 0.5, 7))
case('leaky_relu 0.3', [LINE], lambda x: F.leaky_relu(x, 0.3))
case('prelu', [X, ((4,), -1, 1)], F.prelu)
case('glu', [X], F.glu)
case('softmax', [((2, 5), -30, 30)], lambda x: F.softmax(x, 1))
case('log_softmax', [((2, 5), -30, 30)], lambda x: F.log_softmax(x, 1))
case('logsumexp', [((2, 5), -30, 30)], lambda x: torch.logsumexp(x, 1))
case('bilinear', [((2, 3), -1, 1), ((2, 2), -1, 1), ((4, 3, 2), -1, 1), ((4,), -1, 1)], F.bilinear)
for r in ('mean', 'sum', 'none'):
    case(f'mse_loss {r}', [X, Y], lambda x, y, r=r: F.mse_loss(x, y, reduction=r))
    case(f'l1_loss {r}', [X, Y], lambda x, y, r=r: F.l1_loss(x, y, reduction=r))
    case(f'smooth_l1_loss {r}', [X, Y], lambda x, y, r=r: F.smooth_l1_loss(x, y, reduction=r, beta=0.8))
    case(f'huber_loss {r}', [X, Y], lambda x, y, r=r: F.huber_loss(x, y, reduction=r, delta=0.8))
    case(f'nll_loss {r}', [X, C, ((4,), 0.5, 2)], lambda x, y, w, r=r: F.nll_loss(x, y, w.detach(), ignore_index=1, reduction=r))
    case(f'cross_entropy {r}', [X, C, ((4,), 0.5, 2)],
         lambda x, y, w, r=r: F.cross_entropy(x, y, w.detach(), ignore_index=1, reduction=r, label_smoothing=0.3))
    case(f'cross_entropy plain {r}', [((2, 3, 2), -4, 4), ((2, 2), 0, 3, int)], lambda x, y, r=r: F.cross_entropy(x, y, reduction=r, label_smoothing=0.1))
    case(f'cross_entropy probabilities {r}', [X, P, ((4,), 0.5, 2)],
         lambda x, y, w, r=r: F.cross_entropy(x, y, w.detach(), reduction=r, label_smoothing=0.3))
    case(f'binary_cross_entropy {r}', [P, ((3, 4), 0, 1), ((4,), 0.5, 2)], lambda x, y, w, r=r: F.binary_cross_entropy(x, y, w.detach(), reduction=r))
    case(f'binary_cross_entropy_with_logits {r}', [X, P, ((4,), 0.5, 2), ((4,), 0.5, 2)],
         lambda x, y, w, p, r=r: F.binary_cross_entropy_with_logits(x, y, w.detach(), reduction=r, pos_weight=p.detach()))
    case(f'kl_div {r}', [X, P], lambda x, y, r=r: F.kl_div(x, y, reduction=r))
    case(f'kl_div log {r}', [X, Y], lambda x, y, r=r: F.kl_div(x, y, reduction=r, log_target=True))
    case(f'poisson_nll_loss {r}', [X, ((3, 4), 0, 5)], lambda x, y, r=r: F.poisson_nll_loss(x, y, full=True, reduction=r))
    case(f'gaussian_nll_loss {r}', [X, Y, ((3, 1), -0.5, 2)],
         lambda x, y, v, r=r: F.gaussian_nll_loss(x, y, v.abs(), full=True, eps=0.6, reduction=r))
    case(f'hinge_embedding_loss {r}', [X, ((3, 4), 0, 2, int)], lambda x, y, r=r: F.hinge_embedding_loss(x, y * 2 - 1, 1.5, reduction=r))
    case(f'margin_ranking_loss {r}', [((3,), -1, 1), ((3,), -1, 1), S], lambda a, b, y, r=r: F.margin_ranking_loss(a, b, y * 2 - 1, 0.5, reduction=r))
    case(f'multi_margin_loss {r}', [X, C, ((4,), 0.5, 2)], lambda x, y, w, r=r: F.multi_margin_loss(x, y, 2, 0.7, w.detach(), reduction=r))
    case(f'multilabel_margin_loss {r}', [X, ((3, 4), -1, 4, int)], lambda x, y, r=r: F.multilabel_margin_loss(x, y, reduction=r))
    case(f'multilabel_soft_margin_loss {r}', [X, P, ((4,), 0.5, 2)], lambda x, y, w, r=r: F.multilabel_soft_margin_loss(x, y, w.detach(), reduction=r))
    case(f'soft_margin_loss {r}', [X, ((3, 4), 0, 2, int)], lambda x, y, r=r: F.soft_margin_loss(x, y * 2 - 1, reduction=r))
    case(f'triplet_margin_loss {r}', [X, Y, ((3, 4), -2, 2)], lambda a, p, n, r=r: F.triplet_margin_loss(a, p, n, 1.5, 2, 1e-6, True, reduction=r))
    case(f'cosine_embedding_loss {r}', [X, Y, S], lambda a, b, y, r=r: F.cosine_embedding_loss(a, b, y * 2 - 1, 0.1, reduction=r))
    # By the logits: torch's derivative by log_probs themselves is another one, which softmax hides.
    case(f'ctc_loss {r}', [((6, 2, 4), -2, 2), ((2, 3), 1, 4, int)],
         lambda x, y, r=r: F.ctc_loss(x.log_softmax(-1), y, torch.tensor([6, 5]), torch.tensor([3, 2]), reduction=r))
    case(f'ctc_loss row {r}', [((6, 2, 4), -2, 2), ((3,), 0, 3, int)],
         lambda x, y, r=r: F.ctc_loss(x.log_softmax(-1), y, torch.tensor([6, 1]), torch.tensor([1, 2]), blank=3, reduction=r, zero_infinity=True))
case('kl_div batchmean', [X, P], lambda x, y: F.kl_div(x, y, reduction='batchmean'))
case('cosine_similarity', [X, Y], F.cosine_similarity)
case('pairwise_distance', [X, Y], lambda a, b: F.pairwise_distance(a, b, p=3))
case('pdist', [X], F.pdist)
I = ((2, 3), 0, 4, int)
case('embedding', [((4, 3), -1, 1), I], lambda w, i: F.embedding(i, w, padding_idx=1))
for mode in ('mean', 'sum', 'max'):
    case(f'embedding_bag {mode}', [((4, 3), -1, 1), I], lambda w, i, mode=mode: F.embedding_bag(i, w, mode=mode, padding_idx=2))
    case(f'embedding_bag offsets {mode}', [((4, 3), -1, 1), ((7,), 0, 4, int)],
         lambda w, i, mode=mode: F.embedding_bag(i, w, torch.tensor([0, 2, 2, 7]), mode=mode, include_last_offset=True))
case('embedding_bag weighted', [((4, 3), -1, 1), I, ((2, 3), -1, 1)], lambda w, i, p: F.embedding_bag(i, w, mode='sum', per_sample_weights=p))


def tensor(k, shape, lo, hi, kind=float):
    n = int(torch.tensor(shape).prod())
    values = [lo + (hi - lo) * unit(i, k) for i in range(n)]
    if kind is int:
        return torch.tensor(values).floor().to(torch.int64).reshape(shape)
    return torch.tensor(values, dtype=torch.float64).reshape(shape).requires_grad_()


def numbers(t):
    return '{' + ', '.join(f'{x:.17g}'.replace('inf', 'kInf') for x in t.flatten().tolist()) + '}'


print('// Generated by tests/golden/nn.py with torch ' + torch.__version__.split('+')[0] + '. clang-format off')
for name, inputs, call in CASES:
    x = [tensor(k, *given) for k, given in enumerate(inputs)]
    value = call(*x)
    weights = torch.tensor([unit(i, 9) for i in range(value.numel())], dtype=torch.float64).reshape(value.shape)
    floating = [t for t in x if t.requires_grad]
    gradient = torch.autograd.grad((value * weights).sum(), floating, allow_unused=True)
    flat = torch.cat([(torch.zeros_like(t) if g is None else g).flatten() for t, g in zip(floating, gradient)])
    print(f'{{"{name}", {numbers(value)}, {numbers(flat)}}},')
