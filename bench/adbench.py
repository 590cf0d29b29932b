"""Builds ADBench's modules, from a checkout elsewhere, into programs that speak the protocol of bench/worker.cpp."""
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
WORKLOADS = ['ba', 'gmm10', 'gmm64']
FLAGS = ['-O3', '-march=native', '-ffast-math', '-w']
MODULES = {
    'adbench-manual': ['manual/ManualBA.cpp', 'manual/ba_d.cpp', 'manual/ManualGMM.cpp', 'manual/gmm_d.cpp'],
    'adbench-eigen': ['manualEigen/ManualEigenBA.cpp', 'manualEigen/ba_d.cpp', 'manualEigen/ManualEigenGMM.cpp',
                      'manualEigen/gmm_scalar_d.cpp', 'manualEigen/gmm_d.cpp'],
    'adbench-tapenade': ['tapenade/TapenadeBA.cpp', 'tapenade/ba/ba.c', 'tapenade/ba/ba_b.c', 'tapenade/TapenadeGMM.cpp',
                         'tapenade/gmm/gmm.c', 'tapenade/gmm/gmm_b.c', 'tapenade/utils/adBuffer.c',
                         'tapenade/utils/adStack.c'],
}


def compile_source(source, folder, root, defines):
    """The object file of one source, made anew if older."""
    made = folder / (source.parent.name + '_' + source.name + '.o')
    ours = source.is_relative_to(HERE)
    newest = max(f.stat().st_mtime for f in [source, *(HERE.glob('*.h') if ours else [])])
    if not made.exists() or made.stat().st_mtime < newest:
        compiler = ['gcc'] if source.suffix == '.c' else ['g++', '-std=c++20' if ours else '-std=c++17']
        # The measuring itself is compiled as in bench_worker.
        flags = ['-O3', '-march=native'] if ours else FLAGS
        includes = [f'-I{root}', '-isystem', '/usr/include/eigen3']
        subprocess.run([*compiler, *flags, *defines, *includes, '-c', source, '-o', made], check=True)
    return made


def build(checkout, folder):
    """{contender: program} of the modules that could be built; says so of the others."""
    root = checkout.resolve() / 'src' / 'cpp'
    if not (root / 'modules').is_dir():
        sys.exit(f'{checkout} is not a checkout of ADBench: {root / "modules"} is missing')
    done = subprocess.run(['git', '-C', checkout, 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True)
    version = done.stdout.strip() if done.returncode == 0 else 'unknown version'
    data = [f'-DJOT_BENCH_DATA="{HERE / "data"}"', f'-DJOT_EXAMPLES_DATA="{HERE.parent / "docs" / "examples" / "data"}"']
    programs = {}
    for name, sources in MODULES.items():
        own = folder / name
        own.mkdir(parents=True, exist_ok=True)
        defines = [*data, f'-DADBENCH_NAME="{name}"', f'-DADBENCH_VERSION="{version}"']
        paths = [root / 'modules' / s for s in sources]
        paths += [root / 'shared' / 'utils.cpp', HERE / 'adbench.cpp', HERE / 'worker.cpp']
        try:
            objects = [compile_source(p, own, root, defines) for p in paths]
            subprocess.run(['g++', *objects, '-o', own / name], check=True)
            programs[name] = own / name
        except (subprocess.CalledProcessError, OSError) as e:
            print(f'{name}: not built: {e}', file=sys.stderr)
    return programs
