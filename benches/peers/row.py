"""One row of the table: `row.py NAME FILE` reads what the load tool wrote; without arguments it prints the heads."""

import json
import sys

HEADS = ["server-followers", "deliveries/s", "lost", "CPU µs a delivery", "p50 ms", "p95 ms", "p99 ms", "connect p95 ms"]


def show(cells):
    print(f"{cells[0]:<24}" + "".join(f"{cell:>19}" for cell in cells[1:]), flush=True)


def number(value, digits=1):
    return "-" if value is None else f"{value:,.{digits}f}"


if len(sys.argv) < 3:
    show(HEADS)
else:
    run = json.load(open(sys.argv[2]))
    figures = run["figures"]
    counts, latency, server = figures["counts"], figures["latency"], figures["server"] or {}
    # Messages begin and end within a second, so those two are left out; waiting for an end that a peer never says is none.
    sending = [point["deliveries_per_second"] for point in run["timeline"] if point["messages_per_second"] > 0][1:-1]
    show(
        [
            sys.argv[1],
            number(sum(sending) / len(sending) if sending else None, 0),
            number(counts["lost"], 0),
            number(server.get("cpu_us_per_delivery"), 2),
            number(latency["p50_ms"], 2),
            number(latency["p95_ms"], 2),
            number(latency["p99_ms"], 2),
            number(figures["connect"]["p95_ms"]),
        ]
    )
