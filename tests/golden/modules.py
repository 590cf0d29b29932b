#!/usr/bin/env python3
"""Writes what torch's modules compute: modules.py FILE (tests/nn/modules_golden.txt). Needs torch; the tests read the file alone.

Of each case its name, then lines, numbers in f64:
  keys NAME:SHAPE...      of state_dict
  init NAME MEAN STD MAX  of each parameter over many new modules, where the case begins a class
  train | eval            then: the outputs y, the gradients of sum(y cos(i)) by each floating input and by each parameter in the
                          order of names, and the floating buffers afterwards in the order of names ("-" for nothing)
Parameters are 0.3 sin(0.7 i + j), j their place in the order of names, inputs sin(a i + b); running statistics as new.
"""
import math
import sys

import torch
from torch import nn

torch.set_default_dtype(torch.float64)
CASES = []


def ramp(*shape, a=1.0, b=0.0):
    n = math.prod(shape)
    return torch.tensor([math.sin(a * i + b) for i in range(n)]).reshape(shape)


def case(name, module, *inputs, call=lambda m, *x: m(*x), modes=('train', 'eval')):
    """module: what makes it."""
    CASES.append((name, module, inputs, call, modes))


def numbers(t):
    return '-' if t is None or t.numel() == 0 else ' '.join('%.9g' % v for v in t.detach().double().flatten().tolist())


def flat(out):
    return [out] if isinstance(out, torch.Tensor) else [t for o in out if o is not None for t in flat(o)]


X = ramp(2, 3, a=3.0)  # two rows
L, P, D = ramp(2, 4, 5), ramp(2, 4, 4, 4), ramp(1, 4, 4, 3, 4)  # channels of a line, a plane, a space
EVAL = ('eval',)

# ---- activations
for name in 'ReLU ReLU6 ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Softshrink Hardshrink Tanhshrink Hardtanh Hardswish ' \
            'LeakyReLU LogSigmoid RReLU'.split():
    case(name, getattr(nn, name), X * 4, modes=EVAL if name == 'RReLU' else ('train',))
case('Hardsigmoid', nn.Hardsigmoid, X * 5, modes=('train',))
case('ELU 2', lambda: nn.ELU(2), X, modes=('train',))
case('GELU tanh', lambda: nn.GELU('tanh'), X, modes=('train',))
case('Softplus 2 3', lambda: nn.Softplus(2, 3), X * 3, modes=('train',))
case('Hardtanh -2 3', lambda: nn.Hardtanh(-2, 3), X * 4, modes=('train',))
case('Threshold', lambda: nn.Threshold(0.1, 20), X, modes=('train',))
case('GLU', lambda: nn.GLU(), ramp(2, 4), modes=('train',))
case('PReLU', nn.PReLU, X)
case('PReLU channels', lambda: nn.PReLU(4, init=0.5), L)
case('Softmax', lambda: nn.Softmax(1), X, modes=('train',))
case('Softmin', lambda: nn.Softmin(1), X, modes=('train',))
case('LogSoftmax', lambda: nn.LogSoftmax(-1), X, modes=('train',))
case('Softmax2d', nn.Softmax2d, P, modes=('train',))

# ---- shape, containers
case('Identity', nn.Identity, X, modes=('train',))
case('Flatten', nn.Flatten, P, modes=('train',))
case('Flatten dims', lambda: nn.Flatten(2, 3), P, modes=('train',))
case('Unflatten', lambda: nn.Unflatten(1, (2, 2)), L, modes=('train',))
case('Sequential', lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 1)), X)
case('ModuleList', lambda: nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 2)]), X, call=lambda m, x: m[1](m[0](x)))
case('ModuleDict', lambda: nn.ModuleDict([['b', nn.Linear(3, 3)], ['a', nn.Linear(3, 2)]]), X, call=lambda m, x: m['a'](m['b'](x)))
case('ParameterList', lambda: nn.ParameterList([torch.ones(3), torch.ones(2, 3)]), X, call=lambda m, x: x * m[0] + m[1])

