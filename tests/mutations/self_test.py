"""Tests of run.py: what it reads, and that it refuses what does not fit."""

import os
import re
import unittest

import run

GOOD = """# a comment
name: a
rule: R1
file: f.cc
before:
|  if (x)
|    y();
after:
|  y();
target: t
test: T
"""


class Parse(unittest.TestCase):
    def test_reads_text_blocks_with_their_indentation(self):
        (mutation,) = run.parse(GOOD, "x.txt")
        self.assertEqual(mutation.before, "  if (x)\n    y();\n")
        self.assertEqual(mutation.after, "  y();\n")
        self.assertEqual((mutation.name, mutation.rule, mutation.test), ("a", "R1", "T"))

    def test_reads_several(self):
        self.assertEqual(len(run.parse(GOOD + "\n\n" + GOOD, "x.txt")), 2)

    def test_an_empty_after_takes_the_lines_away(self):
        (mutation,) = run.parse(GOOD.replace("|  y();\n", ""), "x.txt")
        self.assertEqual(run.mutate("a\n  if (x)\n    y();\nb\n", mutation), "a\nb\n")

    def test_refuses_what_is_not_whole(self):
        for bad in (
            GOOD.replace("file: f.cc\n", ""),
            GOOD.replace("test: T\n", ""),
            GOOD + "run: f\n",
            GOOD.replace("rule:", "ruel:"),
            "|  text\n",
        ):
            self.assertRaises(run.BadMutation, run.parse, bad, "x.txt")


class Mutate(unittest.TestCase):
    def test_refuses_text_that_is_not_there_or_twice(self):
        (mutation,) = run.parse(GOOD, "x.txt")
        self.assertRaises(run.BadMutation, run.mutate, "nothing\n", mutation)
        self.assertRaises(run.BadMutation, run.mutate, mutation.before * 2, mutation)


class All(unittest.TestCase):
    def test_fit_the_code(self):
        for mutation in run.load_all():
            run.mutate(run.read(run.os.path.join(run.ROOT, mutation.file)), mutation)

    def test_name_tests_that_there_are(self):
        names = list(test_names())
        made = [re.sub(r"\\\$\\{\w+\\}", ".+", re.escape(name)) for name in names if "${" in name]
        for mutation in run.load_all():
            known = any(re.search(mutation.test, name) for name in names)
            self.assertTrue(known or any(re.fullmatch(name, mutation.test) for name in made), mutation.test)


def test_names():
    """Of Catch2's test cases, the programs that hold them, and other tests that the build files add."""
    for folder, _, files in os.walk(os.path.join(run.ROOT, "tests")):
        for file in files:
            text = run.read(os.path.join(folder, file)) if file.endswith((".cc", ".txt", ".cmake")) else ""
            for literals in re.findall(r'(?:TEST_CASE|prop)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', text):
                yield "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals))
            yield from re.findall(r'NAME "([^"]+)"', text)
            yield from re.findall(r"chainring_test\((\w+)", text)


if __name__ == "__main__":
    unittest.main()
