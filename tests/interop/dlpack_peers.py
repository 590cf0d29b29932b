#!/usr/bin/env python3
"""Tensors between jot, numpy and torch by DLPack, in one process: dlpack_peers.py BRIDGE SOURCE.

Each peer runs in the first Python that has it: this one, or that of .venv-peers; one that nobody has is left out, and that is
said. The last line is "N passed, N failed"."""
import os
import pathlib
import re
import subprocess
import sys

CHECK = r'''
import ctypes, gc, sys
from ctypes import c_char_p, c_double, c_int, c_int64, c_void_p, py_object

bridge = ctypes.CDLL(sys.argv[1])
for name, result, *arguments in [
        ('text', c_char_p), ('from', c_void_p, c_void_p, c_int), ('to', c_void_p, c_void_p, c_int, c_int),
        ('numbers', c_void_p, c_int, ctypes.POINTER(c_int64), c_int), ('transposed', c_void_p, c_void_p),
        ('add', None, c_void_p, c_double), ('sum', c_double, c_void_p), ('dtype', c_int, c_void_p),
        ('drop', None, c_void_p), ('delete', None, c_void_p, c_int)]:
    function = getattr(bridge, 'bridge_' + name)
    function.restype, function.argtypes = result, arguments
api = ctypes.pythonapi
api.PyCapsule_New.restype, api.PyCapsule_New.argtypes = py_object, [c_void_p, c_char_p, c_void_p]
api.PyCapsule_GetPointer.restype, api.PyCapsule_GetPointer.argtypes = c_void_p, [py_object, c_char_p]
api.PyCapsule_IsValid.restype, api.PyCapsule_IsValid.argtypes = c_int, [py_object, c_char_p]
api.PyCapsule_SetName.argtypes = [py_object, c_char_p]
CAPSULES = [b'dltensor', b'dltensor_versioned']
USED = [b'used_dltensor', b'used_dltensor_versioned']
DTYPES = ['bool', 'u8', 'i32', 'i64', 'bf16', 'f16', 'f32', 'f64']
passed = failed = 0


def check(what, right):
    global passed, failed
    passed, failed = passed + bool(right), failed + (not right)
    if not right:
        print('FAIL', what, bridge.bridge_text().decode())


class Error(Exception):
    pass


def pointer(p):
    if not p:
        raise Error(bridge.bridge_text().decode())
    return p


class Jot:
    """A tensor of jot, with the protocol of the array API."""
    newest = True  # gives capsules with a version where it is asked for them
    read_only = False

    def __init__(self, handle):
        self.handle = pointer(handle)

    def __del__(self):
        if hasattr(self, 'handle'):
            bridge.bridge_drop(self.handle)

    @staticmethod
    def numbers(dtype, *shape):
        return Jot(bridge.bridge_numbers(DTYPES.index(dtype), (c_int64 * len(shape))(*shape), len(shape)))

    @staticmethod
    def of(array, **how):
        capsule = array.__dlpack__(**how)
        versioned = api.PyCapsule_IsValid(capsule, CAPSULES[1])
        taken = Jot(bridge.bridge_from(api.PyCapsule_GetPointer(capsule, CAPSULES[versioned]), versioned))
        api.PyCapsule_SetName(capsule, USED[versioned])
        return taken

    def transposed(self):
        return Jot(bridge.bridge_transposed(self.handle))

    def sum(self):
        return bridge.bridge_sum(self.handle)

    def add(self, x):
        bridge.bridge_add(self.handle, x)

    @property
    def dtype(self):
        return DTYPES[bridge.bridge_dtype(self.handle)]

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        versioned = int(self.newest and max_version is not None and max_version >= (1, 0))
        managed = pointer(bridge.bridge_to(self.handle, versioned, int(self.read_only)))
        return api.PyCapsule_New(managed, CAPSULES[versioned], None)


def refuses(text, array, **how):
    try:
        Jot.of(array, **how)
    except Error as error:
        return text in str(error)
    return False


def exchange(dtypes, take, equal_to_numbers, hows):
    for dtype in dtypes:
        for newest in (False, True):
            jot = Jot.numbers(dtype, 3, 4)
            jot.newest = newest
            array = take(jot)
            check(f'{dtype} out, versioned {newest}', equal_to_numbers(array, dtype, (3, 4)))
            check(f'{dtype} transposed', equal_to_numbers(take(jot.transposed()).T, dtype, (3, 4)))
            del jot
            gc.collect()
            check(f'{dtype} outlives its tensor', equal_to_numbers(array, dtype, (3, 4)))
            for how in hows(array):
                back = Jot.of(array, **how)
                check(f'{dtype} and back', back.dtype == dtype and back.sum() == (6 if dtype == 'bool' else 66))
                check(f'{dtype} strided', Jot.of(array[::2, 1::2], **how).sum() == (4 if dtype == 'bool' else 24))
            del array
            gc.collect()
            check(f'{dtype} outlives its array', back.sum() == (6 if dtype == 'bool' else 66))


'''

