"""./dev bench: jot and its peers on the same work, side by side, in one run. Needs only the standard library.

  --only NAME,...      workloads (lin33, ba, ...; a prefix ending in - takes all of it: gemm-)
  --peers NAME,...     contenders beside jot
  --quick              fewer and shorter rounds, small selection: under two minutes
  --smoke              every workload of jot at toy size, once, results checked where a peer is at hand (a test)
  --json FILE          the rows
  --compare OLD.json   marks what became slower than the noise
  --plots FOLDER       SVG charts
  --adbench DIR        a checkout of ADBench: builds its hand-written modules beside (never part of this project)
"""
import argparse
import json
import os
import pathlib
import platform
import select
import statistics
import subprocess
import sys
import time

import plots

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PYTHON_PEERS = ["jax", "torch", "torch-compile", "casadi", "casadi-gcc", "mlx"]
QUICK = ["lin33", "lin33t", "elem", "lorenz", "ba", "mlpjac", "chain-100", "chain-1000"]
# What a library has no way to express.
CANNOT = {
    "casadi": {"lorenz", "ba"},
    "casadi-gcc": {"lorenz", "ba"},
    "mlx": {"lin33", "lin33t", "elem", "elemchain", "mlpjac", "psgrad"},
}


def runs(contender, workload):
    kind = workload.split("-")[0]
    if contender == "casadi" and kind == "chain":
        return True
    if contender in CANNOT:
        return kind in CANNOT[contender] or contender == "mlx" and workload.startswith("gemm-f32")
    if contender == "torch-compile":
        return kind not in ("chain", "gemm")
    return True


class Process:
    """One contender on one workload."""

    def __init__(self, contender, workload, size, build, peers_python, limit):
        self.contender, self.workload, self.limit = contender, workload, limit
        env = dict(os.environ)
        name, one_thread = (contender[:-3], True) if contender.endswith("-1t") else (contender, False)
        if one_thread:
            env.update(JOT_NUM_THREADS="1", BENCH_THREADS="1")
        if name in PYTHON_PEERS:
            command = [str(peers_python), str(HERE / "peers" / "worker.py"), name, workload, size]
        else:
            command = [str(build / "bench" / "bench_worker"), name, workload, size]
        self.errors = open(os.devnull, "w") if name in PYTHON_PEERS else None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=env, cwd=ROOT)

    def line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], self.limit)
        if not ready:
            self.stop()
            raise RuntimeError(f"gave no answer in {self.limit} s")
        text = self.process.stdout.readline()
        if not text:
            error = self.process.stderr.read().strip().splitlines()
            raise RuntimeError(error[-1][:200] if error else "ended")
        return json.loads(text)

    def sample(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return self.line()

    def stop(self):
        self.process.kill()
        self.process.communicate()


def agree(a, b, dtype_tolerance):
    if len(a) != len(b):
        return False
    for (n, s, w, absolute), (m, t, v, other) in zip(a, b):
        scale = max(absolute, other, 1e-300)
        if n != m or abs(s - t) > dtype_tolerance * scale or abs(w - v) > dtype_tolerance * scale:
            return False
    return True


def measure(workload, contenders, options):
    """Rows of one workload: all contenders prepared, checked against each other, then timed in rounds."""
    size = "toy" if options.smoke else "full"
    processes, rows = [], []
    for name in contenders:
        row = {"workload": workload, "contender": name, "threads": 1 if name.endswith("-1t") else os.cpu_count()}
        rows.append(row)
        try:
            p = Process(name, workload, size, options.build, options.peers_python, 60 if workload.startswith("chain") else 300)
            facts = p.line()
            row.update(compile_ms=facts["compile_ms"], peak_mb=facts["peak_mb"], note=facts.get("note", ""))
            row["fingerprint"] = facts["fingerprint"]
            processes.append((p, row, []))
        except (RuntimeError, OSError, ValueError) as e:
            row["absent"] = str(e)
    reference = next((r["fingerprint"] for r in rows if not r["contender"].startswith("jot") and "fingerprint" in r), None)
    f64 = workload.split("-")[0] in ("lorenz", "ba", "gmm10", "gmm64", "chain", "stream") or "f64" in workload
    for row in rows:
        if "fingerprint" in row:
            row["agrees"] = reference is None or agree(row["fingerprint"], reference, 1e-8 if f64 else 2e-4)
            del row["fingerprint"]
    rounds, seconds = (3, 0.1) if options.quick else (0, 0) if options.smoke else (15, 0.14)
    for _ in range(rounds):
        for p, _, samples in processes:
            try:
                samples.append(statistics.median(p.sample(seconds)))
            except (RuntimeError, OSError, ValueError):
                pass
    for p, row, samples in processes:
        p.stop()
        if samples:
            row["steady_us"] = statistics.median(samples)
            row["spread"] = (max(samples) - min(samples)) / row["steady_us"]
            row["samples"] = samples
    jot = next((r.get("samples") for r in rows if r["contender"] == "jot"), None)
    for row in rows:
        if jot and row.get("samples") and row["contender"] != "jot":
            pairs = [theirs / ours for ours, theirs in zip(jot, row["samples"])]
            row["ratio"] = statistics.median(pairs)
    for row in rows:
        row.pop("samples", None)
    return rows


def machine():
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(), "date": time.strftime("%Y-%m-%d")}


