#!/usr/bin/env python3
"""Exported functions: their files as binutils read them, their results beside those of the process that made them, what
calling them costs the system.  export_test.py PROGRAM SOURCES_FOLDER CC"""
import ctypes
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from checks import check, finish, skipped

program, sources, cc = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]


def tool(*command, ok=True, **options):
    done = subprocess.run([str(c) for c in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if ok:
        check(' '.join(map(str, command[:2])), done.returncode == 0, done.stdout)
    return done.stdout


def compiled(folder, source, name, *with_what):
    out = folder / name
    tool(cc, '-std=gnu89', '-O1', '-Wall', '-Wextra', '-Werror', '-I', folder, source, *with_what, '-o', out, '-lpthread')
    return out


def arrays(folder, name, kind, sizes):
    data = (folder / f'{name}.{kind}').read_bytes()
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at:at + size])
        at += size
    return parts


def call(library, name, inputs, sizes):
    """The code that it returns, and the outputs."""
    handle = ctypes.CDLL(str(library))
    bytes_needed = getattr(handle, f'{name}_work_bytes')
    bytes_needed.restype = ctypes.c_size_t
    given = [ctypes.create_string_buffer(data, max(len(data), 1)) for data in inputs]
    made = [ctypes.create_string_buffer(b'\xee' * max(size, 1), max(size, 1)) for size in sizes]
    guard = 64
    work = ctypes.create_string_buffer(b'\xee' * (bytes_needed() + guard), bytes_needed() + guard)
    pointers = [ctypes.c_void_p * max(len(a), 1) for a in (given, made)]
    code = getattr(handle, name)(pointers[0](*map(ctypes.addressof, given)), pointers[1](*map(ctypes.addressof, made)), work)
    check(f'{name} stays within its work memory', work.raw[-guard:] == b'\xee' * guard)
    return code, [m.raw[:size] for m, size in zip(made, sizes)]


def doubles(data):
    return struct.unpack(f'{len(data) // 8}d', data)


def check_results(folder, lines):
    for line in lines:
        name, _, sizes = line.partition(' in')
        ins, outs = ([int(s) for s in part.split()] for part in sizes.split(' out'))
        inputs, expected = arrays(folder, name, 'in', ins), arrays(folder, name, 'out', outs)
        linked = folder / f'{name}_linked.so'
        tool(cc, '-shared', '-nostdlib', '-Wl,--fatal-warnings', '-Wl,-z,text', folder / f'{name}.o', '-o', linked)
        for library in (folder / f'lib{name}.so', linked):
            code, got = call(library, name, inputs, outs)
            check(f'{name} returns', code == 0, code)
            if name.startswith('near_'):
                near = all(abs(p - q) <= 1e-13 * (1 + abs(q)) for a, b in zip(got, expected) for p, q in zip(doubles(a), doubles(b)))
                check(f'{library.name} of {name}', near, [doubles(a)[:8] for a in got + expected])
                continue
            differ = [i for i, (a, b) in enumerate(zip(got, expected)) if a != b]
            check(f'{library.name} of {name}: the same to the bit', not differ,
                  [(i, next(k for k, (p, q) in enumerate(zip(got[i], expected[i])) if p != q)) for i in differ])


def check_files(folder, names):
    for name in names:
        obj, lib = folder / f'{name}.o', folder / f'lib{name}.so'
        check(f'{name}.o needs nothing', tool('nm', '-u', obj).strip() == '', tool('nm', '-u', obj))
        check(f'lib{name}.so needs nothing', tool('nm', '-D', '-u', lib).strip() == '', tool('nm', '-D', '-u', lib))
        for path, flags in ((obj, ()), (lib, ('-D',))):
            symbols = {line.split()[-1] for line in tool('nm', *flags, '--defined-only', path).splitlines()}
            check(f'symbols of {path.name}', {name, f'{name}_work_bytes'} == symbols - {'.bss'}, symbols)
        dynamic = tool('readelf', '-W', '-d', lib)
        check(f'no text relocation, no library: {lib.name}', 'TEXTREL' not in dynamic and 'NEEDED' not in dynamic, dynamic)
        for path in (obj, lib):
            told = tool('readelf', '-W', '-a', path)
            check(f'readelf finds {path.name} sound', not re.search(r'[Ww]arning|[Ee]rror', told), told)
        loads = re.findall(r'^\s+LOAD.*?(R ?W? ?E?)\s+0x', tool('readelf', '-W', '-l', lib), re.M)
        check(f'nothing is written and executed: {lib.name}', loads and not any('W' in l and 'E' in l for l in loads), loads)
        stack = tool('readelf', '-W', '-l', lib)
        check(f'the stack of {lib.name} is not executed', re.search(r'GNU_STACK.* RW ', stack), stack)
        relocations = set(re.findall(r'R_X86_64_\w+', tool('readelf', '-W', '-r', obj)))
        check(f'{name}.o: relocations', relocations <= {'R_X86_64_PC32'}, relocations)
        tool('objdump', '-d', obj)
        header = f'#include "{name}.h"\n#include "{name}.h"\nint main(void) {{ return {name}_work_bytes() == 0; }}\n'
        for language in ('c', 'c++'):
            tool(cc, '-x', language, f'-std={"c89" if language == "c" else "c++98"}', '-pedantic', '-Wall', '-Wextra', '-Werror',
                 '-fsyntax-only', '-I', folder, '-', input=header)


