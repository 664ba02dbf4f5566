#!/usr/bin/env python3
"""The program from outside: exit codes, errors, and the commands on a small model.

    cli_test.py FREEHOLD DATA     FREEHOLD: the program; DATA: tests/data
"""

import array
import gzip
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from wide_model import widen  # noqa: E402

FREEHOLD, DATA = "", Path()
COMMANDS = ["run", "list", "pull", "remove", "inspect", "tokenize", "render", "bench", "logits",
            "perplexity", "quantize"]


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        cls.model = str(cls.path / "micro-llama.gguf")
        packed = DATA / "logits" / "micro-llama.gguf.gz"
        Path(cls.model).write_bytes(gzip.decompress(packed.read_bytes()))
        cls.golden = json.loads((DATA / "logits" / "micro-llama.json").read_text())
        cls.tokens = str(DATA / "logits" / "micro-llama.json")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def freehold(self, *arguments, stdin="", code=0):
        environment = dict(os.environ, FREEHOLD_HOME=str(self.path / "home"))
        run = subprocess.run([FREEHOLD, *arguments], input=stdin, capture_output=True, text=True,
                             env=environment, timeout=300)
        self.assertEqual(run.returncode, code, run.stderr)
        if code != 0:
            self.assertRegex(run.stderr, r"(?m)^freehold: ")
        return run.stdout if code == 0 else run.stderr

    def logits(self, *options):
        output = self.path / "out.f32"
        self.freehold("logits", self.model, "--tokens", self.tokens, "--output", str(output),
                      *options)
        return output.read_bytes()

    def test_every_command_explains_itself(self):
        self.assertIn("freehold 0.", self.freehold("--version"))
        listing = self.freehold("--help")
        for command in COMMANDS:
            self.assertIn(command, listing)
            self.assertIn("Example", self.freehold(command, "--help"), command)

    def test_usage_errors_are_2(self):
        for arguments in ([], ["fly"], ["run"], ["run", self.model, "--temperature", "hot", "x"],
                          ["list", "--frobnicate"], ["logits", self.model], ["remove", "../x"],
                          ["render", "--request", self.tokens],
                          ["run", self.model, "--raw", "x", "--kv", "q9"],
                          ["run", self.model, "--raw", "x", "--isa", "sse"],
                          ["run", self.model, " "], ["pull", "ftp://x"]):
            self.freehold(*arguments, code=2)

    def test_failures_are_1_and_name_the_remedy(self):
        self.assertIn("freehold list", self.freehold("run", "nothing", "x", code=1))
        self.assertIn("freehold pull smollm2", self.freehold("run", "smollm2", "x", code=1))
        self.assertIn("no such file", self.freehold("inspect", "no/such.gguf", code=1))
        self.assertIn("template", self.freehold("run", self.model, "x", code=1))
        bad = self.path / "bad.gguf"
        bad.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 100)
        for command in ("inspect", "tokenize", "run"):
            self.freehold(command, str(bad), *(["x"] if command != "inspect" else []), code=1)
        self.freehold("logits", self.model, "--tokens", str(bad), "--output",
                      str(self.path / "x"), code=1)

    def test_an_empty_store(self):
        self.assertIn("freehold pull", self.freehold("list"))
        self.assertEqual(json.loads(self.freehold("list", "--json")), [])
        self.assertIn("smollm2", self.freehold("list", "--available"))

    def test_logits_are_the_golden_ones(self):
        ours = array.array("f", self.logits("--kv", "f32"))
        packed = DATA / "logits" / "micro-llama.logits.f32.gz"
        theirs = array.array("f", gzip.decompress(packed.read_bytes()))
        # The kept ones are those after every fourth token.
        rows = [ours[row * 512:(row + 1) * 512] for row in range(3, 64, 4)]
        ours = [value for row in rows for value in row]
        self.assertEqual(len(ours), len(theirs))
        self.assertLess(max(abs(a - b) for a, b in zip(ours, theirs)), 1e-4)

    def test_logits_do_not_depend_on_how(self):
        expected = self.logits()
        for options in (["--threads", "1"], ["--batch", "7"], ["--isa", "scalar"],
                        ["--threads", "3", "--batch", "1"]):
            self.assertEqual(self.logits(*options), expected, options)

    def test_tokenize(self):
        ids = json.loads(self.freehold("tokenize", self.model, "hello"))
        self.assertEqual(json.loads(self.freehold("tokenize", self.model, stdin="hello")), ids)
        strings = self.path / "strings.json"
        strings.write_text(json.dumps(["hello", ""]))
        many = self.freehold("tokenize", self.model, "--strings", str(strings))
        self.assertEqual(json.loads(many), [ids, []])

    def test_render(self):
        template = self.path / "template.jinja"
        template.write_text("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
                            "{{ strftime_now('%Y') }}")
        request = self.path / "request.json"
        request.write_text(json.dumps({"messages": [{"role": "user", "content": "Grüß <Gott>"}],
                                       "now": "2026-01-15T12:30:00"}))
        text = self.freehold("render", "--template", str(template), "--request", str(request))
        self.assertEqual(text, "<user>Grüß <Gott>2026")
        template.write_text("{{ raise_exception('no') }}")
        self.freehold("render", "--template", str(template), "--request", str(request), code=1)

    def test_inspect(self):
        facts = json.loads(self.freehold("inspect", self.model, "--json"))
        self.assertEqual(facts["architecture"], "llama")
        self.assertEqual(facts["vocabulary"], 512)
        self.assertEqual(sum(t["bytes"] for t in facts["tensors"]),
                         facts["memory"]["weights_bytes"])
        text = self.freehold("inspect", self.model, "--tensors", "--metadata")
        self.assertIn("token_embd.weight", text)
        self.assertIn("general.architecture", text)

    def test_text_that_cannot_be_cut_is_refused_by_name(self):
        bad = self.path / "bad.gguf"
        model = Path(self.model).read_bytes()
        self.assertEqual(model.count(b"gpt-2"), 1)
        bad.write_bytes(model.replace(b"gpt-2", b"gpt-x"))
        said = self.freehold("run", str(bad), "hello", code=1)
        self.assertIn("gpt-x", said)
        self.assertNotIn("stopped", said)

    def test_bench(self):
        told = json.loads(self.freehold("bench", self.model, "--prompt", "32", "--generate", "8",
                                        "--repeat", "1", "--streams", "2", "--json"))
        for key in ("prompt_tps", "generate_tps", "read_gbps", "int8_tops", "prompt_share",
                    "generate_share"):
            self.assertGreater(told[key], 0, key)

    def test_bench_at_a_depth(self):
        told = json.loads(self.freehold("bench", self.model, "--prompt", "16", "--generate", "4",
                                        "--repeat", "1", "--streams", "2", "--depth", "64",
                                        "--json"))
        self.assertEqual(told["depth"], 64)
        self.assertGreater(told["prompt_tps"], 0)
        self.assertGreater(told["generate_tps"], 0)

    def test_perplexity(self):
        text = self.path / "text.txt"
        text.write_text("the quick brown fox " * 40)
        told = json.loads(self.freehold("perplexity", self.model, "--text", str(text), "--window",
                                        "64", "--windows", "2", "--json"))
        self.assertGreater(told["perplexity"], 1)
        self.assertEqual(told["scored"], 2 * 31)
        text.write_text("short")
        self.freehold("perplexity", self.model, "--text", str(text), code=2)

    def interrupted(self, number, started, *arguments):
        """What the program said when it was ended by a signal, once `started()`."""
        environment = dict(os.environ, FREEHOLD_HOME=str(self.path / "home"))
        with subprocess.Popen([FREEHOLD, *map(str, arguments)], env=environment, text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 60
            while not started():
                self.assertIsNone(process.poll(), "it ended too soon")
                self.assertLess(time.monotonic(), deadline, "it never began")
                time.sleep(0.001)
            process.send_signal(number)
            said = process.stderr.read()
        self.assertEqual(process.returncode, -number, said)
        return said

    def test_a_quantisation_that_is_stopped_leaves_nothing(self):
        large = self.path / "large.gguf"
        widen(Path(self.model), large, 65536)
        folder = self.path / "quantised"
        folder.mkdir()
        for number in (signal.SIGINT, signal.SIGTERM):
            said = self.interrupted(number, lambda: any(folder.iterdir()), "quantize", large,
                                    folder / "out.gguf", "--type", "Q8_0", "--threads", "1")
            self.assertIn("is not written", said)
            self.assertEqual(list(folder.iterdir()), [])

    def test_a_pull_that_is_stopped_keeps_what_it_can_go_on_with(self):
        class Endless(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(1 << 30))
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(bytes(1 << 20))
                        time.sleep(0.1)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}/endless.gguf"
        for digest, words in (["--sha256", "0" * 64], "is kept"), ([], "is deleted"):
            name = "with" if digest else "without"
            partial = self.path / "home" / "models" / name / "endless.gguf.partial"
            begun = lambda: partial.exists() and partial.stat().st_size > 0
            said = self.interrupted(signal.SIGINT, begun, "pull", url, "--as", name, *digest)
            self.assertIn(words, said)
            self.assertEqual(partial.exists(), bool(digest))

    def test_speculation_changes_no_answer(self):
        run = ["run", self.model, "--raw", "a b a b a b", "--max-tokens", "40", "--temperature", "0"]
        answers = {how: self.freehold(*run, "--speculate", how) for how in ("off", "auto", "2")}
        self.assertGreater(len(answers["off"]), len("a b a b a b") + 10)
        self.assertEqual(set(answers.values()), {answers["off"]})
        self.assertIn("--speculate nonsense", self.freehold(*run, "--speculate", "nonsense", code=2))

    def test_raw_text_is_continued_the_same_way_each_time(self):
        def run(*options):
            return self.freehold("run", self.model, "--raw", "hello", "--max-tokens", "12", *options)
        first = run("--seed", "7", "--temperature", "1")
        self.assertTrue(first.startswith("hello"))
        self.assertEqual(run("--seed", "7", "--temperature", "1", "--threads", "1"), first)
        self.assertNotEqual(run("--seed", "8", "--temperature", "1"), first)

    def test_a_chat_through_a_template(self):
        template = self.path / "chat.jinja"
        template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
        options = ["--template", str(template), "--max-tokens", "8", "--verbose"]
        piped = self.freehold("run", self.model, *options, stdin="hello")
        self.assertEqual(self.freehold("run", self.model, "hello", *options), piped)
        self.assertIn("thinking", self.freehold("run", self.model, "x", *options,
                                                "--reasoning-budget", "5", code=2))

    def test_a_schema_binds_the_answer(self):
        template = self.path / "chat.jinja"
        template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
        schema = self.path / "schema.json"
        run = ["run", self.model, "hello", "--template", str(template), "--json-schema", str(schema)]
        schema.write_text(json.dumps({
            "type": "object", "additionalProperties": False, "required": ["sky", "clouds"],
            "properties": {"sky": {"enum": ["blue", "grey"]}, "clouds": {"type": "boolean"}}}))
        told = json.loads(self.freehold(*run, "--temperature", "1"))
        self.assertIn(told["sky"], ["blue", "grey"])
        self.assertIn(told["clouds"], [True, False])
        schema.write_text('{"type": "object", "unevaluatedItems": false}')
        self.assertIn("unevaluatedItems", self.freehold(*run, code=2))
        self.freehold(*run, "--raw", code=2)


if __name__ == "__main__":
    FREEHOLD, DATA = sys.argv[1], Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
