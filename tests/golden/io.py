#!/usr/bin/env python3
"""Writes small files of numpy, safetensors and torch: io.py FOLDER (tests/io/data). Needs all three and ml_dtypes; the
tests read the files alone.

Element i of an array is i - 1 (of booleans i % 2, of bytes i), of floats (i - 1) / 4; shapes are [2, 3] where the name
does not say otherwise."""
import pathlib
import sys

import ml_dtypes
import numpy as np
import safetensors.torch
import torch

folder = pathlib.Path(sys.argv[1])
NUMPY = {'boolean': np.bool_, 'u8': np.uint8, 'i32': np.int32, 'i64': np.int64, 'f16': np.float16, 'f32': np.float32,
         'f64': np.float64}
TORCH = {'boolean': torch.bool, 'u8': torch.uint8, 'i32': torch.int32, 'i64': torch.int64, 'bf16': torch.bfloat16,
         'f16': torch.float16, 'f32': torch.float32, 'f64': torch.float64}


def array(name, shape=(2, 3)):
    n = int(np.prod(shape))
    if name == 'boolean':
        values = np.arange(n) % 2
    elif name == 'u8':
        values = np.arange(n)
    else:
        values = (np.arange(n) - 1.0) / (4 if 'f' in name else 1)
    return values.astype(ml_dtypes.bfloat16 if name == 'bf16' else NUMPY[name]).reshape(shape)


for name in NUMPY:
    np.save(folder / f'{name}.npy', array(name))
np.save(folder / 'bf16.npy', array('bf16'))
np.save(folder / 'scalar.npy', array('f64', ()))
np.save(folder / 'empty.npy', array('f32', (0, 3)))
np.save(folder / 'fortran.npy', np.asfortranarray(array('f32', (2, 3, 4))))
np.save(folder / 'big_endian.npy', array('f64').astype('>f8'))
np.save(folder / 'big_endian_fortran.npy', np.asfortranarray(array('i32').astype('>i4')))
for version in (2, 3):
    with open(folder / f'version{version}.npy', 'wb') as file:
        np.lib.format.write_array(file, array('f32'), version=(version, 0))
np.save(folder / 'complex.npy', np.zeros(2, np.complex64))
np.save(folder / 'structured.npy', np.zeros(2, [('a', 'f4'), ('b', 'i4')]))
np.savez(folder / 'stored.npz', x=array('f64'), y=array('i64', (5,)), empty=array('f32', (0,)))
# Enough for codes of its own (deflate's dynamic blocks), matches near and far.
np.savez_compressed(folder / 'deflated.npz', x=array('f64'), pattern=(np.arange(3000) * 7 % 251).astype(np.int32),
                    noise=np.random.default_rng(0).standard_normal(100), zeros=np.zeros(40000, np.uint8))
safetensors.torch.save_file({name: torch.from_numpy(array('f32' if name == 'bf16' else name)).to(dtype)
                             for name, dtype in TORCH.items()} | {'scalar': torch.tensor(2.5), 'empty': torch.zeros(0, 3),
                                                                  'näme "quoted"': torch.ones(1)},
                            folder / 'torch.safetensors', metadata={'format': 'pt', 'line': 'a\nb'})
safetensors.torch.save_file({'x': torch.zeros(2, dtype=torch.int16)}, folder / 'int16.safetensors')
