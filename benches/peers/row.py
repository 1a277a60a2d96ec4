"""One row of the table: `row.py NAME FILE` reads what the load tool wrote; without arguments it prints the heads."""

import json
import sys

HEADS = ["server-followers", "deliveries/s", "lost", "CPU µs a delivery", "p50 ms", "p95 ms", "p99 ms", "connect p95 ms"]


def show(cells):
    print(f"{cells[0]:<18}" + "".join(f"{cell:>19}" for cell in cells[1:]), flush=True)


def number(value, digits=1):
    return "-" if value is None else f"{value:,.{digits}f}"


if len(sys.argv) < 3:
    show(HEADS)
else:
    figures = json.load(open(sys.argv[2]))["figures"]
    counts, latency, server = figures["counts"], figures["latency"], figures["server"] or {}
    seconds = max(server.get("cpu_seconds_measured") or 0, 1)
    show(
        [
            sys.argv[1],
            number(counts["delivered"] / seconds, 0),
            number(counts["lost"], 0),
            number(server.get("cpu_us_per_delivery"), 2),
            number(latency["p50_ms"]),
            number(latency["p95_ms"]),
            number(latency["p99_ms"]),
            number(figures["connect"]["p95_ms"]),
        ]
    )
