#!/usr/bin/env python3
"""Programs that must not compile, and what the compiler must say: compile_errors.py COMPILER FLAG...

The cases of MISTAKES run under every supported compiler that is installed: the first line that is an error says which
argument is wrong and what to write, names may be in the lines around it, and at most MOST_LINES follow.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys

PROLOGUE = '''#include <jot/jot.h>
using namespace jot;
struct Key {};  // neither == nor std::hash
Tensor two(const Tensor& a, const Tensor& b);
Tensor one(const Tensor& a);
void program(Tensor x, std::pair<Tensor, int> mixed) {
%s
}
'''

# what is wrong: (statement, part of the message)
CASES = {
    'a temporary matrix is borrowed': ('borrow_eigen(Eigen::MatrixXd(2, 2));', 'a temporary matrix ends with this statement'),
    'an expression is borrowed': ('Eigen::VectorXd v(2); borrow_eigen(2 * v);', 'from_eigen() copies what it gives'),
    'a matrix of complex numbers': ('from_eigen(Eigen::MatrixXcd(2, 2));', 'no dtype has elements of this scalar type'),
    'a map of a temporary tensor': ('map_eigen<Eigen::MatrixXd>(one(x));', 'deleted function'),
    'a map as a type of Eigen': ('map_eigen<Eigen::Map<Eigen::MatrixXd>>(x);', 'name a type of Eigen that owns its elements'),
    'D04 argnums () is empty': ('grad<argnums()>(two)(x, x);', 'argnums must be non-empty'),
    'D04 argnums (0, -2) of 2': ('grad<argnums(0, -2)>(two)(x, x);', 'argnums elements must be unique'),
    'D04 argnums out of range': ('grad<argnums(2)>(two)(x, x);', 'Got argnum out of range'),
    'D04 argnum out of range': ('jacrev<argnum(-3)>(two)(x, x);', 'Got argnum out of range'),
    'two lists of argnums': ('grad<argnums(0), argnum(1)>(two)(x, x);', 'argnum / argnums may be given once'),
    'another option': ('grad<5>(two)(x, x);', 'the options are argnum(i), argnums(i, ...) and has_aux'),
    'D06 has_aux without a pair': ('grad<has_aux>(one)(x);',
                                   'output of function f should be a std::pair{output, aux} if has_aux is given'),
    'D06 has_aux with three': ('grad<has_aux>([](const Tensor& x) { return std::tuple{x, x, x}; })(x);',
                               'output of function f should be a std::pair{output, aux} if has_aux is given'),
    'vjp has_aux without a pair': ('vjp<has_aux>(one, x);',
                                   'output of function f should be a std::pair{output, aux} if has_aux is given'),
    'grad of a tuple': ('grad([](const Tensor& x) { return std::tuple{x, x}; })(x);',
                        'Expected f(*args) to return a Tensor'),
    'a differentiated number': ('grad([](double k, const Tensor& x) { return x * k; })(2.0, x);',
                                'Thing passed to transform API must be Tensor'),
    'a number among differentiated leaves': ('jacrev([](const std::pair<Tensor, int>& p) { return p.first; })(mixed);',
                                             'Thing passed to transform API must be Tensor'),
    'vjp of a number': ('vjp([](double k, const Tensor& x) { return x * k; }, 2.0, x);',
                        'Thing passed to transform API must be Tensor'),
    'jvp of a number': ('jvp([](double k) { return tensor(k); }, primals(2.0), tangents(1.0));',
                        'Expected primals to only contain Tensors'),
    'a number as output': ('jacrev([](const Tensor& x) { return std::pair{x, 5}; })(x);',
                           'expected f to return only tensors, got unsupported type'),
    'nothing as output': ('vjp([](const Tensor&) {}, x);',
                          'Expected f to be a function that has non-empty output'),
    'wrong arguments': ('vmap(two)(x);', 'the function cannot be called with these arguments'),
    'jit key': ('jit([](const Tensor& x, const Key&) { return x; })(x, Key());',
                'a static argument of a jitted function needs == and std::hash'),
    'JOT_TREE without a member': (
        '} struct P { Tensor w; double k[3]; Tensor b; }; JOT_TREE(P, w, k); void rest() {',
        'JOT_TREE lists fewer members than the struct has'),
    'JOT_TREE: how many there are': (
        '} struct Q { Tensor a; std::array<Tensor, 3> b; }; struct P { Q q; Tensor w[2]; std::optional<Tensor> o; int n; };'
        'JOT_TREE(P, q, n); void rest() {', 'JotTreeOf<P, jot::detail::listed<2>, jot::detail::members<4>>'),
    'JOT_TREE with a member twice': (
        '} struct P { Tensor w, b; }; JOT_TREE(P, w, w); void rest() {', 'JOT_TREE lists a member twice: list each member once'),
    'JOT_TREE with a member twice and all others': (
        '} struct P { Tensor w, b; }; JOT_TREE(P, w, b, w); void rest() {', 'JOT_TREE lists a member twice'),
    'JOT_TREE with all members': (
        '(void)x; (void)mixed; } struct P { Tensor w; double k[3]; Tensor b; }; JOT_TREE(P, b, k, w);'
        'struct Nothing {}; JOT_TREE(Nothing);'
        'struct Base { Tensor a; }; struct Q : Base { Tensor b; }; JOT_TREE(Q, a, b); void rest() {', None),
    'no error': ('grad(one)(x); jit([](const Tensor& x, const std::string&) { return x; })(x, std::string()); (void)mixed;', None),
}

MOST_LINES = 40
STRUCTS = '''struct Plain { Tensor pos, vel; };
struct Car { Tensor pos; double mass; };
JOT_TREE(Car, pos, mass);
struct Fleet { std::vector<Car> cars; };
JOT_TREE(Fleet, cars);
%s
void program(Tensor x, Plain plain, Car car, Fleet fleet) {
(void)x; (void)plain; (void)car; (void)fleet;
%s
}
'''
ANNOUNCE = ': it is or holds a struct that is not announced: write JOT_TREE(Struct, member, ...) below the struct'
MEMBER = 'a member of a JOT_TREE struct is none; make it a Tensor, or pass it in another argument'
CONST = 'it takes a reference to non-const; write const Tensor& x'
VOID = 'it returns void; return a Tensor'
# what is wrong: (statement, parts of the first error, names in the message)
MISTAKES = {
    'a struct without JOT_TREE': ('Plain g = grad([](const Plain& p) { return sum(p.pos); })(plain);',
                                  ['argument 0', ANNOUNCE], ['Plain']),
    'the second argument': ('auto g = jacrev<argnum(1)>([](const Tensor& x, const Plain& p) { return x * p.pos; })(x, plain);',
                            ['argument 1', ANNOUNCE], ['Plain']),
    'vjp of a struct': ('auto [y, p] = vjp([](const Plain& p) { return p.pos; }, plain);', ['argument 0', ANNOUNCE], ['Plain']),
    'jvp of a struct': ('auto [y, t] = jvp([](const Plain& p) { return p.pos; }, primals(plain), tangents(plain));',
                        ['argument 0', ANNOUNCE], ['Plain']),
    'a struct as output': ('auto y = jacrev([](const Tensor& x) { return Plain{x, x}; })(x);',
                           ['expected f to return only tensors', 'write JOT_TREE(Struct, member, ...)'], ['Plain']),
    'jit of a struct': ('Tensor y = jit([](const Plain& p) { return p.pos; })(plain);',
                        ['argument 0', 'needs == and std::hash', 'write JOT_TREE(Struct, member, ...)'], ['Plain']),
    'a member that is a number': ('Car g = grad([](const Car& c) { return sum(c.pos) * c.mass; })(car);',
                                  ['argument 0', MEMBER], ['Car', '"mass"', 'double']),
    'a member of a member': ('auto g = jacrev([](const Fleet& f) { return f.cars[0].pos; })(fleet);',
                             ['argument 0', MEMBER], ['Car', '"mass"', 'double']),
    'an output with a number': ('auto g = jacrev([](const Tensor& x) { return Car{x, 1}; })(x);',
                                ['expected f to return only tensors', 'return it as aux'], ['Car', '"mass"']),
    'Tensor&': ('Tensor y = grad([](Tensor& x) { return sum(x); })(x);', ['argument 0', CONST], []),
    'Tensor& in vmap': ('Tensor y = vmap([](const Tensor& a, Tensor& b) { return a + b; })(x, x);', ['argument 1', CONST], []),
    'Tensor& in jit': ('Tensor y = jit([](Tensor& x) { return sum(x); })(x);', ['argument 0', CONST], []),
    'another type': ('Tensor y = vmap([](const Tensor& a, const Plain&) { return a; })(x, x);',
                     ['argument 1', 'it takes another type; write const Tensor& x'], []),
    'too few': ('Tensor y = grad(two)(x);', ['argument 1 is missing', 'it takes more; pass them all'], []),
    'too few in jit': ('Tensor y = jit(two)(x);', ['argument 1 is missing'], []),
    'too many': ('auto [y, p] = vjp(one, x, x);', ['argument 1 is one too many', 'leave it out'], []),
    'generic': ('Tensor y = vmap([](const auto& a, const auto& b) { return a + b; })(x);',
                ['write const Tensor& x or const auto& x'], []),
    'void': ('Tensor y = grad([](const Tensor& x) { x.add_(1); })(x);', [VOID], []),
    'void in vmap': ('Tensor y = vmap([](const Tensor& x) { x.add_(1); })(x);', [VOID], []),
    'void in jit': ('jit([](const Tensor& x) { x.add_(1); })(x);', [VOID], []),
    'void in vjp': ('auto [y, p] = vjp([](const Tensor& x) { x.add_(1); }, x);', [VOID], []),
    'in_dim': ('Tensor y = vmap(one, {.in_dim = 0})(x);', ['argument 1 of vmap', 'write .in_dims'], []),
    'in_dim, a list': ('Tensor y = vmap(two, {.in_dim = {0, none}, .out_dims = 1})(x, x);',
                       ['argument 1 of vmap', 'write .in_dims'], []),
    'out_dim': ('Tensor y = vmap(two, {.in_dims = {0, none}, .out_dim = 1})(x, x);',
                ['argument 1 of vmap', 'write .out_dims'], []),
    'a typo in JOT_TREE': ('auto f = [](const Bad& b) { return sum(b.pos); }; Bad b{x, x}; Bad g = grad(f)(b);',
                           ['has no member named \'vell\'|no member named \'vell\' in \'Bad\''], []),
    'argnum out of range': ('Tensor y = grad<argnum(1)>(one)(x);',
                            ['argument 1', 'Got argnum out of range', 'write argnum(0)'], []),
    'argnums out of range': ('auto y = jacrev<argnums(0, 2)>(two)(x, x);', ['argument 2', 'Got argnum out of range'], []),
    'a negative argnum': ('auto y = grad<argnum(-2)>(one)(x);', ['a negative argnum', 'write argnum(-1)'], []),
    'nothing wrong': ('vmap(one, {})(x); vmap(one, {0})(x); vmap(two, {{0, none}, 1})(x, x); vmap(two, {.in_dims = {0, none}})(x, x);'
                      'vmap(one, {.out_dims = 1})(x); vmap(one)(x);', None, []),
}


def supported_compilers():
    given = sys.argv[1:]
    first = next(i for i, word in enumerate(given) if word.startswith('-'))
    compilers = {os.path.realpath(shutil.which(given[first - 1])): given[:first]}
    for name in ('g++-12', 'g++-14', 'clang++-16'):
        if path := shutil.which(name):
            compilers.setdefault(os.path.realpath(path), [path])
    return [[*compiler, *given[first:]] for compiler in compilers.values()]


def check_mistake(case):
    compiler, name, (statement, parts, names) = case
    bad = 'struct Bad { Tensor pos, vel; };\nJOT_TREE(Bad, pos, vell);' if 'Bad' in statement else ''
    prologue = PROLOGUE[:PROLOGUE.index('void program')]
    result = subprocess.run([*compiler, '-fsyntax-only', '-x', 'c++', '-'], input=prologue + STRUCTS % (bad, statement),
                            capture_output=True, text=True, env={**os.environ, 'LC_ALL': 'C'})
    name = f'{compiler[0]}: {name}'
    lines = result.stderr.splitlines()
    if parts is None:
        return None if result.returncode == 0 else f'{name}: does not compile:\n{result.stderr}'
    first = next((i for i, line in enumerate(lines) if 'error:' in line), None)
    if first is None:
        return f'{name}: compiles'
    missing = [p for p in parts if not any(q in lines[first] for q in p.split('|'))]
    missing += [n for n in names if n not in result.stderr]
    if missing or len(lines) - 1 - first > MOST_LINES:
        return f'{name}: {len(lines) - 1 - first} lines after the first error; missing {missing}:\n{result.stderr[:6000]}'
    return None


def check(case):
    name, (statement, expected) = case
    include = '#include <jot/eigen.h>\n' if 'Eigen::' in statement else ''
    compiler = subprocess.run([*sys.argv[1:], '-fsyntax-only', '-x', 'c++', '-'], input=include + PROLOGUE % statement,
                              capture_output=True, text=True)
    message = ' '.join(compiler.stderr.split()).replace('> >', '>>')
    if expected is None:
        return None if compiler.returncode == 0 else f'{name}: does not compile:\n{compiler.stderr}'
    if compiler.returncode == 0:
        return f'{name}: compiles'
    return None if expected in message else f'{name}: expected "{expected}", got:\n{compiler.stderr[:2000]}'


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    mistakes = [(compiler, *mistake) for compiler in supported_compilers() for mistake in MISTAKES.items()]
    failures = [f for f in [*pool.map(check, CASES.items()), *pool.map(check_mistake, mistakes)] if f]
print('\n'.join(failures))
print(f'{len(CASES) + len(mistakes) - len(failures)} passed, {len(failures)} failed')
sys.exit(bool(failures))
