#!/usr/bin/env python3
"""Writes trajectories of torch's optimisers, learning rates of its schedulers and clipped gradients:
optim.py FILE (tests/optim/optim_golden.txt).

A line each: a name, ':', numbers. Of an optimiser the six elements of w and the two of b after steps 1, 3 and 10 of

    loss = mean((tanh(x w + b) - y)^2),  x[i] = sin(0.7 i), shape [5, 3],  y[i] = cos(0.3 i), shape [5, 2],
    w[i] = sin(i + 1), b[i] = 0.1 i

all in f64. Of LBFGS the loss is mean((x w + b - y)^2) + sum(w^4) / 10; its value before each step comes before the
parameters, and the number of evaluations so far after them. Needs torch; the tests read the file
alone."""
import sys

import torch
import torch.nn.utils as utils
from torch.optim import lr_scheduler as schedulers

torch.set_default_dtype(torch.float64)
X = torch.sin(0.7 * torch.arange(15.0)).reshape(5, 3)
Y = torch.cos(0.3 * torch.arange(10.0)).reshape(5, 2)
lines = []


def line(name, numbers):
    lines.append(f'{name}: ' + ' '.join('%.15g' % float(x) for x in numbers))


def parameters():
    w = torch.sin(torch.arange(6.0) + 1).reshape(3, 2).requires_grad_()
    b = (0.1 * torch.arange(2.0)).requires_grad_()
    return b, w


def loss_of(b, w):
    return ((torch.tanh(X @ w + b) - Y) ** 2).mean()


def convex_loss_of(b, w):
    return ((X @ w + b - Y) ** 2).mean() + 0.1 * (w ** 4).sum()


def flat(parameters):
    return torch.cat([p.detach().flatten() for p in parameters]).tolist()


def trajectory(name, kind, **options):
    p = parameters()
    optimizer = kind(p, **options)
    numbers = []
    for step in range(1, 11):
        optimizer.zero_grad()
        loss_of(*p).backward()
        optimizer.step()
        if step in (1, 3, 10):
            numbers += flat(p)
    line(name, numbers)


def lbfgs(name, steps=4, **options):
    p = parameters()
    optimizer = torch.optim.LBFGS(p, **options)

    def closure():
        optimizer.zero_grad()
        loss = convex_loss_of(*p)
        loss.backward()
        return loss.detach()
    numbers = []
    for step in range(steps):
        numbers += [float(optimizer.step(closure)), *flat(p), optimizer.state[p[0]]['func_evals']]
    line(name, numbers)


def rates(name, kind, *args, epochs=13, **options):
    optimizer = torch.optim.SGD(parameters(), lr=0.5)
    scheduler = kind(optimizer, *args, **options)
    found = [optimizer.param_groups[0]['lr']]
    for epoch in range(epochs - 1):
        optimizer.step()
        scheduler.step()
        found.append(optimizer.param_groups[0]['lr'])
    line(name, found)


def plateau(name, metrics, **options):
    optimizer = torch.optim.SGD(parameters(), lr=0.5)
    scheduler = schedulers.ReduceLROnPlateau(optimizer, **options)
    found = []
    for metric in metrics:
        scheduler.step(metric)
        found.append(optimizer.param_groups[0]['lr'])
    line(name, found)


def clipped(name, clip, *args, **options):
    p = parameters()
    (100 * loss_of(*p)).backward()
    norm = clip(p, *args, **options)
    line(name, ([] if norm is None else [norm]) + [x for q in p for x in q.grad.flatten().tolist()])


