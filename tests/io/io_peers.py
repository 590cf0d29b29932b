#!/usr/bin/env python3
"""Files that jot writes are read by numpy and by the safetensors library: io_peers.py PROGRAM SOURCE.

Uses the first Python that has numpy: this one, or that of .venv-peers; without one nothing is compared, and that is said;
so of safetensors. The last line is "N passed, N failed"."""
import os
import pathlib
import subprocess
import sys
import tempfile

CHECK = r'''
import sys, zipfile
import numpy as np
folder = sys.argv[1]
passed = failed = 0


def check(what, right):
    global passed, failed
    passed, failed = passed + bool(right), failed + (not right)
    if not right:
        print('FAIL', what)


NUMPY = {'bool': np.bool_, 'u8': np.uint8, 'i32': np.int32, 'i64': np.int64, 'f16': np.float16, 'f32': np.float32,
         'f64': np.float64}


def expected(name):
    i = np.arange(6)
    values = i % 2 if name == 'bool' else i if name == 'u8' else (i - 1.0) / (4 if 'f' in name else 1)
    return values.astype(NUMPY[name]).reshape(2, 3)


def same(what, x, y):
    check(what, x.dtype == y.dtype and x.shape == y.shape and np.array_equal(x, y))


def check_all(kind, arrays):
    for name in NUMPY:
        same(f'{kind} {name}', arrays[name], expected(name))
    same(f'{kind} transposed', arrays['transposed'], np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1))
    same(f'{kind} scalar', arrays['scalar'], np.float32(2.5).reshape(()))
    same(f'{kind} empty', arrays['empty'], np.zeros((0, 3), np.float32))
    same(f'{kind} name', arrays['n\u00e4me "quoted"\n'], np.ones(1, np.float32))


check('crc', zipfile.ZipFile(folder + '/all.npz').testzip() is None)
npz = np.load(folder + '/all.npz')
check_all('npz', npz)
bf16 = (np.asarray(expected('f32')).view(np.uint32) >> 16).astype(np.uint16)
same('npz bf16', npz['bf16'].view(np.uint16), bf16)
same('npy', np.load(folder + '/transposed.npy'), np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1))
try:
    import safetensors
    import safetensors.numpy
except ImportError:
    print('no safetensors here: its files are not read back')
else:
    with safetensors.safe_open(folder + '/all.safetensors', 'numpy') as file:
        check('metadata', file.metadata() == {'format': 'pt', 'note': 'a\nb'})
        check_all('safetensors', {name: file.get_tensor(name) for name in file.keys() if name != 'bf16'})
        check('bf16', file.get_slice('bf16').get_dtype() == 'BF16' and file.get_slice('bf16').get_shape() == [2, 3])
print(f'{passed} passed, {failed} failed')
sys.exit(failed != 0)
'''

program, source = sys.argv[1], pathlib.Path(sys.argv[2])
for python in (sys.executable, str(source / '.venv-peers/bin/python')):
    found = os.path.exists(python) and subprocess.run([python, '-c', 'import numpy'], stderr=subprocess.DEVNULL)
    if found and found.returncode == 0:
        break
else:
    print('no numpy here: nothing is read back')
    python = None
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([program, folder], check=True)
    if python is None:
        print('1 passed, 0 failed')  # they are written
    else:
        sys.exit(subprocess.run([python, '-c', CHECK, folder]).returncode)
