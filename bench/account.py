#!/usr/bin/env python3
"""Where the processor time of a prompt and of a token goes.

Runs `freehold bench` under perf (Debian: linux-perf), prompts and generation by themselves, and
sorts the samples by the function they fell in. Loading and the probes of the machine are left out.

    bench/account.py --depth 0 4096 -- model.gguf other.gguf

Prints a table in Markdown: shares of the processor time of all threads. Waiting is the time that a
thread spins for others; threads that have given up spinning use no time and are not seen.
"""

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The first that matches the function's name; the rest is `rest`.
KINDS = [
    ("product", r"_product|column_by|decode_column|floats_by|fp8_t"),
    ("attention", r"[Aa]ttend|[Aa]ttention|[Ll]atent|Softmax|Widen"),
    ("waiting", r"SignalWord::wait|Barrier|claim_tasks|futex"),
    ("quantising", r"quantise"),
]
# The last thing before the timed part; see measure_machine in apps/freehold/machine_limits.cc.
PROBES = re.compile(r"int8_probe|measure_(read|int8)|read_all")
COLUMNS = ["product", "attention", "quantising", "rest", "waiting", "system"]


def kind_of(symbol, in_kernel):
    if in_kernel:
        return "system"
    for kind, pattern in KINDS:
        if re.search(pattern, symbol):
            return kind
    return "rest"


def samples(program, model, depth, phase, how):
    """Counts of samples by kind, and by function for those of `rest`."""
    with tempfile.NamedTemporaryFile(suffix=".perf") as data:
        subprocess.run(
            ["perf", "record", "-q", "-F", "997", "-o", data.name, "--", program, "bench", model,
             "--prompt", str(how.prompt if phase == "prompt" else 0), "--generate",
             str(how.generate if phase == "generation" else 0), "--depth", str(depth),
             "--repeat", str(how.repeat), "--json"], check=True, capture_output=True, text=True)
        told = subprocess.run(["perf", "script", "-i", data.name, "-F", "ip,sym"], check=True,
                              capture_output=True, text=True).stdout
    found = [line.strip().partition(" ")[::2] for line in told.splitlines()]
    kinds = [kind_of(symbol, address.startswith("ffff")) for address, symbol in found]
    begin = max((i for i, (_, symbol) in enumerate(found) if PROBES.search(symbol)), default=-1) + 1
    end = max((i for i, kind in enumerate(kinds) if kind == "product"), default=len(kinds)) + 1
    return (Counter(kinds[begin:end]),
            Counter(found[i][1] for i in range(begin, end) if kinds[i] == "rest"))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="GGUF files or folders")
    parser.add_argument("--freehold", default=str(ROOT / "build/release/freehold"))
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--depth", type=int, nargs="+", default=[0], metavar="TOKENS")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rest", type=int, default=0, metavar="N",
                        help="also name the N costliest functions of the rest")
    return parser.parse_args()


def main():
    how = arguments()
    print("| model | depth | | " + " | ".join(COLUMNS) + " |\n|" + " --- |" * (len(COLUMNS) + 3))
    for model, depth, phase in itertools.product(how.models, how.depth, ["prompt", "generation"]):
        kinds, rest = samples(how.freehold, model, depth, phase, how)
        total = sum(kinds.values())
        if total == 0:
            sys.exit(f"account: perf took no samples of {model}; try more --repeat")
        cells = [f"{kinds[column] / total:.1%}" for column in COLUMNS]
        print(f"| {Path(model).stem} | {depth} | {phase} | " + " | ".join(cells) + " |", flush=True)
        for symbol, count in rest.most_common(how.rest):
            print(f"  {count / total:.1%} {symbol[:140]}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, FileNotFoundError) as failure:
        sys.exit(f"account: {failure} {getattr(failure, 'stderr', None) or ''}")
