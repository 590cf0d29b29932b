#!/usr/bin/env python3
"""How much of torch's op_db the functions of jot agree with: docs/coverage.json and docs/coverage.md.

coverage.py PROGRAM [NAME...]   runs all samples (PROGRAM is op_coverage); fails where fewer of a name agree than docs/coverage.json
                                says, where a name that was counted is so no more, and where the page is not what it says
coverage.py PROGRAM --write     writes both
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = ROOT / 'tests/golden'
RESULT = ROOT / 'docs/coverage.json'
PAGE = ROOT / 'docs/coverage.md'
ENOUGH = 0.9
RULES = ('forward', 'second', 'lanes')
NUMBERS = ('samples', 'agree', 'gradients', 'asked', *RULES)
SAMPLED = ('torch', 'nn', 'special')

# Why torch and jot differ, or jot has no such function, where the faults do not say it.
WHY = {
    'as_strided': 'inside a transform an argument is a base, whatever the memory is of which it is a view outside',
    'as_strided_scatter': "torch's gradient of the first argument passes where src has replaced it; central differences are with jot",
    'nextafter': "torch passes the gradient to the first argument; here it is zero, as that of every function that is constant between steps",
    'unsafe_chunk': 'chunk, for autograd in place', 'unsafe_split': 'split, for autograd in place',
    'ctc_loss': "torch's derivative by log_probs is that by the logits, as if they were not normalised yet; central differences are with jot",
    'hardsigmoid': "torch's gradient has 1 / 6 in f32",
    'constant_pad_nd': 'the kernel behind nn.functional.pad',
    'triplet_margin_with_distance_loss': 'takes a function', 'multi_head_attention_forward': 'the function behind the module',
    'linear_cross_entropy': 'not offered', 'fractional_max_pool2d': 'not offered', 'fractional_max_pool3d': 'not offered',
    'char': 'no dtype i8', 'short': 'no dtype i16',
    'empty_strided': 'tensors are row-major', 'new_empty_strided': 'tensors are row-major', 'empty_permuted': 'tensors are row-major',
    'resize_': 'a storage does not grow', 'resize_as_': 'a storage does not grow',
    'broadcast_shapes': 'of shapes, not of tensors',
}
# Of the most used names, those that are not in op_db or not sampled.
USED = {
    'tensor': 'tensor', 'as_tensor': 'tensor, Tensor::from', 'from_numpy': 'from_blob, borrow', 'rand': 'rand', 'randperm': 'randperm',
    'no_grad': 'NoGrad', 'set_grad_enabled': 'NoGrad', 'enable_grad': 'NoGrad', 'manual_seed': 'manual_seed', 'seed': 'manual_seed',
    'initial_seed': 'random::key: draws from keys', 'get_rng_state': 'random::key: draws from keys', 'set_rng_state': 'random::key: draws from keys', 'numel': 'Tensor::numel',
    'is_tensor': 'a type', 'set_default_dtype': 'set_default_dtype', 'set_default_tensor_type': 'set_default_dtype',
    'get_default_dtype': 'default_dtype', 'set_num_threads': 'JOT_NUM_THREADS', 'get_num_threads': 'JOT_NUM_THREADS',
    'set_printoptions': 'no options of printing', 'range': 'arange', 'load': 'load_safetensors, load_npz',
    'save': 'save_safetensors, save_npz',
    'fft': 'complex', 'stft': 'complex', 'real': 'complex', 'sparse_coo_tensor': 'sparse', 'ger': 'ger, an alias of outer',
    'inverse': 'linalg::inv', 'det': 'linalg::det', 'svd': 'linalg::svd', 'qr': 'linalg::qr', 'cholesky': 'linalg::cholesky',
    'symeig': 'no longer in torch: linalg::eigh',
    'nn.functional.sigmoid': 'nn::functional::sigmoid', 'nn.functional.softmax': 'nn::functional::softmax',
    'nn.functional.tanh': 'nn::functional::tanh', 'nn.functional.log_softmax': 'nn::functional::log_softmax',
}


def run(program, names):
    """A row of each name."""
    done = subprocess.run([program, SAMPLES, *names], text=True, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f'{program} failed')
    rows = {}
    for line in done.stdout.splitlines():
        if line.startswith(' '):
            continue
        name, family, differentiable, *numbers, functions, faults = line.split('\t', 11)
        rows[name] = {'family': family, 'differentiable': differentiable, **dict(zip(NUMBERS, map(int, numbers))),
                      'functions': [f for f in functions.split(' ;; ') if f], 'why': [f for f in faults.split('\t') if f]}
    return rows


def most_used():
    return [line.split()[1:] for line in (SAMPLES / 'opdb.txt').read_text().splitlines() if line.startswith('top ')]


def agrees(row):
    """In value and gradient, and the other rules with these."""
    enough = row['samples'] > 0 and row['agree'] >= ENOUGH * row['samples']
    return enough and all(row[rule] >= ENOUGH * row['asked'] for rule in RULES)


def rules(row):
    if all(row[rule] == row['asked'] for rule in RULES):
        return str(row['asked'])
    return f'{row["asked"]}: ' + ', '.join(f'{rule} {row[rule]}' for rule in RULES)


def why(name, row):
    if agrees(row):
        return '; '.join(row['why'])
    known = WHY.get(name.rpartition('.')[2])
    return known or ('no such function yet' if not row['functions'] else '; '.join(row['why']))


def state_of_used(family, name, rows):
    row = rows.get(name)
    if row and row['family'] in SAMPLED:
        return (f'{row["agree"]} of {row["samples"]} samples' if row['functions'] else why(name, row)), agrees(row)
    text = USED.get(name, 'missing')
    return text, not text.startswith(('missing', 'no longer', 'no files'))


HEAD = '''# How much of torch it covers

Generated by `./dev coverage` from [coverage.json](coverage.json): the sample inputs of torch's own tests (`op_db` of torch 2.13, read once by
`tests/golden/opdb.py`), each given to the function of the same name of `core/functions.def`, `core/nn.def` or what
`tests/coverage/extra.def` says. A sample agrees where every result has torch's shape, dtype and values, and the gradients of all its
floating inputs, for a random cotangent, are torch's: all elements by a weighted sum, and up to eight one by one. Of random
values shape and dtype are compared. What agrees is asked for the other rules, with names that draw nothing: that the forward derivative
times a cotangent is the gradient times a tangent; that second derivatives, forward over reverse, are those of reverse over reverse; that
vmap over two lanes is a loop ("other rules": how many were asked, and where not all agree how many did). A name counts where at least
90 % of its samples agree, and of these 90 % in every rule. Names of complex numbers, of linear
algebra, private ones and copies (`*_copy`) are not in these tables; aliases are not counted.
'''


def cell(text):
    return text.replace('|', '\\|').replace('\n', ' ')


def table(rows, title):
    lines = ['', f'## {title}', '', '| name | samples | agree | gradients | other rules | line of the table | what does not |', '|---|---|---|---|---|---|---|']
    for name, row in rows:
        by = '<br>'.join(f'`{f}`' for f in row['functions'])
        mark = '' if agrees(row) else '**'
        lines.append(f'| {mark}{name}{mark} | {row["samples"]} | {row["agree"]} | {row["gradients"]} | {rules(row)} | {cell(by)} | {cell(why(name, row))} |')
    return lines


def page(rows):
    sampled = {name: row for name, row in rows.items() if row['family'] in SAMPLED}
    full = {f: {n: r for n, r in sampled.items() if r['family'] == f and r['differentiable'] == 'full'} for f in SAMPLED}
    rest = {n: r for n, r in sampled.items() if r['differentiable'] != 'full'}
    lines = [HEAD, '| names | of torch | counted |', '|---|---|---|']
    for family, title in ('torch', 'torch, differentiable in every way'), ('nn', 'nn.functional, the same'), ('special', 'special, the same'):
        lines.append(f'| {title} | {len(full[family])} | {sum(map(agrees, full[family].values()))} |')
    lines.append(f'| other names of these | {len(rest)} | {sum(map(agrees, rest.values()))} |')
    states = [(family, name, *state_of_used(family, name, rows)) for family, name, _ in most_used()]
    for family in 'torch', 'nn':
        own = [s for s in states if s[0] == family]
        lines.append(f'| the {len(own)} most used of {"torch" if family == "torch" else "nn.functional"} | {len(own)} | {sum(s[3] for s in own)} |')
    samples, agreeing = (sum(r[k] for r in sampled.values()) for k in ('samples', 'agree'))
    lines.append(f'| samples of all | {samples} | {agreeing} |')
    lines += table(full['torch'].items(), 'torch')
    lines += table(full['nn'].items(), 'nn.functional')
    lines += table(full['special'].items(), 'special')
    lines += table(rest.items(), 'Other names: without a derivative, or with a part of it in torch')
    lines += ['', '## The most used names', '', 'By `top_operators_github_usage.py` of torch; bold: not there, or too few samples agree.', '',
              '| name | state |', '|---|---|']
    lines += [f'| {name if good else f"**{name}**"} | {cell(state)} |' for _, name, state, good in states]
    left = {}
    for name, row in rows.items():
        if row['family'] not in SAMPLED:
            left.setdefault(row['family'], []).append(name)
    lines += ['', '## Not in these tables', '']
    lines += [f'* {family}: {", ".join(names)}' for family, names in left.items()]
    return '\n'.join([*lines, ''])


def text_of(rows):
    return '{\n' + ',\n'.join(f'{json.dumps(name)}: {json.dumps(row)}' for name, row in rows.items()) + '\n}\n'


def check(rows, names):
    known, bad = json.loads(RESULT.read_text()), 0
    for name, row in rows.items():
        before = known.get(name)
        if not before or any(row[key] < before[key] for key in NUMBERS):
            fewer = {key: f'{before[key]} -> {row[key]}' for key in NUMBERS if before and row[key] != before[key]}
            print(f'{name}: fewer of {row["samples"]} samples agree: {fewer}; {why(name, row)}\n'
                  f'  each of them: op_coverage tests/golden {name}')
            bad += 1
    better = [name for name, row in rows.items() if name in known and row['agree'] > known[name]['agree']]
    if better:
        print('more samples agree than docs/coverage.json says; run ./dev coverage:', *better)
    if not names and PAGE.read_text() != page(known):
        print('docs/coverage.md is not what docs/coverage.json says: run ./dev coverage')
        bad += 1
    print(f'{len(rows) - bad} passed, {bad} failed')
    return bad > 0


def main():
    program, *names = sys.argv[1:]
    if names == ['--write']:
        rows = run(program, [])
        RESULT.write_text(text_of(rows))
        PAGE.write_text(page(json.loads(text_of(rows))))
        return 0
    return check(run(program, names), names)


if __name__ == '__main__':
    sys.exit(main())