NUMPY = r'''
import numpy as np
print('numpy', np.__version__)
TYPES = {'bool': np.bool_, 'u8': np.uint8, 'i32': np.int32, 'i64': np.int64, 'f16': np.float16, 'f32': np.float32,
         'f64': np.float64}


def numbers(dtype, shape):
    i = np.arange(np.prod(shape, dtype=int))
    return (i % 2 if dtype == 'bool' else i).astype(TYPES[dtype]).reshape(shape)


def same(array, dtype, shape):
    return array.dtype == TYPES[dtype] and np.array_equal(array, numbers(dtype, shape))


newest = int(np.__version__.split('.')[0]) >= 2
# Arrays that numpy does not write go out with a version only.
exchange(TYPES, np.from_dlpack, same, lambda array: [{}] * array.flags.writeable + [{'max_version': (1, 0)}] * newest)
for shape in [(), (0, 3), (2, 1, 3), (1,)]:
    check(f'shape {shape}', same(np.from_dlpack(Jot.numbers('f64', *shape)), 'f64', shape))
    check(f'shape {shape} back', Jot.of(numbers('f64', shape)).sum() == numbers('f64', shape).sum())

jot = Jot.numbers('f64', 3, 4)
array = np.from_dlpack(jot)
jot.add(1)
check('a write of jot is seen', array[0, 0] == 1)
check('writable where numpy knows that it may be', not newest or array.flags.writeable)
x = np.arange(6.0)
jot = Jot.of(x)
x[0] = 100
check('a write of numpy is seen', jot.sum() == 115)
jot.add(1)
check('a write of jot reaches numpy', x[0] == 101 and x[5] == 6)
if newest:
    jot = Jot.numbers('f64', 3)
    jot.read_only = True
    array = np.from_dlpack(jot)
    check('read-only for numpy', not array.flags.writeable)
    jot.add(1)
    check('read-only keeps what it was', array[0] == 0 and jot.sum() == 6)
    fixed = np.arange(3.0)
    fixed.flags.writeable = False
    jot = Jot.of(fixed, max_version=(1, 0))
    jot.add(1)
    check('read-only memory of numpy is not written', fixed[0] == 0 and jot.sum() == 6)
check('negative strides', refuses('stride -1 of dim 0 is negative', np.arange(3.0)[::-1]))
check('int16', refuses('the elements are int16', np.arange(3, dtype=np.int16)))
check('complex', refuses('the elements are complex128', np.zeros(3, complex)))
odd = np.zeros(33, np.uint8)[1:].view(np.float64)
check('misaligned', refuses('multiple of 8 bytes', odd))
references = sys.getrefcount(x)
kept = Jot.of(x)
check('jot holds the array', sys.getrefcount(x) > references or kept.sum() is not None)
del kept
gc.collect()
check('the deleter lets it go', sys.getrefcount(x) == references)
'''

TORCH = r'''
import torch
print('torch', torch.__version__)
TYPES = {'bool': torch.bool, 'u8': torch.uint8, 'i32': torch.int32, 'i64': torch.int64, 'bf16': torch.bfloat16,
         'f16': torch.float16, 'f32': torch.float32, 'f64': torch.float64}


def same(array, dtype, shape):
    i = torch.arange(12)
    return array.dtype == TYPES[dtype] and torch.equal(array, (i % 2 if dtype == 'bool' else i).to(TYPES[dtype]).reshape(shape))


exchange(TYPES, torch.from_dlpack, same, lambda array: [{}, {'max_version': (1, 0)}])
jot = Jot.numbers('bf16', 3, 4)
array = torch.from_dlpack(jot)
array += 1
check('a write of torch is seen', jot.sum() == 78)
jot.add(1)
check('a write of jot is seen', array[0, 0] == 2)
check('batches', Jot.of(torch.ones(2, 1, 3).expand(2, 5, 3)).sum() == 30)
check('complex', refuses('the elements are complex64', torch.zeros(3, dtype=torch.complex64)))
check('int8', refuses('the elements are int8', torch.zeros(3, dtype=torch.int8)))
'''

END = "\nprint(f'{passed} passed, {failed} failed')\nsys.exit(failed != 0)\n"

bridge, source = sys.argv[1], pathlib.Path(sys.argv[2])
passed = failed = 0
for peer, part in (('numpy', NUMPY), ('torch', TORCH)):
    for python in (sys.executable, str(source / '.venv-peers/bin/python')):
        if os.path.exists(python) and not subprocess.run([python, '-c', f'import {peer}'], stderr=subprocess.DEVNULL).returncode:
            break
    else:
        print(f'no {peer} here: nothing is exchanged with it')
        continue
    done = subprocess.run([python, '-c', CHECK + part + END, bridge], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout)
    count = re.search(r'^(\d+) passed, (\d+) failed$', done.stdout, re.M)
    good, bad = map(int, count.groups()) if count else (0, 1)
    passed, failed = passed + good, failed + max(bad, done.returncode != 0)
print(f'{passed} passed, {failed} failed')
sys.exit(failed != 0)
