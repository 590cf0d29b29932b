"""Processes that measure, in the protocol of bench/worker.cpp or bench/ops/ops.cpp."""
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PYTHON_PEERS = ['jax', 'torch', 'torch-compile', 'mlx', 'casadi', 'casadi-gcc']
LOOPS = ['scan60', 'scan33', 'newton', 'foridx', 'lorenzjac', 'ckpt', 'lstm']  # of bench/jot_loops.cpp
# of bench/jot_programs.cpp
PROGRAMS = ['psgconv', 'ensemble', 'maml', 'ntkjac', 'ntkprod', 'layerjac', 'layerhess', 'hypernet', 'pinn', 'flow', 'flowdet',
            'normgrad']
ADBENCH = ['adbench-manual', 'adbench-eigen', 'adbench-tapenade']


def kind(workload):
    return workload.split('-')[0]


def python_peers(workload):
    """By default; products and streams are held against the library or loop itself, called directly."""
    if kind(workload) in LOOPS:
        return ['jax', 'torch']
    if workload in PROGRAMS:
        return ['jax', 'torch', 'torch-compile']
    return [] if kind(workload) in ('gemm', 'stream') else PYTHON_PEERS


def why_not(contender, workload):
    """What keeps a peer from a workload, if it is known without trying."""
    if contender.startswith('casadi') and kind(workload) not in ('lorenz', 'ba', 'chain'):
        return 'its graphs are of scalars'
    if contender.startswith('torch') and (workload == 'foridx-1000000' or kind(workload) == 'ckpt'):
        return 'a million steps in Python'
    return None


class Process:
    """A program that answers lines with lines of JSON."""

    def __init__(self, command, limit=240, **environment):
        """limit: seconds until an answer."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='jot-bench-'))  # of its own: no cache of an earlier process
        self.limit, self.rest, self.process = limit, b'', None
        if not os.path.exists(command[0]):
            self.stop()
            raise RuntimeError('not installed')
        self.errors = open(self.folder / 'stderr', 'w+')
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        env={**os.environ, 'TMPDIR': str(self.folder), **environment}, cwd=self.folder,
                                        start_new_session=True)

    def ask(self, line):
        self.process.stdin.write(f'{line}\n'.encode())
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        """The next line of JSON; what a library prints beside is skipped."""
        end = time.monotonic() + self.limit
        while True:
            line, found, rest = self.rest.partition(b'\n')
            if found:
                self.rest = rest
                if line[:1] in (b'{', b'['):
                    return json.loads(line)
                continue
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError(f'no answer within {self.limit:g} s')
            part = os.read(self.process.stdout.fileno(), 1 << 16)
            if not part:
                raise RuntimeError(self.last_error())
            self.rest += part

    def last_error(self):
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors if line.strip()]
        return lines[-1][:160] if lines else f'ended with code {self.process.wait()}'

    def stop(self):
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # with the compilers that it runs
            self.process.communicate()
            self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Contender(Process):
    """One contender on one workload."""

    def __init__(self, contender, workload, size, programs, peers_python, limit=240):
        """programs: of the contenders that are not Python; limit: a minute where it grows with the size of the workload."""
        name = contender.removesuffix('-1t')
        one = dict.fromkeys(['JOT_NUM_THREADS', 'OMP_NUM_THREADS', 'BENCH_THREADS'], '1') if name != contender else {}
        if name in PYTHON_PEERS:
            command = [peers_python, HERE / 'peers' / 'worker.py', name]
        else:
            command = [programs.get(name, programs['jot']), name]
        limit = min(limit, 60) if kind(workload) in ('chain', 'foridx') else limit
        super().__init__([*command, workload, size], limit, **one)

    def sample(self, seconds):
        """Microseconds a call, several times."""
        return self.ask(seconds)