# ---- linear, convolutions
case('Linear', lambda: nn.Linear(3, 5), X)
case('Linear no bias', lambda: nn.Linear(3, 5, bias=False), X)
case('Bilinear', lambda: nn.Bilinear(3, 4, 5), X, ramp(2, 4, b=0.5))
case('Bilinear no bias', lambda: nn.Bilinear(3, 4, 2, bias=False), X, ramp(2, 4, b=0.5))
case('Conv1d', lambda: nn.Conv1d(4, 6, 3), L)
case('Conv1d options', lambda: nn.Conv1d(4, 6, 2, stride=2, padding=3, dilation=2, groups=2, bias=False), L)
case('Conv1d reflect', lambda: nn.Conv1d(4, 2, 3, padding=2, padding_mode='reflect'), L)
case('Conv2d', lambda: nn.Conv2d(4, 3, 3, padding=1), P)
case('Conv2d options', lambda: nn.Conv2d(4, 4, (2, 3), stride=(2, 1), padding=(0, 2), dilation=(1, 2), groups=4), P)
case('Conv2d same', lambda: nn.Conv2d(4, 2, (2, 3), padding='same'), P)
case('Conv2d same circular', lambda: nn.Conv2d(4, 2, (2, 3), padding='same', padding_mode='circular'), P)
case('Conv2d replicate', lambda: nn.Conv2d(4, 2, 2, padding=(1, 2), padding_mode='replicate'), P)
case('Conv3d', lambda: nn.Conv3d(4, 2, 2), D)
case('ConvTranspose1d', lambda: nn.ConvTranspose1d(4, 3, 2), L)
case('ConvTranspose1d options', lambda: nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False, dilation=2), L)
case('ConvTranspose2d', lambda: nn.ConvTranspose2d(4, 2, 2, stride=2), P)
case('ConvTranspose3d', lambda: nn.ConvTranspose3d(4, 2, (1, 2, 2)), D)

# ---- embeddings
I = torch.tensor([[0, 2, 4], [1, 2, 0]])
case('Embedding', lambda: nn.Embedding(5, 3), I)
case('Embedding padding', lambda: nn.Embedding(5, 3, padding_idx=-3), I)
case('EmbeddingBag', lambda: nn.EmbeddingBag(5, 3), I)
case('EmbeddingBag sum', lambda: nn.EmbeddingBag(5, 3, mode='sum', padding_idx=2), I, ramp(2, 3, b=1), call=lambda m, i, w: m(i, None, w))
case('EmbeddingBag offsets', lambda: nn.EmbeddingBag(5, 3, mode='max', include_last_offset=True), I.flatten(), torch.tensor([0, 2, 6]))

# ---- norms
case('BatchNorm1d', lambda: nn.BatchNorm1d(4), L)
case('BatchNorm1d rows', lambda: nn.BatchNorm1d(3, eps=1e-3, momentum=0.3), ramp(4, 3))
case('BatchNorm1d plain', lambda: nn.BatchNorm1d(4, affine=False, track_running_stats=False), L)
case('BatchNorm1d mean of all', lambda: nn.BatchNorm1d(4, momentum=None), L, call=lambda m, x: m(m(x) + x))
case('BatchNorm2d', lambda: nn.BatchNorm2d(4), P)
case('BatchNorm3d', lambda: nn.BatchNorm3d(4), D)
case('InstanceNorm1d', lambda: nn.InstanceNorm1d(4), L)
case('InstanceNorm1d unbatched', lambda: nn.InstanceNorm1d(4, affine=True), L[0])
case('InstanceNorm1d tracking', lambda: nn.InstanceNorm1d(4, momentum=0.3, affine=True, track_running_stats=True), L)
case('InstanceNorm2d', lambda: nn.InstanceNorm2d(4, affine=True), P)
case('InstanceNorm3d', lambda: nn.InstanceNorm3d(4, eps=1e-3), D)
case('LayerNorm', lambda: nn.LayerNorm(5), L)
case('LayerNorm options', lambda: nn.LayerNorm((4, 5), eps=1e-3, bias=False), L)
case('LayerNorm plain', lambda: nn.LayerNorm(5, elementwise_affine=False), L)
case('RMSNorm', lambda: nn.RMSNorm(5), L)
case('RMSNorm options', lambda: nn.RMSNorm((4, 5), eps=1e-3, elementwise_affine=False), L)
case('GroupNorm', lambda: nn.GroupNorm(2, 4), L)
case('GroupNorm options', lambda: nn.GroupNorm(4, 4, eps=1e-3, affine=False), L)
case('LocalResponseNorm', lambda: nn.LocalResponseNorm(3, alpha=0.5, k=2), L, modes=('train',))

# ---- dropout: after eval(), and with nothing to drop
for name in 'Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout'.split():
    case(name, getattr(nn, name), {'Dropout1d': L, 'Dropout3d': D}.get(name, P), modes=EVAL)

