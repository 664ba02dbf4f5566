#!/usr/bin/env python3
"""A picture of what compare.py measured: bars by model and engine, medians over the rounds.

    bench/plot.py bench/results/2026-11-22-epyc-avx2.csv docs/speed.svg
"""

import csv
import statistics
import sys
from collections import defaultdict
from pathlib import Path

WIDTH, BAR, GAP, LEFT, RIGHT = 640, 16, 26, 150, 70
COLOURS = ["#2b6cb0", "#a0aec0", "#d69e2e", "#68a357"]
KINDS = {"prompt_tps": "prompt", "generate_tps": "generation"}


def medians(path):
    """{(model and depth, kind): {engine: tokens a second}}, in the order of the file."""
    values = defaultdict(lambda: defaultdict(list))
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            depth = f" at {row['depth']}" if row["depth"] != "0" else ""
            for kind in KINDS:
                if row[kind]:
                    values[row["model"] + depth, kind][row["engine"]].append(float(row[kind]))
    return {key: {name: statistics.median(rates) for name, rates in engines.items()}
            for key, engines in values.items()}


def picture(groups):
    engines = list(dict.fromkeys(name for group in groups.values() for name in group))
    lines, y = [], 34
    for i, name in enumerate(engines):
        lines.append(f'<rect x="{LEFT + 140 * i}" y="8" width="12" height="12" '
                     f'fill="{COLOURS[i % len(COLOURS)]}"/>'
                     f'<text x="{LEFT + 140 * i + 18}" y="18">{name}</text>')
    for (model, kind), group in groups.items():
        y += GAP
        lines.append(f'<text x="{LEFT - 8}" y="{y + BAR * len(group) / 2 - 4}" '
                     f'text-anchor="end">{model}</text>'
                     f'<text x="{LEFT - 8}" y="{y + BAR * len(group) / 2 + 11}" '
                     f'text-anchor="end" fill="#718096">{KINDS[kind]}</text>')
        most = max(group.values())
        for name, rate in group.items():
            length = (WIDTH - LEFT - RIGHT) * rate / most
            colour = COLOURS[engines.index(name) % len(COLOURS)]
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 3}" '
                         f'fill="{colour}"/><text x="{LEFT + length + 6:.1f}" y="{y + 11}">'
                         f'{rate:.1f}</text>')
            y += BAR
    style = 'font-family="sans-serif" font-size="12" fill="#1a202c"'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 14}" {style}>'
            f'<rect width="100%" height="100%" fill="white"/>' + "\n".join(lines) + "</svg>\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Path(sys.argv[2]).write_text(picture(medians(sys.argv[1])), encoding="utf-8")