def table(rows):
    lines = ["| workload | contender | compile ms | steady us | spread | times jot | peak MB | agrees |", "|" + "---|" * 8]

    def number(row, key):
        return f"{row[key]:.4g}" if key in row else ""

    for r in rows:
        if "absent" in r:
            lines.append(f"| {r['workload']} | {r['contender']} | {r['absent']} | | | | | |")
        else:
            lines.append("| " + " | ".join([r["workload"], r["contender"], number(r, "compile_ms"), number(r, "steady_us"),
                                            number(r, "spread"), number(r, "ratio"), number(r, "peak_mb"),
                                            "yes" if r.get("agrees") else "NO"]) + " |")
    return "\n".join(lines)


def compare(rows, old):
    before = {(r["workload"], r["contender"]): r for r in old["rows"] if "steady_us" in r}
    for r in rows:
        o = before.get((r["workload"], r["contender"]))
        if o and "steady_us" in r:
            noise = 1 + max(r["spread"], o["spread"], 0.05)
            if r["steady_us"] > o["steady_us"] * noise:
                print(f"slower: {r['workload']} {r['contender']}: {o['steady_us']:.4g} -> {r['steady_us']:.4g} us")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--only", "--peers", "--json", "--compare", "--plots", "--adbench"):
        parser.add_argument(flag)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--peers-python", type=pathlib.Path, default=ROOT / ".venv-peers" / "bin" / "python")
    options = parser.parse_args()

    listing = subprocess.run([options.build / "bench" / "bench_worker", "--list"], capture_output=True, text=True, check=True)
    native = [line.split(" ", 2) for line in listing.stdout.splitlines()]
    workloads = list(dict.fromkeys(w for _, w, _ in native))
    if options.only:
        wanted = options.only.split(",")
        workloads = [w for w in workloads if any(w == n or n.endswith("-") and w.startswith(n) for n in wanted)]
    elif options.quick:
        workloads = [w for w in workloads if w in QUICK]
    peers = options.peers.split(",") if options.peers is not None else [] if options.smoke else PYTHON_PEERS

    rows, failed = [], False
    for i, workload in enumerate(workloads):
        here = {c: why for c, w, why in native if w == workload}
        if here.get("jot"):
            rows.append({"workload": workload, "contender": "jot", "absent": here["jot"]})
            continue
        contenders = [c for c in here if not here[c]] + ([] if options.smoke else ["jot-1t"])
        contenders += [p for p in peers if p and runs(p, workload)]
        print(f"[{i + 1}/{len(workloads)}] {workload}: {', '.join(contenders)}", file=sys.stderr, flush=True)
        found = measure(workload, contenders, options)
        failed |= any("absent" in r and r["contender"] == "jot" or r.get("agrees") is False for r in found)
        rows += found
    if options.smoke:
        bad = [r for r in rows if "absent" in r and not r["absent"].startswith("waits") or r.get("agrees") is False]
        for r in bad:
            print(f"{r['workload']} {r['contender']}: {r.get('absent', 'results differ')}")
        print(f"{len(rows) - len(bad)} passed, {len(bad)} failed")
        return 1 if bad else 0
    print(table(rows))
    result = {"machine": machine(), "rows": rows}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    if options.plots:
        plots.write(rows, pathlib.Path(options.plots))
    if options.compare:
        compare(rows, json.loads(pathlib.Path(options.compare).read_text()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