# ---- pooling
ONE = ('train',)
case('AvgPool1d', lambda: nn.AvgPool1d(2), L, modes=ONE)
case('AvgPool2d', lambda: nn.AvgPool2d((2, 3), stride=2, padding=1, count_include_pad=False), P, modes=ONE)
case('AvgPool3d', lambda: nn.AvgPool3d(2, ceil_mode=True, divisor_override=3), D, modes=ONE)
case('MaxPool1d', lambda: nn.MaxPool1d(2, stride=1), L, modes=ONE)
case('MaxPool2d', lambda: nn.MaxPool2d(2, padding=1, dilation=2, stride=1), P, modes=ONE)
case('MaxPool3d', lambda: nn.MaxPool3d((2, 2, 1), ceil_mode=True), D, modes=ONE)
case('MaxUnpool1d', lambda: nn.MaxUnpool1d(2), ramp(1, 2, 2), torch.tensor([[[1, 2], [0, 3]]]), modes=ONE)
case('MaxUnpool2d', lambda: nn.MaxUnpool2d(2), ramp(1, 1, 2, 2), torch.tensor([[[[1, 2], [8, 15]]]]), modes=ONE)
case('MaxUnpool3d', lambda: nn.MaxUnpool3d(2), ramp(1, 1, 1, 1, 2), torch.tensor([[[[[1, 14]]]]]), modes=ONE)
case('AdaptiveAvgPool1d', lambda: nn.AdaptiveAvgPool1d(2), L, modes=ONE)
case('AdaptiveAvgPool2d', lambda: nn.AdaptiveAvgPool2d((3, 2)), P, modes=ONE)
case('AdaptiveAvgPool3d', lambda: nn.AdaptiveAvgPool3d(2), D, modes=ONE)
case('AdaptiveMaxPool1d', lambda: nn.AdaptiveMaxPool1d(2), L, modes=ONE)
case('AdaptiveMaxPool2d', lambda: nn.AdaptiveMaxPool2d((3, 2)), P, modes=ONE)
case('AdaptiveMaxPool3d', lambda: nn.AdaptiveMaxPool3d(2), D, modes=ONE)
case('LPPool1d', lambda: nn.LPPool1d(2, 2), L, modes=ONE)
case('LPPool2d', lambda: nn.LPPool2d(2, (2, 3), stride=1), P, modes=ONE)
case('LPPool3d', lambda: nn.LPPool3d(4, 2), D, modes=ONE)

# ---- losses, distances
Y, U, V = ramp(2, 3, b=1.5), (ramp(2, 3, a=2.0) + 1) / 2.1 + 0.02, (ramp(2, 3, b=4) + 1) / 2.1 + 0.02
S, C = torch.tensor([1., -1.]), torch.tensor([2, 0])
W = torch.tensor([0.5, 1.5, 2.0])
T = torch.tensor([[1., -1., 1.], [-1., -1., 1.]])
K = lambda t: t.detach()  # targets are constants
for r in ('mean', 'sum', 'none'):
    case(f'L1Loss {r}', lambda r=r: nn.L1Loss(reduction=r), X, Y, modes=ONE)
    case(f'MSELoss {r}', lambda r=r: nn.MSELoss(reduction=r), X, Y, modes=ONE)
    case(f'CrossEntropyLoss {r}', lambda r=r: nn.CrossEntropyLoss(weight=W, ignore_index=1, reduction=r, label_smoothing=0.1), X, C, modes=ONE)
    case(f'CTCLoss {r}', lambda r=r: nn.CTCLoss(blank=1, reduction=r), ramp(5, 2, 3), torch.tensor([[0, 2], [2, 0]]), torch.tensor([5, 4]),
         torch.tensor([2, 1]), call=lambda m, x, *y: m(x.log_softmax(-1), *y), modes=ONE)
