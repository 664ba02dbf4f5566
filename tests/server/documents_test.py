"""The examples of README.md and docs/server.md, run as they stand: what is written there works.

usage: documents_test.py FREEHOLD SOURCE     SOURCE: the repository

Commands that fetch something, or that serve until they are stopped, are not run; the server that
the others talk to is the one here, with its small model under the name that they use.
"""

import re
import shlex
import subprocess
import sys
import unittest
from pathlib import Path

from program import Home

NOT_RUN = ("freehold pull", "freehold serve", "make", "git", "build/release/freehold", "cmake",
           "ctest", "sudo", "systemctl", "FREEHOLD_STORM")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(block):
    """Shell commands of a block: lines, joined where a quote or a backslash leaves one open."""
    out, pending = [], ""
    for line in block.splitlines():
        pending += line + "\n"
        try:
            shlex.split(pending, comments=True)
        except ValueError:
            continue
        if pending.rstrip().endswith("\\"):
            continue
        if pending.strip() and not pending.lstrip().startswith("#"):
            out.append(pending.strip())
        pending = ""
    return out


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.source = Path(sys.argv[2])
        cls.home = Home(sys.argv[1], cls.source / "tests" / "data")
        file = cls.home.path / "serve.toml"
        file.write_text(f'port = 0\n[[models]]\nname = "smollm2"\npath = "{cls.home.model}"\n'
                        f'template = "{cls.home.path}/micro.jinja"\npreload = true\n')
        cls.server = cls.home.serve("--config", file)
        cls.text = (cls.source / "docs" / "server.md").read_text()
        cls.readme = (cls.source / "README.md").read_text()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.home.close()

    def shell(self, command):
        command = command.replace("http://127.0.0.1:8080", self.server.url.geturl())
        command = re.sub(r"^freehold\b", shlex.quote(sys.argv[1]), command)
        command = re.sub(r"^bench/", str(self.source) + "/bench/", command)
        return subprocess.run(["bash", "-c", command], env=self.home.environment, timeout=120,
                              capture_output=True, text=True)

    def test_commands(self):
        n_curl = n_freehold = 0
        for text in (self.text, self.readme):
            for block in blocks(text, "sh"):
                for command in commands(block):
                    is_ours = command.startswith(("curl", "freehold", "bench/serve"))
                    if command.startswith(NOT_RUN) or not is_ours:
                        continue
                    if text is self.readme and not command.startswith("curl"):
                        continue  # models that are not here
                    with self.subTest(command=command):
                        result = self.shell(command)
                        self.assertEqual(result.returncode, 0, result.stderr)
                        self.assertTrue(result.stdout, "no answer")
                        self.assertNotIn('"error":{', result.stdout)
                    n_curl += command.startswith("curl")
                    n_freehold += command.startswith("freehold")
        self.assertGreaterEqual(n_curl, 6)
        self.assertGreaterEqual(n_freehold, 4)
        self.assertIn("curl", self.readme)

    def test_the_configuration(self):
        (example,) = blocks(self.text, "toml")
        example = example.replace("/var/lib/freehold/smollm2.gguf", str(self.home.model))
        # What is commented out because it names files is a setting, too.
        full = re.sub(r"(?m)^# (\w+ = )", r"\1", example)
        full = full.replace("/etc/freehold/", str(self.home.path) + "/")
        (self.home.path / "chain.pem").touch()
        (self.home.path / "key.pem").touch()
        for text in (example, full):
            file = self.home.path / "example.toml"
            file.write_text(text)
            result = self.home.run("serve", "--config", file, "--check")
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_every_limit_and_route_is_named(self):
        limits = (self.source / "src" / "server" / "serve_config.cc").read_text()
        table = limits[limits.index("Takers limit_takers"):limits.index("Status take_kv")]
        for name in re.findall(r'\{"(\w+)"', table):
            self.assertIn(name, self.text)
        routes = (self.source / "src" / "server" / "routes.cc").read_text()
        for path in re.findall(r'Route\{"\w+", "([^"*]+)"', routes):
            self.assertIn(path.rstrip("/"), self.text)

    def test_metrics_that_are_named_exist(self):
        _, metrics = self.server.call("GET", "/metrics")
        named = set(re.findall(r"`(freehold_\w+)`", self.text))
        self.assertGreater(len(named), 8)
        for name in named:
            self.assertRegex(metrics, rf"(?m)^{name}[ {{]")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
