#!/usr/bin/env python3
"""Rules of the tree that no compiler checks. The last line is "N passed, N failed"."""
import argparse
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = ['ir', 'passes', 'backends', 'core']
# The road, from below: a folder never includes a later one.
FLOORS = ['ir/jot', 'ir', 'passes', 'backends',
          'backends/reference', 'backends/cpu/ops', 'backends/cpu/cluster', 'backends/cpu/kernel', 'backends/cpu/emit', 'backends/cpu/runtime',
          'backends/cpu/routines', 'backends/cpu/library', 'backends/cpu/lower', 'backends/cpu/loops', 'backends/cpu',
          'core/jot', 'core/storage', 'core/cache', 'core/record', 'core/functions', 'core/transforms', 'core/nn', 'core/optim', 'core/io', 'core/run',
          'core']
FOLDERS = LAYERS + ['tests', 'bench', 'docs']
CLANG = next(filter(shutil.which, (f'clang++-{version}' for version in range(16, 31))), 'clang++-16 or newer')
COMPILERS = ['g++', CLANG]
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Werror', '-std=c++20']
MAX_LINES = 900
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
DEFINE = re.compile(r'^\s*#\s*define\s+(\w+)', re.M)
# Third-party headers that a public header may include, and the only one that may.
OPTIONAL_HEADERS = {'jot/fmt.h': r'fmt/\w+\.h', 'jot/eigen.h': r'(eigen3/)?Eigen/Core'}


def tree(*patterns):
    return sorted(path for folder in FOLDERS for pattern in patterns for path in (ROOT / folder).rglob(pattern))


def public_files():
    """Headers, and what they include that is none: lists of members."""
    return {str(path.relative_to(ROOT / layer)): path for layer in LAYERS
            for path in (ROOT / layer / 'jot').rglob('*') if path.suffix in ('.h', '.inc')}


def public_headers():
    """{"jot/tensor.h": its path}"""
    return {name: path for name, path in public_files().items() if path.suffix == '.h'}


def floor_of(path):
    """The number of the innermost folder that the road names; beyond it: no part of the library."""
    return next((FLOORS.index(str(folder)) for folder in path.relative_to(ROOT).parents if str(folder) in FLOORS),
                len(FLOORS))


def line_of(text, match):
    return text.count('\n', 0, match.start(1)) + 1


def check_layer(layer):
    """Quoted includes name a file from the root or a public header, on this floor or a lower one."""
    headers = public_files()
    for path in sorted((ROOT / layer).rglob('*')):
        if path.suffix not in ('.h', '.cpp', '.def'):
            continue
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            quote, name = match.groups()
            if quote == '<':
                if name.startswith('jot/'):
                    yield f'{path}:{line_of(text, match)}: write "{name}"'
                continue
            target = headers.get(name, ROOT / name)
            if not target.is_file():
                yield f'{path}:{line_of(text, match)}: no file "{name}" from the root, nor a public header'
            elif floor_of(target) > floor_of(path):
                yield f'{path}:{line_of(text, match)}: {path.relative_to(ROOT).parent} may not include "{name}"'


def check_public_header(name, path):
    """Only standard headers and public ones; macros begin with JOT_."""
    text = path.read_text()
    for match in INCLUDE.finditer(text):
        quote, included = match.groups()
        standard = quote == '<' and re.fullmatch(r'[a-z_]+', included)
        optional = quote == '<' and re.fullmatch(OPTIONAL_HEADERS.get(name, '$'), included)
        if not standard and not optional and included not in public_files():
            yield f'{path}:{line_of(text, match)}: a public header may not include {included}'
    for match in DEFINE.finditer(text):
        if not match.group(1).startswith('JOT_'):
            yield f'{path}:{line_of(text, match)}: macro {match.group(1)} does not begin with JOT_'


def compile_command(compiler, *mode):
    return [compiler, *WARNINGS, f'-I{ROOT}/ir', f'-I{ROOT}/core', *mode, '-x', 'c++', '-']


