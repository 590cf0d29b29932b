"""What each contender runs, cut from the sources for the page: every job with the functions it calls."""
import ast
import functools
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent / 'docs' / 'examples'
COMMON = [HERE / 'contender.h', HERE / 'jot_job.h']
OWN = [[HERE / 'chain.h', EXAMPLES / 'bundle_adjustment.h', EXAMPLES / 'bundle_adjustment_problem.cpp',
        EXAMPLES / 'mixture.h', HERE / 'hand.h', HERE / 'jot_workloads.cpp'],
       [HERE / 'lstm.h', HERE / 'jot_loops.cpp'],
       [*sorted((EXAMPLES / 'programs').glob('*.h')), HERE / 'jot_programs.cpp']]  # a function is named once in each
CPP_COMMON = ['uniform', 'uniform_tensor', 'arrays', 'figures', 'job']  # shown once
PEERS = HERE / 'peers'


@functools.cache
def cpp_parts(path):
    """(name, text) of the functions and structures of a source, in its order, each with the comment above it."""
    start = r'^((?://[^\n]*\n)*)((?:template <[^\n]*>\n)?(?!namespace|using|const|#|//|extern|template)\w[^\n;]*?'
    parts = []
    for found in re.finditer(start + r'(?:\n [^\n]*?)*?\{(?:[^\n]*\}|.*?^\});?)$', path.read_text(), re.M | re.S):
        head = found.group(2).partition('{')[0]
        name = re.search(r'\bstruct (\w+)', head) or re.search(r'(\w+)\(', head)
        if name:
            parts.append((name.group(1), found.group(0)))
    return parts


@functools.cache
def cpp_words(text):
    return set(re.findall(r'\b\w+\b', re.sub(r'//[^\n]*|"[^"\n]*"', '', text)))


@functools.cache
def python_parts(path):
    source = path.read_text()
    return [(node.name, ast.get_source_segment(source, node)) for node in ast.parse(source).body
            if isinstance(node, ast.FunctionDef)]


@functools.cache
def python_words(text):
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def closure(parts, words, roots):
    """The texts of the parts named `roots` and of all they name, in the order of the source."""
    wanted, added = set(roots), set(roots)
    while added:
        named = set().union(*(words(text) for name, text in parts if name in added))
        added = {name for name, _ in parts if name in named} - wanted
        wanted |= added
    return '\n\n'.join(text for name, text in parts if name in wanted)


def jot(name):
    some = [closure([part for path in paths for part in cpp_parts(path)], cpp_words, [name]) for paths in OWN]
    return next(filter(None, some), '')


def cpp_peers(name):
    """Ceres and Eigen, or the library or loop called directly; '' where there is none."""
    roots = [name, 'multiply_f32', 'multiply_f64'] if name == 'gemm' else [name]
    some = [closure(cpp_parts(HERE / source), cpp_words, roots) for source in ('cpp_peers.cpp', 'direct.cpp')
            if any(part == name for part, _ in cpp_parts(HERE / source))]
    return '\n\n'.join(some)


def python(name):
    some = [closure(python_parts(PEERS / source), python_words, [name]) for source in ('worker.py', 'loops.py', 'programs.py')]
    return next(filter(None, some), '')


def block(summary, *programs):
    """Programs: (language, text)."""
    texts = ''.join(f'```{language}\n{text}\n```\n\n' for language, text in programs if text)
    return f'<details><summary>{summary}</summary>\n\n{texts}</details>\n'


def common():
    """What all jobs use: inputs, calls, and what the libraries call things."""
    ours = [part for path in COMMON for part in cpp_parts(path) if part[0] in CPP_COMMON]
    libraries = (PEERS / 'library.py').read_text().partition('# ---- the libraries')[2].partition('\n')[2]
    inputs = [text for name, text in python_parts(PEERS / 'library.py') if name in ('uniform', 'tensor')]
    return block('common to all', ('c++', '\n\n'.join(text for _, text in ours)),
                 ('python', '\n\n'.join([*inputs, libraries.strip()])))


def section(workloads):
    """The programs of these workloads, as they stand in the sources."""
    names = dict.fromkeys('gmm' if w.startswith('gmm') else w.split('-')[0] for w in workloads)
    blocks = [block(name, ('c++', jot(name)), ('c++', cpp_peers(name)), ('python', python(name)))
              for name in names if jot(name)]
    return '\n'.join([common(), *blocks])