o = torch.optim
trajectory('sgd', o.SGD, lr=0.1)
trajectory('sgd momentum', o.SGD, lr=0.1, momentum=0.9)
trajectory('sgd dampening', o.SGD, lr=0.1, momentum=0.9, dampening=0.3)
trajectory('sgd nesterov', o.SGD, lr=0.1, momentum=0.9, nesterov=True)
trajectory('sgd weight_decay', o.SGD, lr=0.1, weight_decay=0.1)
trajectory('sgd all', o.SGD, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.05, maximize=True)
trajectory('adam', o.Adam)
trajectory('adam lr betas eps', o.Adam, lr=0.05, betas=(0.8, 0.95), eps=1e-3)
trajectory('adam weight_decay', o.Adam, lr=0.05, weight_decay=0.1)
trajectory('adam amsgrad', o.Adam, lr=0.2, betas=(0.5, 0.6), amsgrad=True)
trajectory('adam maximize', o.Adam, lr=0.05, maximize=True)
trajectory('adam decoupled_weight_decay', o.Adam, lr=0.05, weight_decay=0.1, decoupled_weight_decay=True)
trajectory('adamw', o.AdamW, lr=0.05)
trajectory('adamw all', o.AdamW, lr=0.2, betas=(0.5, 0.6), eps=1e-4, weight_decay=0.2, amsgrad=True, maximize=True)
trajectory('rmsprop', o.RMSprop)
trajectory('rmsprop alpha eps', o.RMSprop, lr=0.02, alpha=0.9, eps=1e-3)
trajectory('rmsprop momentum', o.RMSprop, lr=0.02, momentum=0.7)
trajectory('rmsprop centered', o.RMSprop, lr=0.02, alpha=0.9, centered=True)
trajectory('rmsprop all', o.RMSprop, lr=0.02, alpha=0.8, centered=True, momentum=0.5, weight_decay=0.1, maximize=True)
trajectory('adagrad', o.Adagrad, lr=0.1)
trajectory('adagrad all', o.Adagrad, lr=0.1, lr_decay=0.2, weight_decay=0.1, initial_accumulator_value=0.3, eps=1e-3)
trajectory('adagrad maximize', o.Adagrad, lr=0.1, maximize=True)
lbfgs('lbfgs', max_iter=4)
lbfgs('lbfgs lr', lr=0.5, max_iter=3)
lbfgs('lbfgs history', max_iter=6, history_size=2, steps=2)
lbfgs('lbfgs max_eval', max_iter=10, max_eval=4)
lbfgs('lbfgs strong_wolfe', max_iter=4, line_search_fn='strong_wolfe')
lbfgs('lbfgs strong_wolfe far', lr=30, max_iter=4, line_search_fn='strong_wolfe', steps=2)
lbfgs('lbfgs strong_wolfe near', lr=0.01, max_iter=3, line_search_fn='strong_wolfe', steps=2)
rates('step_lr', schedulers.StepLR, 3, gamma=0.5)
rates('multi_step_lr', schedulers.MultiStepLR, [2, 7, 7], gamma=0.1)
rates('exponential_lr', schedulers.ExponentialLR, 0.9)
rates('cosine_annealing_lr', schedulers.CosineAnnealingLR, 5, eta_min=0.1)
rates('linear_lr', schedulers.LinearLR, start_factor=0.2, end_factor=0.8, total_iters=4)
rates('linear_lr default', schedulers.LinearLR)
rates('lambda_lr', schedulers.LambdaLR, lambda epoch: 1 / (1 + epoch))
rates('one_cycle_lr', schedulers.OneCycleLR, 2.0, total_steps=13)
rates('one_cycle_lr linear', schedulers.OneCycleLR, 2.0, total_steps=13, pct_start=0.5, anneal_strategy='linear',
      div_factor=10, final_div_factor=100)
FALLING_THEN_FLAT = [1, 0.5, 0.5, 0.49999, 0.6, 0.5, 0.5, 0.4, 0.5, 0.5, 0.5, 0.5]
plateau('plateau', FALLING_THEN_FLAT, patience=1, factor=0.5)
plateau('plateau cooldown', FALLING_THEN_FLAT, patience=0, factor=0.5, cooldown=2, min_lr=0.1)
plateau('plateau abs', FALLING_THEN_FLAT, patience=1, factor=0.5, threshold=0.2, threshold_mode='abs')
plateau('plateau max', [-x for x in FALLING_THEN_FLAT], patience=1, factor=0.5, mode='max')
plateau('plateau eps', FALLING_THEN_FLAT, patience=0, factor=0.5, eps=0.1)
clipped('clip_grad_norm', utils.clip_grad_norm_, 1.5)
clipped('clip_grad_norm inf', utils.clip_grad_norm_, 1.5, norm_type=float('inf'))
clipped('clip_grad_norm 1', utils.clip_grad_norm_, 2.5, norm_type=1)
clipped('clip_grad_norm within', utils.clip_grad_norm_, 1e4)
clipped('clip_grad_value', utils.clip_grad_value_, 0.5)

with open(sys.argv[1], 'w') as file:
    file.write('\n'.join(lines) + '\n')
