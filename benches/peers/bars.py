"""Our figures against Nchan's, medians of all rounds: `bars.py FILE` reads the rows of one run. Fails where one is missed."""

import collections
import statistics
import sys

# Places in a row, after its name.
CPU, P99 = 2, 5
# What, the load, the figure, and what it may be of Nchan's.
BARS = [
    ("CPU a delivery, 10 followers", "10", CPU, 0.6),
    ("CPU a delivery, 100 followers", "100", CPU, 0.6),
    ("p99 at 30,000/s, 10 followers", "10", P99, 1.0),
    ("p99 at 30,000/s, 100 followers", "100", P99, 1.0),
    ("p99 at 80,000/s, 100 followers", "100-fast", P99, 1.0),
]

rows = collections.defaultdict(list)
for line in open(sys.argv[1]):
    name, *cells = line.split()
    rows[name].append([None if cell == "-" else float(cell.replace(",", "")) for cell in cells])

missed = 0
for what, load, column, most in BARS:
    pairs = list(zip(rows[f"streamgauge-{load}"], rows[f"nchan-{load}"]))
    figures = [[row[column] for row in side] for side in zip(*pairs)]
    if not pairs or None in figures[0] + figures[1]:
        continue
    ours, theirs = map(statistics.median, figures)
    below = sum(mine <= most * other for mine, other in zip(*figures))
    missed += (is_missed := ours > most * theirs)
    print(
        f"{what:<32}{ours:>8.2f} against {theirs:<8.2f}= {ours / theirs:.2f}, at most {most}"
        f"  ({below} of {len(pairs)} rounds)  {'MISSED' if is_missed else 'met'}"
    )
sys.exit(missed > 0)
