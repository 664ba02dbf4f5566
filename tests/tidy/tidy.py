#!/usr/bin/env python3
"""The rules of the house, checked: who may include whom, how long things may be, what the
documents promise, what must not be mentioned.

    tidy.py ROOT      prints one line for each fault and fails if there is any
"""

import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import cpp

# The room table. `freehold` is the public header.
ROOMS = {
    "base": [],
    "quant": ["base"],
    "gguf": ["quant", "base"],
    "kernels": ["quant", "base"],
    "ops": ["kernels", "quant", "base"],
    "kv": ["base", "freehold"],
    "models": ["ops", "kv", "gguf", "quant", "base"],
    "tokenizer": ["gguf", "base"],
    "chat": ["tokenizer", "base"],
    "sampling": ["base", "freehold"],
    "scheduler": ["kv", "base"],
    "engine": ["models", "kv", "scheduler", "sampling", "base", "freehold"],
    "ledger": ["base"],
    "server": ["chat", "tokenizer", "ledger", "base", "freehold"],
}

MAX_MEDIAN_LINES = 200
MAX_FILE_LINES = 800
MAX_HEADER_LINES = 250
MAX_FUNCTION_LINES = 70
MAX_FORWARD_LINES = 170  # the forward pass of a family is told in one piece
MAX_PARAMETERS = 6
MAX_DATA_BYTES = 40 << 20
MAX_DATA_FILE_BYTES = 8 << 20

# Faults that are meant: the fault's subject and why. One that no longer occurs must go.
EXCEPTIONS = {
    "src/engine/load.cc": "loading wires files, machine and model together",
    "src/engine/local_engine.h": "owns the parts that loading wired together",
    "src/models/model.h": "names the cache's type, which is the kernels' layout",
    "src/gguf/hf_names.cc": "the names of published tensors differ by family",
    "src/gguf/hf_rope.cc": "the RoPE settings of published configurations differ by family",
    "src/kernels/matmul_formats.h": "one template for each block format, read together",
    "src/kernels/vector_rows_test.cc:row_kernels": "a table of cases",
    "src/chat/hostile_test.cc:large": "a table of hostile templates",
    "src/chat/output_parser_test.cc:cases": "a table of answers, format by format",
}

# Written in pieces, so that this file does not mention them either.
FORBIDDEN = [
    (r"\.\./" + "shared", "a path outside the project"),
    (r"/" + r"work/(main|shared|steering)", "a path of one machine"),
    (r"/(root|home/\w+|Users/\w+)" + "/", "a path of one machine"),
    ("py" + r"pi\.org|python" + "hosted|registry.npm" + "js|deb.deb" + "ian.org", "a registry's host"),
]

CODE_FOLDERS = ("src", "apps", "include", "tests", "bench", "fuzz")
TEXT_SUFFIXES = {".cc", ".h", ".py", ".md", ".txt", ".cmake", ".sh", ".json", ".toml", ".mjs", ""}


