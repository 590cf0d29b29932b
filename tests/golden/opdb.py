#!/usr/bin/env python3
"""Writes the samples of torch's own table of operations, op_db, with torch's values and gradients: opdb.txt and opdb.bin.

It is run by hand, once for a version of torch (2.13, with expecttest, in .venv-peers); the project's tests read what it wrote:
tests/coverage/samples.h says in which format. Samples are taken in f64, in i64 where the operation has no f64.

Elements that torch's make_tensor would draw are those of generated() here, so that a tensor takes a seed in place of its
elements; what a sample computes of them is stored. Of a result the sum of all elements by generated weights is kept, and up to
KEPT elements. Of max_unpool, whose gradient torch checks in a variant of its own (where no two indices are the same), others are
values alone.
"""
import argparse
import collections
import pathlib
import struct
import sys
import warnings
import zlib

import numpy as np
import torch
import torch.testing
from torch._functorch import top_operators_github_usage as usage

set_seed = torch.manual_seed
HERE = pathlib.Path(__file__).resolve().parent
KEPT = 8
LARGE = 256  # inputs with more elements that are not drawn are rounded to f32
DTYPES = {torch.bool: 'bool', torch.uint8: 'u8', torch.int32: 'i32', torch.int64: 'i64', torch.bfloat16: 'bf16', torch.float16: 'f16',
          torch.float32: 'f32', torch.float64: 'f64'}
GENERATED = (torch.bool, torch.uint8, torch.int32, torch.int64, torch.float32, torch.float64)
COTANGENT, WEIGHT = 1 << 40, 1 << 41  # seeds
NOT_FINITE = {'nan': 7.25, 'inf': 11.5, '-inf': -13.75}  # in sums

# What the names of op_db are of: those that are not offered are not sampled.
COMPLEX = set('angle conj conj_physical resolve_conj resolve_neg view_as_complex view_as_real complex polar real imag cdouble cfloat chalf '
              'stft istft isreal'.split())
LINALG = set('cholesky cholesky_inverse cholesky_solve geqrf logdet lu lu_solve lu_unpack matrix_exp ormqr pca_lowrank pinverse qr svd '
             'svd_lowrank triangular_solve'.split())
# Kernels behind public functions, and what torch does not document.
KERNELS = set('native_batch_norm native_group_norm native_layer_norm native_dropout_backward max_pool2d_with_indices_backward '
              'grid_sampler_2d grid_sampler_3d hash_tensor nonzero_static'.split())
SPACES = ('fft.', 'linalg.', 'masked.', 'signal.', 'sparse.', 'torch.', 'jiterator')


def family(name):
    """torch, nn, special: sampled; otherwise why not."""
    if name.startswith('nn.functional.'):
        return 'nn'
    if name in COMPLEX or name.startswith('fft.'):
        return 'complex'
    if name in LINALG or name.startswith('linalg.'):
        return 'linalg'
    if name in KERNELS or name.startswith(('torch.', 'jiterator')) or (name.startswith('_') and not name.startswith('__')):
        return 'private'
    if name.endswith('_copy'):
        return 'copy'
    if name.startswith(('masked.', 'signal.', 'sparse.')) or name == 'to_sparse':
        return name.partition('.')[0]
    return 'special' if name.startswith('special.') else 'torch'