case('SmoothL1Loss', lambda: nn.SmoothL1Loss(beta=0.3), X, Y, modes=ONE)
case('HuberLoss', lambda: nn.HuberLoss(delta=0.5), X, Y, modes=ONE)
case('CrossEntropyLoss', nn.CrossEntropyLoss, X, C, modes=ONE)
case('NLLLoss', lambda: nn.NLLLoss(weight=W, reduction='sum'), X, C, modes=ONE)
case('BCELoss', lambda: nn.BCELoss(weight=W), U, V, call=lambda m, x, y: m(x, K(y)), modes=ONE)
case('BCEWithLogitsLoss', lambda: nn.BCEWithLogitsLoss(weight=W, pos_weight=W + 1), X, V, call=lambda m, x, y: m(x, K(y)), modes=ONE)
case('KLDivLoss', lambda: nn.KLDivLoss(reduction='batchmean'), X, V, modes=ONE)
case('PoissonNLLLoss', lambda: nn.PoissonNLLLoss(full=True), X, V * 3, call=lambda m, x, y: m(x, K(y)), modes=ONE)
case('GaussianNLLLoss', lambda: nn.GaussianNLLLoss(full=True), X, Y, V, modes=ONE)
case('HingeEmbeddingLoss', lambda: nn.HingeEmbeddingLoss(0.7), X, T, call=lambda m, x, y: m(x, K(y)), modes=ONE)
case('MarginRankingLoss', lambda: nn.MarginRankingLoss(0.2), X[:, 0], Y[:, 0], S, call=lambda m, x, y, s: m(x, y, K(s)), modes=ONE)
case('MultiMarginLoss', lambda: nn.MultiMarginLoss(p=2, margin=0.7, weight=W), X, C, modes=ONE)
case('MultiLabelMarginLoss', nn.MultiLabelMarginLoss, X, torch.tensor([[2, -1, 0], [0, 1, -1]]), modes=ONE)
case('MultiLabelSoftMarginLoss', lambda: nn.MultiLabelSoftMarginLoss(weight=W), X, V, call=lambda m, x, y: m(x, K(y)), modes=ONE)
case('SoftMarginLoss', nn.SoftMarginLoss, X, T, call=lambda m, x, y: m(x, K(y)), modes=ONE)
case('TripletMarginLoss', lambda: nn.TripletMarginLoss(margin=0.5, swap=True), X, Y, V, modes=ONE)
case('CosineEmbeddingLoss', lambda: nn.CosineEmbeddingLoss(0.1), X, Y, S, call=lambda m, x, y, s: m(x, y, K(s)), modes=ONE)
case('CosineSimilarity', lambda: nn.CosineSimilarity(dim=0), X, Y, modes=ONE)
case('PairwiseDistance', lambda: nn.PairwiseDistance(p=3, keepdim=True), X, Y, modes=ONE)

# ---- vision, padding
case('Upsample', lambda: nn.Upsample(scale_factor=2), L, modes=ONE)
case('Upsample bilinear', lambda: nn.Upsample(size=(3, 5), mode='bilinear', align_corners=True), P[:1], modes=ONE)
case('PixelShuffle', lambda: nn.PixelShuffle(2), P, modes=ONE)
case('PixelUnshuffle', lambda: nn.PixelUnshuffle(2), P[:, :1], modes=ONE)
case('ChannelShuffle', lambda: nn.ChannelShuffle(2), P[:1], modes=ONE)
case('Unfold', lambda: nn.Unfold((2, 3), padding=1, stride=2), P[:, :2], modes=ONE)
case('Fold', lambda: nn.Fold((4, 3), 2), ramp(1, 8, 6), modes=ONE)
for name in ('Zero', 'Reflection', 'Replication', 'Circular'):
    case(f'{name}Pad1d', lambda name=name: getattr(nn, name + 'Pad1d')(2), L[:, :2], modes=ONE)
    case(f'{name}Pad2d', lambda name=name: getattr(nn, name + 'Pad2d')((1, 2, 0, 1)), P[:1, :1], modes=ONE)
    case(f'{name}Pad3d', lambda name=name: getattr(nn, name + 'Pad3d')(1), D[:, :1], modes=ONE)

# ---- recurrent
N = ramp(4, 2, 3)
H = ramp(1, 2, 5, b=0.3)
case('RNN', lambda: nn.RNN(3, 5), N)
case('RNN options', lambda: nn.RNN(3, 2, num_layers=2, nonlinearity='relu', bias=False, batch_first=True, bidirectional=True), ramp(2, 4, 3), ramp(4, 2, 2, b=0.3))
case('LSTM', lambda: nn.LSTM(3, 5), N)
case('LSTM states', lambda: nn.LSTM(3, 5), N, H, ramp(1, 2, 5, b=0.9), call=lambda m, x, h, c: m(x, (h, c)))
case('LSTM options', lambda: nn.LSTM(3, 2, num_layers=2, batch_first=True, bidirectional=True), ramp(2, 4, 3))
case('LSTM unbatched', lambda: nn.LSTM(3, 2, bias=False), N[:, 0])
case('LSTM projection', lambda: nn.LSTM(3, 4, num_layers=2, proj_size=2, bidirectional=True), N)
case('GRU', lambda: nn.GRU(3, 5), N, H)
case('GRU options', lambda: nn.GRU(3, 2, num_layers=2, bias=False, bidirectional=True), N)
case('GRU unbatched', lambda: nn.GRU(3, 2, batch_first=True), N[:, 0], ramp(1, 2, b=1))
case('RNNCell', lambda: nn.RNNCell(3, 5), X, H[0])
case('RNNCell relu', lambda: nn.RNNCell(3, 5, bias=False, nonlinearity='relu'), X[0])
case('LSTMCell', lambda: nn.LSTMCell(3, 5), X)
case('LSTMCell states', lambda: nn.LSTMCell(3, 5, bias=False), X, H[0], H[0] / 2, call=lambda m, x, h, c: m(x, (h, c)))
case('GRUCell', lambda: nn.GRUCell(3, 5), X, H[0])
case('GRUCell zeros', lambda: nn.GRUCell(3, 5, bias=False), X)

