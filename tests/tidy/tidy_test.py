#!/usr/bin/env python3
"""Shows that every rule of tidy.py can fail, on a small bad tree, and that a good one passes."""

import tempfile
import unittest
from pathlib import Path

import cpp
import tidy


def long_function(n):
    return "// Long.\nvoid long_one() {\n" + "  step();\n" * (n - 2) + "}\n"


class Rules(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("Makefile", "test:\n\ttrue\n")

    def write(self, name, text):
        path = Path(self.folder.name) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def faults(self, exceptions=None):
        return tidy.faults(self.folder.name, exceptions or {})

    def expect(self, subject, words):
        found = self.faults()
        self.assertTrue(any(s == subject and words in text for s, text in found), found)

    def test_a_good_tree_has_no_faults(self):
        self.write("src/gguf/a.cc", '// Fine.\n#include "base/result.h"\n')
        self.write("README.md", "```\nmake test\n```\n")
        self.write("tests/data/x/SOURCE.md", "made by hand\n")
        self.assertEqual(self.faults(), [])

    def test_includes(self):
        self.write("src/gguf/a.cc", '// Reaches up.\n#include "models/llama.h"\n')
        self.expect("src/gguf/a.cc", "may not include `models`")
        self.write("src/attic/b.cc", "// No such room.\n")
        self.expect("src/attic/b.cc", "not in the room table")

    def test_lengths(self):
        self.write("src/base/a.cc", "// Too long.\n" * 801)
        self.write("src/base/a.h", "// Too long.\n" * 251)
        self.expect("src/base/a.cc", "801 lines")
        self.expect("src/base/a.h", "251 lines")
        self.expect("median", "half of the files")

    def test_functions(self):
        self.write("src/base/a.cc", long_function(70))
        self.assertEqual(self.faults(), [])
        self.write("src/base/a.cc", long_function(71))
        self.expect("src/base/a.cc:long_one", "71 lines")
        self.write("src/base/b.cc", "// Wide.\nint f(int a, int b, int c, int d, int e, int f, int g) {}\n")
        self.expect("src/base/b.cc:f", "7 parameters")

    def test_the_forward_pass_may_be_longer(self):
        text = long_function(170).replace("long_one", "forward")
        self.write("src/models/a.cc", text)
        self.assertEqual(self.faults(), [])
        self.write("src/ops/a.cc", text)
        self.expect("src/ops/a.cc:forward", "170 lines")

    def test_places(self):
        self.write("src/ops/a.cc", "// Fast.\n#if defined(__AVX2__)\n#endif\n")
        self.expect("src/ops/a.cc", "src/kernels")
        self.write("src/engine/b.cc", "// Switches.\nvoid f() {\n  if (family == kLlama) return;\n}\n")
        self.expect("src/engine/b.cc", "src/models")

    def test_mentions(self):
        self.write("docs/a.md", "fine\nsee ../" + "shared/x\n")
        self.expect("docs/a.md:2", "outside the project")
        self.write("docs/b.md", "/ro" + "ot/x\n")
        self.expect("docs/b.md:1", "one machine")

    def test_openings(self):
        self.write("src/base/a.cc", "int x;\n")
        self.expect("src/base/a.cc", "begin with a comment")
        self.write("src/base/b.cc", '#include "base/b.h"\n')
        self.expect("src/base/b.cc", "no comment")

    def test_data(self):
        self.write("tests/data/x/big", "0" * (tidy.MAX_DATA_FILE_BYTES + 1))
        self.expect("tests/data/x/big", "bytes")
        self.expect("tests/data/x", "SOURCE.md")

    def test_documents(self):
        self.write("src/base/a.cc", "// Here.\nint here;\n")
        self.write("docs/tour.md", "`here`, `src/base/a.cc`, `gone()`, `src/gone.cc`\n")
        found = [text for subject, text in self.faults() if subject == "docs/tour.md"]
        self.assertEqual(len(found), 2, found)
        self.write("README.md", "```\nmake nothing\nfreehold fly\nscripts/gone.sh\n```\n")
        self.assertEqual(len([s for s, _ in self.faults() if s == "README.md"]), 3)

    def test_exceptions(self):
        self.write("src/base/a.cc", long_function(71))
        self.assertEqual(self.faults({"src/base/a.cc:long_one": "a table"}), [])
        self.write("src/base/a.cc", long_function(9))
        self.assertIn("needs none", self.faults({"src/base/a.cc:long_one": "a table"})[0][1])


class Reading(unittest.TestCase):
    def names(self, text):
        return [(f.name, f.n_lines, f.n_parameters) for f in cpp.functions(text)]

    def test_functions_are_found(self):
        self.assertEqual(self.names("namespace a {\nvoid f() {\n}\n}"), [("f", 2, 0)])
        self.assertEqual(self.names("struct S {\n  int g(int x = {}, std::map<int, int> y) const {\n"
                                    "    return 1;\n  }\n};"), [("g", 3, 2)])
        self.assertEqual(self.names("S::S(int a) : a_{a}, b_(1) {\n  f();\n}"), [("S::S", 3, 1)])
        self.assertEqual(self.names("template <typename T>\nT h(T t) {\n  return t;\n}"),
                         [("h", 4, 1)])
        self.assertEqual(self.names("const int kTable[] = {1, 2};\nint z{3};"), [])

    def test_literals_and_comments_do_not_count(self):
        text = 'void f() {\n  // {\n  g("}", \'{\', R"x(})x", 1\'000);\n}\n'
        self.assertEqual(self.names(text), [("f", 4, 0)])


if __name__ == "__main__":
    unittest.main()