def check_fault(folder, lines):
    line = next(l for l in lines if l.startswith('taken '))
    ins, outs = ([int(s) for s in part.split()] for part in line.partition(' in')[2].split(' out'))
    inputs = arrays(folder, 'taken', 'in', ins)
    for bad in (50, -51, 2**40):
        inputs[1] = bad.to_bytes(8, 'little', signed=True) + inputs[1][8:]
        code, _ = call(folder / 'libtaken.so', 'taken', inputs, outs)
        check(f'index {bad}', code >= 16, code)
    check('the header tells of it', f' {code}: ' in (folder / 'taken.h').read_text(), (folder / 'taken.h').read_text())


def check_calls(folder):
    calls = compiled(folder, sources / 'calls.c', 'calls', folder / 'jac.o')
    if shutil.which('strace'):
        told = tool('strace', '-f', calls).splitlines()
        begin, end = (next((i for i, text in enumerate(told) if f'write(2, "{word}\\n"' in text), -1) for word in ('begin', 'end'))
        between = [t for t in told[begin + 1:end] if t not in ('begin', 'end')]
        between = [t for t in between if re.match(r'^(\[pid|\w+\()', t)]
        check('10^6 calls make no system call', 0 <= begin < end and not between, told[max(begin - 3, 0):end + 3])
    else:
        skipped('system calls of 10^6 calls', 'strace is not installed')
        tool(calls)
    tool(compiled(folder, sources / 'threads.c', 'threads', folder / 'jac.o'))
    steps = compiled(folder, sources / 'steps.c', 'steps', folder / 'jac.o')
    seen, least, greatest = map(int, tool(steps, 300).split())
    check('every call takes as many instructions', seen == 300 and least == greatest > 50, (seen, least, greatest))
    if shutil.which('valgrind'):  # which has no AVX-512: the other code
        calls = compiled(folder, sources / 'same.c', 'same', folder / 'jac.o')
        counts = [re.search(r'Collected : (\d+)', tool('valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null',
                                                       '--toggle-collect=jac', calls, n)) for n in (10000, 0)]
        counts = [found and int(found[1]) for found in counts]
        check('10^4 calls take as many as calls with one input', counts[0] and counts[0] == counts[1], counts)
        told = tool('valgrind', '--error-exitcode=9', '--leak-check=no', folder / 'threads', ok=False)
        check('memcheck', 'ERROR SUMMARY: 0 errors' in told, told)
    else:
        skipped('instructions and memory of calls', 'valgrind is not installed')


def main():
    with tempfile.TemporaryDirectory() as top:
        first, second = pathlib.Path(top) / 'first', pathlib.Path(top) / 'second'
        for folder in (first, second):
            folder.mkdir()
            lines = tool(program, folder, env={**os.environ, 'JOT_NUM_THREADS': '1' if folder == first else '3'}).splitlines()
        names = [line.split()[0] for line in lines]
        check('functions', len(names) > 12, lines)
        for path in sorted(first.iterdir()):
            if path.suffix in ('.o', '.so', '.h'):
                check(f'{path.name} is made again to the byte', path.read_bytes() == (second / path.name).read_bytes())
        check_files(first, names)
        if os.environ.get('JOT_CPU') != 'reference':
            check_results(first, lines)
        check_fault(first, lines)
        check_calls(first)
    finish()


main()
