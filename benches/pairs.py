#!/usr/bin/env python3
"""Two builds by turns under the same loads, so that a busy or slow machine hits both alike.

    benches/pairs.py BEFORE AFTER           # two release programs

Each is started anew for its turn, with a private PostgreSQL of its own, since an allocator keeps what a crowd has used. A
pair is one run of each, A B, then B A. Printed are both medians, the geometric mean of the ratios AFTER / BEFORE with its 95 %
interval (Student's t of the logarithms), and whether the interval reaches below the bar. Exit status 1 if one does not.

PAIRS (9) and SECONDS_OF_LOAD (6) change it. Polls need `wrk`, instructions need a kernel that lets `perf stat` count them.
"""
import json
import math
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

# An interval needs more than one pair.
PAIRS, SECONDS = max(2, int(os.environ.get("PAIRS", 9))), int(os.environ.get("SECONDS_OF_LOAD", 6))
# Of Student's t, both sides 95 %, by degrees of freedom.
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 11: 2.201}
# The ratio that the interval must reach below.
BAR = {"CPU a delivery": 1.02, "instructions a delivery": 1.02, "CPU a poll": 1.02, "idle stream": 1.02, "connect p95": 1.1}
UNIT = {"CPU a delivery": "us", "instructions a delivery": "", "CPU a poll": "us", "idle stream": "kB", "connect p95": "ms"}
TICK = os.sysconf("SC_CLK_TCK")


class Build:
    def __init__(self, program, folder):
        self.program = program
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        flags = ["serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", folder]
        self.process = subprocess.Popen([program, *flags], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.get("/readyz")
                return
            except OSError:
                assert time.monotonic() < deadline, f"{program} does not start"
                time.sleep(0.1)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return answer.read()

    def post(self, path, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=5).read()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def load(self, tool, out, scenario, *options):
        command = [tool, "loadtest", scenario, "--url", f"http://127.0.0.1:{self.port}", "--no-post", "--json", out]
        command += ["--server-pid", str(self.process.pid), *options]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        with open(out) as result:
            return json.load(result)["figures"]

    def measure(self, tool, out):
        figures = {}
        idle = self.load(tool, out, "idle", "--streams", "4000", "--arrivals", "1000", "--duration", "10s")
        figures["connect p95"] = idle["connect"]["p95_ms"]
        figures["idle stream"] = idle["server"]["idle_stream_kb"]
        counts = counter(self.process.pid)
        load = ["--sessions", "50", "--streams", "500", "--rate", "60", "--arrivals", "500", "--duration", f"{SECONDS}s"]
        result = self.load(tool, out, "burst", *load)
        instructions = counts()
        figures["CPU a delivery"] = result["server"]["cpu_us_per_delivery"]
        if instructions:
            figures["instructions a delivery"] = instructions / result["counts"]["delivered"]
        if shutil.which("wrk"):
            figures["CPU a poll"] = self.polls()
        return {name: value for name, value in figures.items() if value is not None}

    def polls(self):
        self.post("/api/v1/sessions/polled/status", {"stage": "work", "progress": 1})
        before = self.cpu()
        url = f"http://127.0.0.1:{self.port}/api/v1/sessions/polled/status"
        said = subprocess.run(["wrk", "-t1", "-c8", f"-d{SECONDS}s", url], capture_output=True, text=True, check=True)
        requests = next(int(line.split()[0]) for line in said.stdout.splitlines() if "requests in" in line)
        return (self.cpu() - before) / requests * 1e6


def counter(pid):
    """Begins to count a process's instructions; what is answered ends it."""
    perf = shutil.which("perf")
    if not perf:
        return lambda: None
    command = [perf, "stat", "-x,", "-e", "instructions:u", "-p", str(pid)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def end():
        process.send_signal(signal.SIGINT)
        first = process.communicate()[1].split(",")[0].strip()
        return int(first) if first.isdigit() else None

    return end


def main():
    tool = sys.argv[2]
    rows = {}
    with tempfile.TemporaryDirectory(prefix="sg-bench-", dir="/var/tmp") as folder:
        # As root the private PostgreSQL runs as another user, who has to pass.
        os.chmod(folder, 0o755)
        for pair in range(PAIRS):
            both = [None, None]
            for which in (0, 1) if pair % 2 == 0 else (1, 0):
                build = Build(sys.argv[1 + which], f"{folder}/{which}")
                try:
                    time.sleep(3)
                    both[which] = build.measure(tool, f"{folder}/result.json")
                finally:
                    build.stop()
            for name in both[0].keys() & both[1].keys():
                rows.setdefault(name, []).append((both[0][name], both[1][name]))
            figures = (f"{name} {both[0][name]:.4g} {both[1][name]:.4g}" for name in sorted(both[0].keys() & both[1].keys()))
            print(f"pair {pair + 1}: " + ", ".join(figures), flush=True)
    missed = False
    for name, pairs in sorted(rows.items()):
        logs = [math.log(after / before) for before, after in pairs]
        mean = statistics.mean(logs)
        half = T[min(len(logs) - 1, max(T))] * statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else math.inf
        low, high = math.exp(mean - half), math.exp(mean + half)
        before, after = (statistics.median(side) for side in zip(*pairs))
        is_met = low < BAR[name]
        missed |= not is_met
        print(
            f"{name}: {before:.4g} -> {after:.4g} {UNIT[name]}, ratio {math.exp(mean):.3f} "
            f"({low:.3f} to {high:.3f}, {len(pairs)} pairs), below {BAR[name]}: {'met' if is_met else 'MISSED'}"
        )
    sys.exit(1 if missed else 0)


main()
