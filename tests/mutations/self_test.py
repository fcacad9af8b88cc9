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


    def test_makes_a_second_change(self):
        (mutation,) = run.parse(GOOD.replace("target", "before2:\n|b\nafter2:\n|c\ntarget"), "x.txt")
        self.assertEqual(run.mutate("a\n  if (x)\n    y();\nb\n", mutation), "a\n  y();\nc\n")


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


class Guarantees(unittest.TestCase):
    """Tables of promises and rules name tests and mutations that there are, in every row."""

    PAGES = ("README.md", "docs/consistency.md")

    def test_name_their_tests_and_mutations(self):
        tests = list(test_names())
        mutations = {mutation.name: mutation for mutation in run.load_all()}
        for page in self.PAGES:
            rows = list(guarantees(run.read(os.path.join(run.ROOT, page))))
            self.assertTrue(rows, page)
            for what, checks, breaks in rows:
                with self.subTest(what):
                    self.assertTrue(checks and breaks)
                    for check in checks:
                        self.assertTrue(any(is_test(check, name) for name in tests), check)
                    self.assertEqual(set(breaks) - set(mutations), set())
                    for broken in breaks:
                        self.assertTrue(is_caught(mutations[broken], checks, tests), f"no test here finds {broken}")


def guarantees(text):
    """(promise, names of tests, names of mutations) of each row of the tables that have such columns."""
    in_table = False
    for line in text.splitlines():
        if re.match(r"\| (guarantee|rule) \| checked by \| broken by \|", line):
            in_table = True
        elif not line.startswith("|"):
            in_table = False
        elif in_table and not line.startswith("| ---"):
            what, checks, breaks = (cell.strip() for cell in line.strip("|").split(" | "))
            yield what, re.findall(r"`([^`]+)`", checks), re.findall(r"`([^`]+)`", breaks)


def is_caught(mutation, checks, tests):
    """Whether one of these checks is among what has to fail by it."""
    if mutation.sim:
        return any(check.startswith("cluster simulation") for check in checks)
    return any(re.search(mutation.test, name) and is_test(check, name) for check in checks for name in tests)


def is_test(check, name):
    """Whether a test's name begins so, up to dots. Of a name that CMake puts together, a part may be anything."""
    begin = check.removesuffix("...").rstrip()
    pattern = re.sub(r"\\\$\\{\w+\\}", ".+", re.escape(name))
    return name.startswith(begin) or re.fullmatch(pattern, begin) is not None


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