def mix(x):
    """splitmix64 of an array."""
    x = (x + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(seed, n):
    """n doubles in [0, 1): the bits of a counter."""
    with np.errstate(over='ignore'):
        start = mix(np.array([seed], dtype=np.uint64))
        return (mix(start + np.arange(n, dtype=np.uint64)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def generated(seed, n, low, high, floating):
    values = low + (high - low) * uniform(seed, n)
    return values if floating else np.floor(values)


class Drawn:
    """torch's make_tensor with elements of generated(), and which they were."""

    def __init__(self):
        self.original = torch.testing.make_tensor
        self.seed = 0
        self.known = {}

    def __call__(self, *shape, dtype, device, low=None, high=None, exclude_zero=False, **options):
        t = self.original(*shape, dtype=dtype, device=device, low=low, high=high, exclude_zero=exclude_zero, **options)
        if dtype not in GENERATED or t.numel() == 0:
            return t
        floating = dtype.is_floating_point
        first, last = {torch.bool: (0, 2), torch.uint8: (0, 10)}.get(dtype, (-9, 9) if floating else (-9, 10))
        first = first if low is None else low
        last = last if high is None else high
        if not all(map(np.isfinite, (first, last))):
            return t
        if not floating:
            first, last = np.ceil(first), np.ceil(last)
        self.seed += 1
        values = generated(self.seed, t.numel(), float(first), float(last), floating)
        if exclude_zero:
            values = np.where(values == 0, 1.0, values)
        made = torch.from_numpy(values).to(dtype)
        if not exclude_zero:
            self.known[dtype, made.numpy().tobytes()] = f'g{self.seed},{t.numel()},{first:.17g},{last:.17g}'
        with torch.no_grad():
            t.copy_(made.reshape(t.shape))
        return t


    def has(self, t):
        return (t.dtype, t.detach().numpy().tobytes()) in self.known


class Writer:
    def __init__(self, drawn):
        self.drawn = drawn
        self.lines, self.bytes, self.blobs, self.tensors = [], bytearray(), {}, {}

    def blob(self, data):
        place = self.blobs.get(data)
        if place is None:
            place = self.blobs[data] = len(self.bytes)
            self.bytes += data
        return place

    def elements(self, t):
        """Of a flat tensor: drawn, or where they are stored, % in half the bits where that is exact."""
        data = t.view(torch.uint8 if t.dtype == torch.bool else t.dtype)
        if data.dtype in (torch.bfloat16, torch.float16):
            data = data.view(torch.int16)
        data = data.numpy().tobytes()
        drawn = self.drawn.known.get((t.dtype, data))
        if drawn:
            return drawn
        narrow = {torch.float64: torch.float32, torch.int64: torch.int32}.get(t.dtype)
        if narrow and torch.allclose(t.to(narrow).to(t.dtype), t, rtol=0, atol=0, equal_nan=True):
            return f'%{self.blob(t.to(narrow).numpy().tobytes())}'
        return f'@{self.blob(data)}'

    def tensor(self, t):
        """Elements in the order of memory, then how they are seen."""
        if t.dtype not in DTYPES or t.layout != torch.strided:
            return f'u{str(t.dtype if t.layout == torch.strided else t.layout).removeprefix("torch.")}'
        t = t.detach()
        shape, strides = list(t.shape), list(t.stride())
        whole = torch.empty(0, dtype=t.dtype).set_(t.untyped_storage())
        if t.is_contiguous() and t.numel() == whole.numel():
            base, strides, offset = t.reshape(-1), [], []
        else:
            base, offset = whole, [str(t.storage_offset())]
        line = ' '.join(['t', DTYPES[t.dtype], ','.join(map(str, shape)) or '-', ','.join(map(str, strides)) or '-',
                         str(base.numel()), self.elements(base), *offset])
        if line not in self.tensors:
            self.tensors[line] = len(self.tensors)
            self.lines.append(line)
        return f't{self.tensors[line]}'

    def value(self, v):
        """Tokens of a value."""
        if isinstance(v, torch.Tensor):
            return [self.tensor(v)]
        if v is None:
            return ['n']
        if isinstance(v, (bool, np.bool_)):
            return [f'b{int(v)}']
        if isinstance(v, (int, np.integer)):
            return [f'i{v}']
        if isinstance(v, (float, np.floating)):
            return [f'r{float(v)!r}']
        if isinstance(v, str):
            return ['q' + v.replace(' ', '_')]
        if isinstance(v, torch.dtype):
            return ['d' + DTYPES.get(v, str(v).removeprefix('torch.'))]
        if isinstance(v, slice):
            return [':', *self.value(v.start), *self.value(v.stop), *self.value(v.step)]
        if v is Ellipsis:
            return ['e']
        if isinstance(v, (list, tuple)):
            return ['(', *(token for x in v for token in self.value(x)), ')']
        return ['u' + type(v).__name__]

    def summary(self, t):
        """Where the sum and some elements of a result are stored."""
        values = t.detach().reshape(-1).to(torch.float64).numpy()
        finite = np.where(np.isnan(values), NOT_FINITE['nan'], values)
        finite = np.where(np.isposinf(finite), NOT_FINITE['inf'], np.where(np.isneginf(finite), NOT_FINITE['-inf'], finite))
        total = float(np.sum(finite * (0.5 + uniform(WEIGHT, len(values)))))
        n = len(values)
        kept = values if n <= KEPT else values[(np.arange(KEPT) * n) // KEPT]
        with np.errstate(over='ignore'):
            narrow = kept.astype(np.float32)
        magnitude = np.abs(kept[np.isfinite(kept) & (kept != 0)])
        wide = bool(np.any(magnitude > 1e38) or np.any(magnitude < 1e-36))
        exact = t.dtype.is_floating_point or not np.any(magnitude > 1 << 24)
        wide = wide or not exact
        data = struct.pack('<d', total) + (kept.astype('<f8') if wide else narrow.astype('<f4')).tobytes()
        return f'{"w" if wide else "v"}{self.blob(data)}'


def leaves(v):
    if isinstance(v, torch.Tensor):
        yield v
    elif isinstance(v, dict):
        for x in v.values():
            yield from leaves(x)
    elif isinstance(v, (list, tuple)):
        for x in v:
            yield from leaves(x)


def call(op, sample, seed):
    """The results, and whether it drew; op_db's own wrappers set a seed, to which `seed` is added."""
    seeded = []

    def add_seed(own):
        seeded.append(own)
        return set_seed(own + seed)

    torch.manual_seed = add_seed
    set_seed(seed)
    before = torch.get_rng_state()
    out = op(sample.input, *sample.args, **sample.kwargs)
    drew = bool(seeded) or not torch.equal(before, torch.get_rng_state())
    return list(leaves(out)) or [torch.as_tensor(out, dtype=torch.float64 if isinstance(out, float) else None)], drew


def same(a, b):
    return len(a) == len(b) and all(x.shape == y.shape and x.dtype == y.dtype and torch.allclose(x, y, rtol=1e-9, atol=1e-9, equal_nan=True)
                                    for x, y in zip(a, b))


def write_sample(writer, op, sample, checked, contents):
    """The arguments, the results and, where torch itself checks them, the gradients of one; contents: they are
    those of memory."""
    inputs = [t for t in leaves([sample.input, sample.args, sample.kwargs]) if t.requires_grad]
    for t in leaves([sample.input, sample.args, sample.kwargs]):
        if t.dtype == torch.float64 and t.numel() > LARGE and t.is_contiguous() and not writer.drawn.has(t):
            t.data.copy_(t.data.float())
    tokens = writer.value(sample.input)
    for x in sample.args:
        tokens += writer.value(x)
    for name, x in sample.kwargs.items():
        tokens += [f'k{name}', *writer.value(x)]
    outputs, drew = call(op, sample, 1)
    first = [t.detach().clone() for t in outputs]  # some write to their operand
    with torch.no_grad():
        random = drew and not all(same(first, call(op, sample, seed)[0]) for seed in range(2, 12))
    random |= contents
    if any(t.is_complex() or t.layout != torch.strided for t in outputs):
        raise TypeError(f'result {outputs[0].dtype}, {outputs[0].layout}')
    tokens.append('~' if random else '=')
    for t in outputs:
        shape = ','.join(map(str, t.shape)) or '-'
        tokens += [DTYPES.get(t.dtype, str(t.dtype)) + '*' * (t.requires_grad and t.numel() > 0), shape, '-' if random else writer.summary(t)]
    reached = [(k, t) for k, t in enumerate(outputs) if t.requires_grad]
    if inputs and reached and checked:
        cotangents = [torch.from_numpy(generated(COTANGENT + k, t.numel(), -1, 1, True)).reshape(t.shape).to(t.dtype) for k, t in reached]
        gradients = torch.autograd.grad([t for _, t in reached], inputs, cotangents, allow_unused=True)
        tokens.append('^')
        tokens += [str(i) for i, t in enumerate(leaves([sample.input, sample.args, sample.kwargs])) if t.requires_grad]
        tokens.append(':')
        tokens += ['-' if random else writer.summary(torch.zeros_like(t) if g is None else g + torch.zeros_like(t)) for g, t in zip(gradients, inputs)]
    writer.lines.append(' '.join(['s', *tokens]))


def fully_differentiable(o):
    return (o.supports_autograd and o.supports_gradgrad and o.supports_forward_ad and o.supports_fwgrad_bwgrad and
            o.supports_dtype(torch.float64, 'cpu'))


def top_used(names, limit):
    """The names of the list, which holds more than functions of tensors; coverage.py says what each is."""
    return [(name, count) for name, count in sorted(names, key=lambda x: -x[1])[:limit]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', help='only these operations, to standard output')
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings('ignore')
    drawn = Drawn()
    torch.testing.make_tensor = torch.testing._creation.make_tensor = drawn
    from torch.testing._internal.common_methods_invocations import op_db  # takes make_tensor when it is imported
    names = collections.defaultdict(list)
    for o in op_db:
        names[o.name].append(o)
    writer, failures = Writer(drawn), []
    writer.lines.append(f'torch {torch.__version__}')
    for name, variants in names.items():
        kind = family(name)
        full = any(map(fully_differentiable, variants))
        if options.names and name not in options.names:
            continue
        writer.lines.append(f'op {name} {kind} {"full" if full else "part" if variants[0].supports_autograd else "none"}')
        if kind not in ('torch', 'nn', 'special'):
            continue
        for o in variants:
            writer.lines.append(f'v {o.variant_test_name or "-"}')
            dtype = next((d for d in (torch.float64, torch.int64, torch.float32) if o.supports_dtype(d, 'cpu')), None)
            torch.manual_seed = set_seed
            drawn.seed, drawn.known = zlib.crc32(f'{o.name} {o.variant_test_name}'.encode()), {}
            torch.manual_seed(0)
            np.random.seed(0)
            if dtype is None:
                failures.append((name, o.variant_test_name, 'no dtype'))
                continue
            checked = o.variant_test_name == 'grad' or all(v.variant_test_name != 'grad' for v in variants)
            try:
                for sample in o.sample_inputs('cpu', dtype, requires_grad=o.supports_autograd and dtype.is_floating_point):
                    try:
                        write_sample(writer, o.op, sample, checked, 'empty' in name)
                    except Exception as e:
                        failures.append((name, o.variant_test_name, str(e).splitlines()[0]))
                        writer.lines.append(f'x {str(e).splitlines()[0]}')
            except Exception as e:
                failures.append((name, o.variant_test_name, repr(e)[:200]))
    for kind, top, limit in ('torch', usage.top_torch, 150), ('nn', usage.get_nn_functional_top_list(), 70):
        writer.lines += [f'top {kind} {name} {count}' for name, count in top_used(top, limit)]
    for failure in failures:
        print('left out:', *failure, file=sys.stderr)
    if options.names:
        print('\n'.join(writer.lines))
        return
    (HERE / 'opdb.txt').write_text('\n'.join([*writer.lines, '']))
    (HERE / 'opdb.bin').write_bytes(writer.bytes)


if __name__ == '__main__':
    main()
