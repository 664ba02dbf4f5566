#!/usr/bin/env python3
"""Kept panels on one NUMA node and on two made-up ones: the same file, the same logits.

    kept_panels_test.py FREEHOLD DATA     FREEHOLD: the program; DATA: tests/data
"""

import gzip
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from wide_model import widen  # noqa: E402

FREEHOLD, DATA = "", Path()
TWO_NODES = {"HWLOC_SYNTHETIC": "node:2 core:1 pu:1"}


class KeptPanels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)
        small = self.path / "small.gguf"
        small.write_bytes(gzip.decompress((DATA / "logits" / "micro-llama.gguf.gz").read_bytes()))
        self.model = self.path / "model.gguf"
        widen(small, self.model, 32768)  # panels of small models are not kept

    def logits(self, home, environment):
        output = self.path / "logits.f32"
        subprocess.run([FREEHOLD, "logits", str(self.model), "--threads", "2", "--tokens",
                        str(DATA / "logits" / "micro-llama.json"), "--output", str(output)],
                       env=dict(os.environ, FREEHOLD_HOME=str(self.path / home), **environment),
                       check=True, timeout=300, capture_output=True)
        return output.read_bytes()

    def panels(self, home):
        (file,) = (self.path / home / "panels").glob("*.panels")
        return file

    def test_nodes_do_not_show(self):
        expected = self.logits("one", {})
        self.assertEqual(self.logits("two", TWO_NODES), expected)
        kept = self.panels("two")
        self.assertEqual(kept.name, self.panels("one").name)
        self.assertEqual(kept.read_bytes(), self.panels("one").read_bytes())

        # The file is taken, on the nodes and without them; and where the system refuses to bind
        # memory, for there is no second node.
        before = kept.stat()
        for environment in (TWO_NODES, {}, dict(TWO_NODES, HWLOC_THISSYSTEM="1")):
            os.utime(kept, (0, before.st_mtime - 1000))
            self.assertEqual(self.logits("two", environment), expected, environment)
            self.assertGreater(kept.stat().st_mtime, before.st_mtime - 1000, "it was not used")
            self.assertEqual(kept.stat().st_ino, before.st_ino, "it was made again")


if __name__ == "__main__":
    FREEHOLD, DATA = sys.argv[1], Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