class Tree:
    """The files of a checkout, read once."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.paths = sorted(self._tracked())
        self._texts = {}

    def _tracked(self):
        try:
            listing = subprocess.run(
                ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others",
                 "--exclude-standard"], check=True, capture_output=True).stdout
            names = [n for n in listing.decode().split("\0") if n]
        except (OSError, subprocess.CalledProcessError):
            names = [str(p.relative_to(self.root)) for p in self.root.rglob("*")]
            names = [n for n in names if not n.startswith(("build/", ".git/"))]
        return [n for n in names if (self.root / n).is_file()]

    def text(self, name):
        if name not in self._texts:
            self._texts[name] = (self.root / name).read_text(encoding="utf-8", errors="replace")
        return self._texts[name]

    def code(self):
        """C++ sources and headers."""
        return [n for n in self.paths
                if n.split("/")[0] in CODE_FOLDERS and n.endswith((".cc", ".h"))]


def check_includes(tree):
    for name in tree.code():
        parts = name.split("/")
        if parts[0] != "src" or len(parts) < 3:
            continue
        room = parts[1]
        if room not in ROOMS:
            yield name, f"room `{room}` is not in the room table"
            continue
        for included in re.findall(r'^#include "([\w.]+)/', tree.text(name), re.MULTILINE):
            if included != room and included not in ROOMS[room]:
                yield name, f"room `{room}` may not include `{included}`"


def check_file_lengths(tree):
    lengths = {name: tree.text(name).count("\n") for name in tree.code()}
    for name, n in lengths.items():
        limit = MAX_HEADER_LINES if name.endswith(".h") else MAX_FILE_LINES
        if n > limit:
            yield name, f"{n} lines, more than {limit}"
    if lengths and statistics.median(lengths.values()) > MAX_MEDIAN_LINES:
        yield "median", f"half of the files have more than {MAX_MEDIAN_LINES} lines"


def check_functions(tree):
    for name in tree.code():
        for function in cpp.functions(tree.text(name)):
            forward = name.startswith("src/models/") and function.name.endswith("forward")
            limit = MAX_FORWARD_LINES if forward else MAX_FUNCTION_LINES
            subject = f"{name}:{function.name}"
            if function.n_lines > limit:
                yield subject, f"{function.n_lines} lines at {function.line}, more than {limit}"
            if function.n_parameters > MAX_PARAMETERS:
                yield subject, f"{function.n_parameters} parameters, more than {MAX_PARAMETERS}"


def check_places(tree):
    """What may be written in one place only."""
    for name in tree.code():
        text = cpp.without_literals(tree.text(name))
        if not name.startswith("src/kernels/"):
            if re.search(r"#\s*(el)?if.*__AVX|#\s*include\s*<\w*mmintrin\.h>|\b_mm\d*_\w+\(", text):
                yield name, "instruction sets are the business of src/kernels"
        if not name.startswith("src/models/") and re.search(r"\bif \([\w.>()-]*\bfamily ==", text):
            yield name, "families are the business of src/models"


def check_mentions(tree):
    for name in tree.paths:
        if Path(name).suffix not in TEXT_SUFFIXES or name.startswith("tests/data/"):
            continue
        if (tree.root / name).stat().st_size > 1 << 20 or name.startswith("fuzz/corpus/"):
            continue
        for line, text in enumerate(tree.text(name).split("\n"), 1):
            for pattern, why in FORBIDDEN:
                if re.search(pattern, text):
                    yield f"{name}:{line}", f"mentions {why}"


def check_openings(tree):
    """A file begins with what it owns and what it refuses."""
    for name in tree.code():
        if not tree.text(name).startswith(("//", "#include")):
            yield name, "does not begin with a comment"
        elif tree.text(name).startswith("#include") and not _has_commented_header(tree, name):
            yield name, "begins with no comment, nor does a header of the same name"


def _has_commented_header(tree, name):
    header = re.sub(r"(_test|_fuzz)?\.cc$", ".h", name)
    return header != name and header in tree.paths and tree.text(header).startswith("//")


def check_data(tree):
    data = [n for n in tree.paths if n.startswith("tests/data/")]
    sizes = {n: (tree.root / n).stat().st_size for n in data}
    for name, size in sizes.items():
        if size > MAX_DATA_FILE_BYTES:
            yield name, f"{size} bytes, more than {MAX_DATA_FILE_BYTES}"
    if sum(sizes.values()) > MAX_DATA_BYTES:
        yield "tests/data", f"{sum(sizes.values())} bytes, more than {MAX_DATA_BYTES}"
    for topic in sorted({n.split("/")[2] for n in data if n.count("/") >= 3}):
        if f"tests/data/{topic}/SOURCE.md" not in tree.paths:
            yield f"tests/data/{topic}", "has no SOURCE.md saying where the data came from"


def check_tour(tree):
    """docs/tour.md names only paths and symbols that exist."""
    if "docs/tour.md" not in tree.paths:
        return
    words = set()
    for name in tree.code():
        words.update(re.findall(r"\w+", tree.text(name)))
    for quoted in sorted(set(re.findall(r"`([^`\n]+)`", tree.text("docs/tour.md")))):
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", quoted):
            if not (tree.root / quoted).exists():
                yield "docs/tour.md", f"`{quoted}` does not exist"
        elif re.fullmatch(r"[A-Za-z_]\w*(::\w+)*(\(\))?", quoted):
            missing = [w for w in re.findall(r"\w+", quoted) if w not in words]
            if missing:
                yield "docs/tour.md", f"`{quoted}`: no code has the name {missing[0]}"


def check_readme(tree):
    """Every command that the README shows exists."""
    if "README.md" not in tree.paths:
        return
    targets = set(re.findall(r"^([a-z]+):", tree.text("Makefile"), re.MULTILINE)) | {""}
    commands = set()
    for name in tree.code():
        if name.startswith("apps/freehold/"):
            commands.update(re.findall(r'add_subcommand\(\s*"(\w+)"', tree.text(name)))
    for block in re.findall(r"^```\w*\n(.*?)^```", tree.text("README.md"), re.MULTILINE | re.DOTALL):
        for line in block.split("\n"):
            line = line.removeprefix("$ ")
            made = re.match(r"make(?: ([a-z]+))?\b", line)
            if made and (made.group(1) or "") not in targets:
                yield "README.md", f"`{line}`: the Makefile has no such target"
            run = re.match(r"(?:build/release/)?freehold ([a-z]+)", line)
            if run and run.group(1) not in commands:
                yield "README.md", f"`{line}`: freehold has no such command"
            script = re.match(r"((?:scripts|tools|bench)/[\w./-]+)", line)
            if script and not (tree.root / script.group(1)).exists():
                yield "README.md", f"`{line}`: there is no such file"


def check_format(tree):
    """clang-format agrees, where Debian 12's version of it is installed."""
    program = shutil.which("clang-format")
    if not program or not tree.code():
        return
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if " 14." not in version:
        return
    run = subprocess.run([program, "--dry-run", "-Werror", *tree.code()], cwd=tree.root,
                         capture_output=True, text=True)
    for name in sorted(set(re.findall(r"^([^:\s]+):\d+:\d+: error", run.stderr, re.MULTILINE))):
        yield name, "is not as clang-format writes it (make format)"


CHECKS = [
    check_includes, check_file_lengths, check_functions, check_places, check_mentions,
    check_openings, check_data, check_tour, check_readme, check_format,
]


def faults(root, exceptions=None):
    """Every fault of the tree as (subject, text), the excepted ones left out."""
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    tree = Tree(root)
    found, used = [], set()
    for check in CHECKS:
        for subject, text in check(tree):
            if subject in exceptions:
                used.add(subject)
            else:
                found.append((subject, text))
    for subject in sorted(set(exceptions) - used):
        found.append((subject, "is listed as an exception and needs none any more"))
    return found


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: tidy.py ROOT")
    found = faults(sys.argv[1])
    for subject, text in found:
        print(f"{subject}: {text}")
    print(f"tidy: {len(found)} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
