#!/usr/bin/env python3
"""Freehold beside its peers: the same files, on this machine, in turns.

Each round runs every engine once, one after the other, so that a change in the machine's mood hits
all of them; medians over the rounds are compared. Peers are programs named llama-bench (llama.cpp
and ik_llama.cpp have one): the one on the PATH, and those given as NAME=FOLDER.

    bench/compare.py --peer ik=~/ik_llama.cpp/build/bin --rounds 5 model.gguf other.gguf

Prints a table in Markdown; --csv appends every single measurement, with machine and commit.
"""

import argparse
import csv
import datetime
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ["date", "commit", "machine", "model", "engine", "threads", "depth", "kv", "prompt",
           "generate", "round", "prompt_tps", "generate_tps", "read_gbps", "int8_tops",
           "bytes_per_token", "ops_per_token"]


class Failure(Exception):
    pass


def run(command):
    """The JSON objects that a command prints, whatever lines it prints before and between them."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    objects, at = [], done.stdout.find("{")
    while at >= 0:
        value, end = json.JSONDecoder().raw_decode(done.stdout, at)
        objects.append(value)
        at = done.stdout.find("{", end)
    return objects


def measure_freehold(program, model, depth, how):
    [told] = run([program, "bench", model, "--json", "--repeat", "1", "--prompt", str(how.prompt),
                  "--generate", str(how.generate), "--depth", str(depth), "--kv", how.kv,
                  "--threads", str(how.threads)] + (["--isa", how.isa] if how.isa else []))
    return {key: told[key] for key in ("prompt_tps", "generate_tps", "read_gbps", "int8_tops",
                                       "bytes_per_token", "ops_per_token")}


def measure_peer(program, model, depth, how):
    command = [program, "-m", model, "-p", str(how.prompt), "-n", str(how.generate), "-t",
               str(how.threads), "-r", "1", "-ctk", how.kv, "-ctv", how.kv, "-fa", "1", "-o",
               "json"]
    if depth > 0:
        command += ["-d", str(depth)]
    told = {"prompt_tps": None, "generate_tps": None}
    for test in run(command):
        kind = "prompt_tps" if test["n_prompt"] > 0 else "generate_tps"
        told[kind] = test["avg_ts"]
    return told


def machine():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':')[1].strip()} x{os.cpu_count()}"
    return f"unknown x{os.cpu_count()}"


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def median(rows, key):
    values = [row[key] for row in rows if row.get(key) is not None]
    return statistics.median(values) if values else None


def ratio(own, other):
    """The median of the rounds' own ratios: each pair ran one after the other."""
    pairs = {kind: [] for kind in ("prompt_tps", "generate_tps")}
    for mine, theirs in zip(own, other):
        for kind, values in pairs.items():
            if mine.get(kind) and theirs.get(kind):
                values.append(mine[kind] / theirs[kind])
    return {kind: statistics.median(values) if values else None for kind, values in pairs.items()}


def cell(value, form):
    return "-" if value is None else format(value, form)


def table(results):
    lines = ["| model | depth | engine | prompt, tokens/s | of the int8 rate | freehold is | generation, "
             "tokens/s | of the read rate | freehold is |", "|" + " --- |" * 9]
    for (model, depth), engines in results.items():
        own = engines["freehold"]
        limits = {key: median(own, key) for key in ("int8_tops", "read_gbps", "bytes_per_token",
                                                    "ops_per_token")}
        for name, rows in engines.items():
            prompt, generate = median(rows, "prompt_tps"), median(rows, "generate_tps")
            compute = prompt and prompt * limits["ops_per_token"] / 1e12 / limits["int8_tops"]
            read = generate and generate * limits["bytes_per_token"] / 1e9 / limits["read_gbps"]
            times = ratio(own, rows) if name != "freehold" else {}
            lines.append(
                f"| {Path(model).stem} | {depth} | {name} | {cell(prompt, '.1f')} | {cell(compute, '.0%')} | "
                f"{cell(times.get('prompt_tps'), '.2f')}x | {cell(generate, '.1f')} | "
                f"{cell(read, '.0%')} | {cell(times.get('generate_tps'), '.2f')}x |")
    return "\n".join(lines).replace("| -x |", "| |")


def find_peers(given):
    peers = {}
    if found := shutil.which("llama-bench"):
        peers["llama.cpp"] = found
    for text in given:
        name, _, where = text.partition("=")
        path = Path(where).expanduser()
        program = path / "llama-bench" if path.is_dir() else path
        if not name or not program.is_file():
            raise Failure(f"--peer {text}: there is no {program}; give NAME=FOLDER of llama-bench")
        peers[name] = str(program)
    return peers


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="GGUF files")
    parser.add_argument("--freehold", default=str(ROOT / "build/release/freehold"))
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--depth", type=int, nargs="+", default=[0], metavar="TOKENS",
                        help="tokens in the cache before those that are timed; one pass for each")
    parser.add_argument("--kv", default="f16", choices=["f16", "q8_0"])
    parser.add_argument("--isa", default="")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--csv", type=Path, help="append every measurement to this file")
    return parser.parse_args()


def append(path, row):
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        if new:
            writer.writeheader()
        writer.writerow(row)


def main():
    how = arguments()
    engines = {"freehold": (measure_freehold, how.freehold)}
    engines.update({name: (measure_peer, program) for name, program in find_peers(how.peer).items()})
    stamp = {"date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine(),
             "threads": how.threads, "kv": how.kv, "prompt": how.prompt, "generate": how.generate}
    results = {}
    for model, depth in itertools.product(how.models, how.depth):
        told = results[model, depth] = {name: [] for name in engines}
        for turn, (name, (measure, program)) in itertools.product(range(how.rounds),
                                                                  engines.items()):
            print(f"{Path(model).name} at {depth}: round {turn + 1} of {how.rounds}, {name}",
                  file=sys.stderr)
            told[name].append(measure(program, model, depth, how))
            if how.csv:
                append(how.csv, stamp | told[name][-1] | {
                    "model": Path(model).stem, "depth": depth, "engine": name, "round": turn + 1})
    print(table(results))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"compare: {failure}")
