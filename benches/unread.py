#!/usr/bin/env python3
"""What a release build does under clients that ask for much and read nothing.

    benches/unread.py target/release/streamgauge

Starts the program with a private PostgreSQL, anew for each attack, and attacks it from this machine in two ways: 20
connections of HTTP/2 with a closed window and 128 requests each; 3,000 connections of HTTP/1.1. Prints how much its
memory grows and how long a publish and /readyz take meanwhile. Exit status 1 if a bar is missed: 100 MB, 50 ms, and memory back within 10 s.
"""
import http.client
import json
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

GROWTH, SOON, BACK = 100e6, 0.050, 10
BACK_TO = 20e6


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return bytes([name, len(value)]) + value.encode()


def over_http2(paths):
    """The preface, SETTINGS_INITIAL_WINDOW_SIZE = 0, and a request a path."""
    said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"\0\4\0\0\0\0")
    for index, path in enumerate(paths):
        head = b"\x82\x86" + literal(4, path) + literal(1, "localhost")
        said += frame(1, 5, 1 + 2 * index, head)
    return said


def connect(port, said):
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(said)
    return one


def memory(process):
    with open(f"/proc/{process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


class Client:
    def __init__(self, port):
        self.port = port
        self.http = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, method, path, body=None):
        since = time.monotonic()
        self.http.request(method, path, body, {"content-type": "application/json"} if body else {})
        answer = self.http.getresponse()
        text = answer.read()
        return answer.status, time.monotonic() - since, text


def attack(process, port, name, open_all):
    client = Client(port)
    before = memory(process)
    held = open_all()
    most, took, deadline = 0, {"publish": [], "readyz": []}, time.monotonic() + 8
    while time.monotonic() < deadline:
        event = json.dumps({"stage": "work", "progress": 1})
        for what, request in (
            ("publish", ("POST", "/api/v1/sessions/bench/status", event)),
            ("readyz", ("GET", "/readyz")),
        ):
            status, seconds, _ = client.ask(*request)
            assert status in (200, 202), (what, status)
            took[what].append(seconds)
        most = max(most, memory(process))
        time.sleep(0.01)
    for one in held:
        one.close()
    since = time.monotonic()
    while memory(process) > before + BACK_TO and time.monotonic() < since + 3 * BACK:
        time.sleep(0.05)
    back = time.monotonic() - since
    status, _, _ = Client(port).ask("GET", "/")
    worst = max(max(times) for times in took.values())
    late = sum(seconds > SOON for times in took.values() for seconds in times)
    median = max(statistics.median(times) for times in took.values())
    grew = most - before
    missed = grew > GROWTH or worst > SOON or back > BACK or status != 200
    print(
        f"{name}: {before / 1e6:.0f} MB before, +{grew / 1e6:.0f} MB (bar {GROWTH / 1e6:.0f}); publish and /readyz "
        f"median {median * 1e3:.1f} ms, worst {worst * 1e3:.1f} ms, {late} of {2 * len(took['readyz'])} over the bar of {SOON * 1e3:.0f}; "
        f"within {BACK_TO / 1e6:.0f} MB of before after {back:.1f} s (bar {BACK})  {'MISSED' if missed else 'met'}",
        flush=True,
    )
    return missed


def on_a_fresh_server(program, name, requests):
    """`requests`: what each connection says, from the paths of a page, the panels and the largest file."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="sg-bench-", dir="/var/tmp") as folder:
        # As root the private PostgreSQL runs as another user, who has to pass.
        subprocess.run(["chmod", "755", folder], check=True)
        flags = ["serve", "--listen", f"127.0.0.1:{port}", "--data-dir", f"{folder}/data"]
        process = subprocess.Popen([program, *flags], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    if Client(port).ask("GET", "/readyz")[0] == 200:
                        break
                except OSError:
                    assert time.monotonic() < deadline, "the server does not start"
                    time.sleep(0.1)
            page = Client(port).ask("GET", "/")[2].decode()
            file = re.search(r'"(/assets/[^"]*\.wasm)"', page)
            paths = ["/", "/panels", file.group(1) if file else "/sdk/streamgauge.js"]
            for path in paths:
                assert Client(port).ask("GET", path)[0] == 200, path
            time.sleep(3)
            said = requests(paths)
            return attack(process, port, name, lambda: [connect(port, one) for one in said])
        finally:
            process.terminate()
            process.wait()


def main():
    program = sys.argv[1]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    many = lambda paths: [over_http2([paths[n % 3] for n in range(128)])] * 20
    plain = lambda path: f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
    single = lambda paths: [plain(paths[n % 3]) for n in range(3000)]
    missed = on_a_fresh_server(program, "HTTP/2, 20 x 128", many)
    missed |= on_a_fresh_server(program, "HTTP/1.1, 3,000", single)
    sys.exit(1 if missed else 0)


main()