def compile_text(compiler, text, *mode):
    return subprocess.run(compile_command(compiler, *mode), input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def check_alone(compiler, name):
    """The header compiles first and twice, without a warning."""
    done = compile_text(compiler, f'#include <{name}>\n#include <{name}>\n', '-fsyntax-only')
    if done.returncode:
        yield f'{compiler}: <{name}> does not compile alone:\n{done.stdout}'


def private_headers():
    return sorted(path for layer in LAYERS for path in (ROOT / layer).rglob('*.h') if path.parent != ROOT / layer / 'jot')


def check_private_header(flags, path):
    """The same of a header that is not installed."""
    name = path.relative_to(ROOT)
    done = compile_text('g++', f'#include <{name}>\n#include <{name}>\n', f'-I{ROOT}', *flags, '-fsyntax-only')
    if done.returncode:
        yield f'"{name}" does not compile alone:\n{done.stdout}'


# Sources that the build reads from a table: the table, what names one in it, from which folder.
NAMED = [('ir/ops.def', r'^OP\(\w+, (\w+),', 'ir/ops'),
         ('backends/cpu/routines/routines.def', r'^ROUTINE\(\w+, \w+, ([\w/]+),', 'backends/cpu')]


def listed():
    """The files that some meson.build names, or a table that one reads."""
    named = {(ROOT / folder / f'{name}.cpp').resolve() for table, pattern, folder in NAMED if (ROOT / table).is_file()
             for name in re.findall(pattern, (ROOT / table).read_text(), re.M)}
    return named | {(build.parent / name).resolve() for folder in FOLDERS for build in (ROOT / folder).rglob('meson.build')
                    for name in re.findall(r"'([^'\s]+\.(?:cpp|md))'", build.read_text())}


def check_listed(folder, pattern, what):
    """No file is left out of the build."""
    for path in sorted(set((ROOT / folder).glob(pattern)) - listed()):
        yield f'{path}: {what} not listed in any meson.build'


def check_lengths():
    for path in tree('*.h', '*.cpp', '*.def', '*.py'):
        text = path.read_text()
        lines = text.count('\n')
        if not text.startswith('// Generated') and lines > MAX_LINES:
            yield f'{path}: {lines} lines; split it (at most {MAX_LINES})'


def check_made():
    """CMakeLists.txt makes what meson.build makes; other sources are found in folders."""
    there = (ROOT / 'CMakeLists.txt').read_text() if (ROOT / 'CMakeLists.txt').is_file() else ''
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob('meson.build')):
            for made in re.finditer(r"\bcustom_target\(.*?output: (\[.*?\]|'.*?')", path.read_text(), re.S):
                for name in re.findall(r"'(\w+\.cpp)'", made.group(1)):
                    if name not in there:
                        yield f'{path}: {name} is not made by CMakeLists.txt'


def check_ranges():
    """g++ 14 takes what a temporary AttrView shows for a part of it: loops run over a name."""
    for path in tree('*.h', '*.cpp'):
        text = path.read_text()
        for match in re.finditer(r'\b(for) \([^;()]* : [^;()]*\battrs\([^()]*\)\.(?:ints|first|second)\(', text):
            yield f'{path}:{line_of(text, match)}: name the Ints before the loop (-Wdangling-reference of g++ 14)'


