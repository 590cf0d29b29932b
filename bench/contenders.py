"""Processes that measure: one contender on one workload, in the protocol of bench/worker.cpp."""
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
ADBENCH = ['adbench-manual', 'adbench-eigen', 'adbench-tapenade']


def kind(workload):
    return workload.split('-')[0]


def python_peers(workload):
    """By default; products and streams are held against the library or loop itself, called directly."""
    if kind(workload) in LOOPS:
        return ['jax', 'torch']
    return [] if kind(workload) in ('gemm', 'stream') else PYTHON_PEERS


def why_not(contender, workload):
    """What keeps a peer from a workload, if it is known without trying."""
    if contender.startswith('casadi') and kind(workload) not in ('lorenz', 'ba', 'chain'):
        return 'its graphs are of scalars'
    if contender.startswith('torch') and (workload == 'foridx-1000000' or kind(workload) == 'ckpt'):
        return 'a million steps in Python'
    return None


class Process:
    def __init__(self, contender, workload, size, programs, peers_python, limit=240):
        """programs: of the contenders that are not Python; limit: seconds until an answer, a minute where it grows with
        the size of the workload."""
        name = contender.removesuffix('-1t')
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='jot-bench-'))  # of its own: no cache of an earlier process
        environment = {**os.environ, 'TMPDIR': str(self.folder)}
        if name != contender:
            environment.update(JOT_NUM_THREADS='1', OMP_NUM_THREADS='1', BENCH_THREADS='1')
        if name in PYTHON_PEERS:
            command = [peers_python, HERE / 'peers' / 'worker.py', name]
        else:
            command = [programs.get(name, programs['jot']), name]
        self.limit, self.rest = min(limit, 60) if kind(workload) in ('chain', 'foridx') else limit, b''
        self.process = None
        if not os.path.exists(command[0]):
            self.stop()
            raise RuntimeError('not installed')
        self.errors = open(self.folder / 'stderr', 'w+')
        self.process = subprocess.Popen([*command, workload, size], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, env=environment, cwd=self.folder,
                                        start_new_session=True)

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

    def sample(self, seconds):
        """Microseconds a call, several times."""
        self.process.stdin.write(f'{seconds}\n'.encode())
        self.process.stdin.flush()
        return self.answer()

    def stop(self):
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # with the compilers that it runs
            self.process.communicate()
            self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)