# ---- attention
Q, M = ramp(3, 2, 4), ramp(5, 2, 4, b=0.3)
PAD = torch.tensor([[False, False, False, False, True], [False, True, False, False, False]])
case('MultiheadAttention', lambda: nn.MultiheadAttention(4, 2), Q, call=lambda m, x: m(x, x, x))
case('MultiheadAttention padding', lambda: nn.MultiheadAttention(4, 2, bias=False, batch_first=True), Q.transpose(0, 1), M.transpose(0, 1),
     call=lambda m, q, k: m(q, k, k, key_padding_mask=PAD, average_attn_weights=False))
case('MultiheadAttention rows', lambda: nn.MultiheadAttention(4, 1, add_bias_kv=True, add_zero_attn=True), Q, ramp(3, 3, b=2),
     call=lambda m, x, w: m(x, x, x, attn_mask=w, need_weights=False))
case('MultiheadAttention separate', lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=2), Q[:, 0], ramp(5, 3), ramp(5, 2, b=1))
case('TransformerEncoderLayer', lambda: nn.TransformerEncoderLayer(4, 2, dim_feedforward=5, dropout=0.0), Q)
case('TransformerEncoderLayer options',
     lambda: nn.TransformerEncoderLayer(4, 2, dim_feedforward=5, dropout=0.0, activation='gelu', layer_norm_eps=1e-3, batch_first=True, norm_first=True, bias=False),
     M.transpose(0, 1), call=lambda m, x: m(x, src_key_padding_mask=PAD))
case('TransformerEncoder',
     lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, dim_feedforward=3, dropout=0.0), 2, nn.LayerNorm(4), enable_nested_tensor=False), Q, ramp(3, 3, b=2),
     call=lambda m, x, w: m(x, mask=w))


def set_parameters(m):
    for j, (_, p) in enumerate(sorted(m.named_parameters())):
        p.data = 0.3 * ramp(*p.shape, a=0.7, b=float(j))


def lines(name, make, inputs, call, modes, first):
    m = make()
    yield name
    yield ' '.join(['keys', *(f'{k}:{",".join(map(str, v.shape))}' for k, v in sorted(m.state_dict().items()))])
    if first:
        made = [dict(make().named_parameters()) for _ in range(3000 if list(m.parameters()) else 0)]
        for k, _ in sorted(m.named_parameters()):
            all_ = torch.stack([s[k].detach() for s in made])
            yield f'init {k} {all_.mean().item():.4g} {all_.std().item():.4g} {all_.abs().max().item():.6g}'
    for mode in modes:
        m = make()
        set_parameters(m)
        m.train(mode == 'train')
        x = [t.detach().clone().requires_grad_(t.is_floating_point()) for t in inputs]
        y = torch.cat([t.flatten() for t in flat(call(m, *x))])
        by = [t for t in x if t.requires_grad] + [p for _, p in sorted(m.named_parameters())]
        w = torch.cos(torch.arange(y.numel(), dtype=torch.float64))
        gradients = torch.autograd.grad((y * w).sum(), by, allow_unused=True) if y.requires_grad else [None] * len(by)
        yield mode
        yield numbers(y)
        for t, g in zip(by, gradients):
            yield numbers(torch.zeros_like(t) if g is None else g)
        for _, b in sorted(m.named_buffers()):
            if b.is_floating_point():
                yield numbers(b)


torch.manual_seed(0)
classes = set()
with open(sys.argv[1], 'w') as out:
    for name, *rest in CASES:
        print(*lines(name, *rest, name.split()[0] not in classes), sep='\n', file=out)
        classes.add(name.split()[0])