def check_generated():
    done = subprocess.run([sys.executable, ROOT / 'core/functions.py', '--check'], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        yield done.stdout


def check_format():
    formatter = shutil.which('clang-format')
    if not formatter:
        yield 'clang-format is missing: ./dev installs it into .venv'
        return
    done = subprocess.run([formatter, '--dry-run', '--Werror', *tree('*.h', '*.cpp')], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        files = sorted(set(re.findall(r'^(\S+?):\d+:\d+: error', done.stderr, re.M)))
        yield '\n'.join(['run ./dev format on:', *files]) if files else done.stderr


def flags_of(entry):
    """What the other compiler needs to know of the first one's command."""
    flags, words = [], iter(shlex.split(entry['command']))
    for word in words:
        if word == '-isystem':
            flags += [word, next(words)]
        elif re.match(r'-[IDWm]|-std=|-isystem|-fopenmp', word):
            flags.append(word)
    return flags


def check_source(build, entry):
    """The other compiler accepts what the build compiles with the first."""
    done = subprocess.run([CLANG, *flags_of(entry), '-Wno-unknown-warning-option', '-fsyntax-only', entry['file']], cwd=build,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        yield done.stdout


def checks(options):
    for layer in LAYERS:
        yield f'layer {layer}', functools.partial(check_layer, layer)
        yield f'sources of {layer}', functools.partial(check_listed, layer, '**/*.cpp', 'source')
    for folder in ('tests', 'bench', 'docs'):
        yield f'sources of {folder}', functools.partial(check_listed, folder, '**/*.cpp', 'source')
    yield 'pages of docs', functools.partial(check_listed, 'docs', '*.md', 'page')
    yield 'lengths', check_lengths
    yield 'generated headers and pages', check_generated
    yield 'format', check_format
    yield 'ranges', check_ranges
    yield 'what is made', check_made
    for name, path in public_headers().items():
        yield f'public header {name}', functools.partial(check_public_header, name, path)
        for compiler in filter(shutil.which, COMPILERS):
            yield f'{compiler} {name}', functools.partial(check_alone, compiler, name)
    if 'jot/jot.h' in public_headers():
        for what, measure, _, bound in COSTS:
            yield what, functools.partial(check_cost, what, measure, bound)
    if options.sources:
        entries = json.loads((options.build / 'compile_commands.json').read_text())
        sources = [entry for entry in entries if entry['file'].startswith('..')]  # not what is generated
        compiled = next(entry for entry in sources if entry['file'].startswith('../backends/'))
        libraries = [flag for flag in flags_of(compiled) if not flag.startswith(('-I', '-W', '-std'))]
        for path in private_headers():
            yield f'private header {path.relative_to(ROOT)}', functools.partial(check_private_header, libraries, path)
        for entry in sources:
            yield f'{CLANG} {entry["file"]}', functools.partial(check_source, options.build, entry)


def run(options):
    """(name, problems) of each check."""
    names, functions = zip(*checks(options))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(zip(names, pool.map(lambda function: list(function()), functions)))


def processor_seconds(text, *mode, times=3):
    """Of the compiler, as a user; the median of some compilations."""
    found = []
    for _ in range(times):
        with tempfile.TemporaryFile('w+') as source, tempfile.TemporaryFile('w+') as output:
            source.write(text)
            source.seek(0)
            process = subprocess.Popen(compile_command('g++', *mode), stdin=source, stdout=output, stderr=output)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                output.seek(0)
                raise RuntimeError(output.read())
        found.append(usage.ru_utime)
    return statistics.median(found)


def include_cost():
    standard = sorted({name for path in public_headers().values() for quote, name in INCLUDE.findall(path.read_text())
                       if quote == '<' and re.fullmatch(r'[a-z_]+', name)})
    base = ''.join(f'#include <{name}>\n' for name in standard)
    return processor_seconds(base + '#include <jot/jot.h>\n', '-fsyntax-only') - processor_seconds(base, '-fsyntax-only')


def application_cost():
    calls = [f'Tensor t{i}(const Tensor& x) {{ return jacrev([](const Tensor& y) {{ return y * {i}; }})(x); }}\n'
             for i in range(10)]
    start = '#include <jot/jot.h>\nusing namespace jot;\n'
    mode = ('-O0', '-c', '-o', '/dev/null')
    return (processor_seconds(start + ''.join(calls), *mode) - processor_seconds(start + calls[0], *mode)) / (len(calls) - 1)


# What the headers cost a user's compiler: name, what the design asks, the bound that fails. Processor time, which other
# work on the machine changes little.
COSTS = [('#include <jot/jot.h> over its standard headers', include_cost, 0.5, 1.0),
         ('one transform application at -O0', application_cost, 0.03, 0.09)]


def check_cost(what, measure, bound):
    cost = measure()
    if cost > bound:
        yield f'{what}: {cost:.3f} s of processor time; at most {bound}'


def report_costs():
    for what, measure, asked, _ in COSTS:
        print(f'{what}: {1000 * measure():.0f} ms of processor time (at most {1000 * asked:.0f})')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', type=pathlib.Path, help='the build folder')
    parser.add_argument('--sources', action='store_true', help='also compile every source of the build with clang')
    parser.add_argument('--clang', help='the clang that compiles headers and sources, such as clang++-19')
    parser.add_argument('--report', action='store_true', help='also measure what the headers cost a compiler')
    options = parser.parse_args()
    global CLANG
    if options.clang:
        CLANG = COMPILERS[1] = options.clang
    for compiler in COMPILERS:
        if not shutil.which(compiler):
            print(f'no {compiler} here: the headers are not compiled with it')
    passed = failed = 0
    for name, problems in run(options):
        passed, failed = passed + (not problems), failed + bool(problems)
        if problems:
            print(f'FAIL {name}', *problems, sep='\n')
    if options.report and not failed:
        report_costs()
    print(f'{passed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
