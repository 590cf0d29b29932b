"""What the tests of installations share: commands, checks, the README's first program."""
import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
README = (SOURCE / 'README.md').read_text()
EXAMPLE = next(code for code in re.findall(r'^```cpp\n(.*?)^```$', README, re.M | re.S) if 'int main(' in code)
# The block of output that follows it.
EXPECTED = re.search(r'^```\n(.*?)^```$', README[README.index(EXAMPLE) + len(EXAMPLE) + 4:], re.M | re.S)[1]


def command(*arguments, cwd=None, **environment):
    """The command's output; its failure ends the check."""
    environment = {**{name: value for name, value in os.environ.items() if name != 'LD_LIBRARY_PATH'},
                   **{name: str(value) for name, value in environment.items()}}
    done = subprocess.run([str(argument) for argument in arguments], cwd=cwd, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f'{" ".join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}')
    return done.stdout


def pkg_config(prefix, name):
    """Flags of a package of that prefix."""
    return command('pkg-config', '--cflags', '--libs', name, PKG_CONFIG_PATH=prefix / 'lib/pkgconfig').split()


def prints_what_the_readme_shows(program, **environment):
    printed = command(program, **environment)
    assert printed == EXPECTED, f'the README shows another output than\n{printed}'


class Checks:
    passed = failed = 0

    def __call__(self, name, function, *arguments):
        try:
            function(*arguments)
            self.passed += 1
        except Exception as error:
            self.failed += 1
            print(f'FAIL {name}: {error}')

    def finish(self):
        print(f'{self.passed} passed, {self.failed} failed')
        sys.exit(self.failed != 0)
