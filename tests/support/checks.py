"""What the Python tests share: checks that are counted, and the last line, "N passed, N failed"."""
import sys

failures, checks = [], 0


def check(what, condition, shown=''):
    global checks
    checks += 1
    if not condition:
        failures.append(f'{what}: got {shown}')


def skipped(what, why):
    """Of what needs a program or a machine that is not there; ./dev test shows these lines."""
    print(f'skipped: {what}: {why}')


def finish():
    for failure in failures[:30]:
        print(failure)
    print(f'{checks - len(failures)} passed, {len(failures)} failed')
    sys.exit(bool(failures))
