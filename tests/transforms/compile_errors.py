#!/usr/bin/env python3
"""Programs that must not compile, and what the compiler must say: compile_errors.py COMPILER FLAG..."""
import concurrent.futures
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
    'JOT_TREE with all members': (
        '(void)x; (void)mixed; } struct P { Tensor w; double k[3]; Tensor b; }; JOT_TREE(P, b, k, w);'
        'struct Nothing {}; JOT_TREE(Nothing);'
        'struct Base { Tensor a; }; struct Q : Base { Tensor b; }; JOT_TREE(Q, a, b); void rest() {', None),
    'no error': ('grad(one)(x); jit([](const Tensor& x, const std::string&) { return x; })(x, std::string()); (void)mixed;', None),
}


def check(case):
    name, (statement, expected) = case
    compiler = subprocess.run([*sys.argv[1:], '-fsyntax-only', '-x', 'c++', '-'], input=PROLOGUE % statement,
                              capture_output=True, text=True)
    message = ' '.join(compiler.stderr.split()).replace('> >', '>>')
    if expected is None:
        return None if compiler.returncode == 0 else f'{name}: does not compile:\n{compiler.stderr}'
    if compiler.returncode == 0:
        return f'{name}: compiles'
    return None if expected in message else f'{name}: expected "{expected}", got:\n{compiler.stderr[:2000]}'


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    failures = [f for f in pool.map(check, CASES.items()) if f]
print('\n'.join(failures))
print(f'{len(CASES) - len(failures)} passed, {len(failures)} failed')
sys.exit(bool(failures))
