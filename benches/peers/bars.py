"""Our figures against Nchan's, medians of all rounds: `bars.py FILE` reads the rows of one run, each with its round before
it. Fails where a bar is missed, or Nchan was measured and we were not."""

import collections
import statistics
import sys

# Places in a row, after its name.
LOST, CPU, P99 = 1, 2, 5
# What, the load, the figure, and what it may be of Nchan's.
BARS = [
    ("CPU a delivery, 10 followers", "10", CPU, 0.6),
    ("CPU a delivery, 100 followers", "100", CPU, 0.6),
    ("p99 at 30,000/s, 10 followers", "10", P99, 1.0),
    ("p99 at 30,000/s, 100 followers", "100", P99, 1.0),
    ("p99 at 80,000/s, 100 followers", "100-fast", P99, 1.0),
]

# By name, and then by round.
rows = collections.defaultdict(dict)
for line in open(sys.argv[1]):
    turn, name, *cells = line.split()
    rows[name][turn] = [None if cell == "-" else float(cell.replace(",", "")) for cell in cells]

missed = 0
for what, load, column, most in BARS:
    all_ours, all_theirs = rows[f"streamgauge-{load}"], rows[f"nchan-{load}"]
    pairs = [(all_ours[turn], theirs) for turn, theirs in all_theirs.items() if turn in all_ours]
    if not all_theirs:
        continue
    if len(pairs) < len(all_theirs) or any(None in (ours[column], theirs[column]) for ours, theirs in pairs):
        missed += 1
        print(f"{what:<32}not measured in each round")
        continue
    ours, theirs = (statistics.median(row[column] for row in side) for side in zip(*pairs))
    within = sum(mine[column] <= most * other[column] for mine, other in pairs)
    lost = sum(mine[LOST] for mine, _ in pairs)
    is_missed = ours > most * theirs or lost > 0
    missed += is_missed
    print(
        f"{what:<32}{ours:>8.2f} against {theirs:<8.2f}= {ours / theirs:.2f}, at most {most}"
        f"  ({within} of {len(pairs)} rounds, {lost:.0f} lost)  {'MISSED' if is_missed else 'met'}"
    )
sys.exit(missed > 0)
