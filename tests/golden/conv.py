#!/usr/bin/env python3
"""Writes values and derivatives of torch's convolutions and pooling: conv.py FILE (tests/functions/conv_golden.txt).

Of each case its name, then lines: the values y, and the gradients of sum(y cos(i)) by each argument, all in f64.
Arguments are sin(a i + b). Needs torch; the tests read the file alone.
"""
import math
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
OUT = []


def ramp(*shape, a=1.0, b=0.0):
    return torch.tensor([math.sin(a * i + b) for i in range(math.prod(shape))]).reshape(shape)


def case(name, f, *xs):
    xs = [x.clone().requires_grad_() for x in xs]
    y = f(*xs)
    parts = [p.double().flatten() for p in (y if isinstance(y, tuple) else (y,))]
    y = torch.cat(parts)
    gradients = torch.autograd.grad((y * torch.cos(torch.arange(y.numel()).double())).sum(), xs)
    OUT.extend([name, *(' '.join('%.11g' % v for v in t.flatten().tolist()) for t in (y.detach(), *gradients))])


def convolutions():
    x1, x2, x3 = ramp(2, 4, 7), ramp(2, 4, 5, 6), ramp(1, 2, 3, 4, 4)
    case('conv1d', F.conv1d, x1, ramp(3, 4, 3, b=1), ramp(3, b=2))
    case('conv1d all options', lambda x, w, b: F.conv1d(x, w, b, 2, 3, 2, 2), x1, ramp(6, 2, 3, b=1), ramp(6, b=2))
    case('conv1d unbatched', lambda x, w, b: F.conv1d(x, w, b, 3), x1[0], ramp(3, 4, 2, b=1), ramp(3, b=2))
    case('conv2d', lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), (1, 2)), x2, ramp(3, 4, 3, 2, b=1), ramp(3, b=2))
    case('conv2d same', lambda x, w: F.conv2d(x, w, None, 1, 'same', (1, 2)), x2, ramp(3, 4, 3, 2, b=1))
    case('conv2d valid', lambda x, w: F.conv2d(x, w, None, 2, 'valid'), x2, ramp(3, 4, 3, 2, b=1))
    case('conv2d depthwise', lambda x, w: F.conv2d(x, w, None, 1, 1, 1, 4), x2, ramp(8, 1, 3, 3, b=1))
    case('conv3d', lambda x, w, b: F.conv3d(x, w, b, 1, (0, 1, 1)), x3, ramp(3, 2, 2, 3, 2, b=1), ramp(3, b=2))
    case('conv_transpose1d', lambda x, w, b: F.conv_transpose1d(x, w, b, 2, 1, 1, 2, 2), x1, ramp(4, 2, 3, b=1), ramp(4, b=2))
    case('conv_transpose1d unbatched', F.conv_transpose1d, x1[0], ramp(4, 2, 3, b=1), ramp(2, b=2))
    case('conv_transpose2d', lambda x, w, b: F.conv_transpose2d(x, w, b, (3, 2), (1, 0), (2, 1), 1, (1, 2)), x2,
         ramp(4, 3, 3, 2, b=1), ramp(3, b=2))
    case('conv_transpose3d', lambda x, w: F.conv_transpose3d(x, w, None, 2, 1), x3, ramp(2, 3, 2, 3, 2, b=1))
    case('unfold', lambda x: F.unfold(x, (2, 3), (2, 1), (1, 0), (1, 2)), x2)
    case('unfold unbatched', lambda x: F.unfold(x, 2), x2[0])
    case('fold', lambda x: F.fold(x, (5, 6), (2, 3), (2, 1), (1, 0), (1, 2)), ramp(2, 12, 10))
    case('fold unbatched', lambda x: F.fold(x, 4, 2, stride=2), ramp(8, 4))


def pooling():
    x1, x2, x3 = ramp(2, 3, 9), ramp(2, 2, 6, 7), ramp(1, 2, 4, 5, 4)
    case('avg_pool1d', lambda x: F.avg_pool1d(x, 3, 2, 1), x1)
    case('avg_pool1d ceil', lambda x: F.avg_pool1d(x, 4, 3, 2, True), x1)
    case('avg_pool2d', lambda x: F.avg_pool2d(x, 2), x2)
    case('avg_pool2d without padding', lambda x: F.avg_pool2d(x, (3, 2), 2, 1, True, False), x2)
    case('avg_pool2d ceil', lambda x: F.avg_pool2d(x, 3, 2, 1, True), x2)
    case('avg_pool2d divisor', lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=5), x2)
    case('avg_pool2d unbatched', lambda x: F.avg_pool2d(x, 3), x2[0])
    case('avg_pool3d', lambda x: F.avg_pool3d(x, (2, 3, 2), (2, 1, 2), (0, 1, 1), True, False), x3)
    case('max_pool1d', lambda x: F.max_pool1d(x, 3, 2, 1, 2, return_indices=True), x1)
    case('max_pool2d', lambda x: F.max_pool2d(x, 2, return_indices=True), x2)
    case('max_pool2d ceil', lambda x: F.max_pool2d(x, (3, 2), 2, 1, 1, True, return_indices=True), x2)
    case('max_pool2d apart', lambda x: F.max_pool2d(x, (2, 3), 1, (0, 1), (3, 2), return_indices=True), x2)
    case('max_pool3d', lambda x: F.max_pool3d(x, (2, 3, 2), (1, 2, 2), (0, 1, 1), ceil_mode=True, return_indices=True), x3)
    case('max_unpool1d', lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), ramp(2, 3, 10, a=3))
    case('max_unpool2d', lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(6, 7)), x2)
    case('max_unpool3d', lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2), ramp(1, 2, 4, 4, 4))
    for f, name in ((F.adaptive_avg_pool1d, 'adaptive_avg_pool1d'), (F.adaptive_max_pool1d_with_indices, 'adaptive_max_pool1d')):
        case(name, lambda x: f(x, 4), x1)
        case(name + ' even', lambda x: f(x, 3), x1)
    for f, name in ((F.adaptive_avg_pool2d, 'adaptive_avg_pool2d'), (F.adaptive_max_pool2d_with_indices, 'adaptive_max_pool2d')):
        case(name, lambda x: f(x, (4, 7)), x2)
        case(name + ' more', lambda x: f(x, (8, 3)), x2)
        case(name + ' one', lambda x: f(x, 1), x2)
    for f, name in ((F.adaptive_avg_pool3d, 'adaptive_avg_pool3d'), (F.adaptive_max_pool3d_with_indices, 'adaptive_max_pool3d')):
        case(name, lambda x: f(x, (2, 3, 3)), x3)
    case('lp_pool1d', lambda x: F.lp_pool1d(x, 2, 3, 2), x1)
    case('lp_pool2d', lambda x: F.lp_pool2d(x, 3.0, 2, 2, True), x2.abs() + 0.1)
    case('lp_pool3d', lambda x: F.lp_pool3d(x, 2, 2), x3)


convolutions()
pooling()
with open(sys.argv[1], 'w') as file:
    file.write('\n'.join(OUT) + '\n')
