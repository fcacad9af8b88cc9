"""Tests of the rules themselves: each has to find its bad samples, and nothing in its good ones."""

import os
import tempfile
import unittest

import headers
import tidy
from rules import RULES
from source import Tree, code_only, words_of


def found(rule, files):
    """The paths in which the rule finds something."""
    return sorted({path for path, _, _ in RULES[rule](Tree(files))})


class CodeOnly(unittest.TestCase):
    def test_blanks_comments_and_literals_and_keeps_lines(self):
        text = 'int a = 1\'000; // rand(\n/* sleep(\n1) */ f("socket(", \'(\', R"x(open(\n)x");\n'
        code = code_only(text)
        self.assertEqual(code.count("\n"), text.count("\n"))
        for word in ("rand", "sleep", "socket", "open"):
            self.assertNotIn(word, code)
        self.assertIn("1'000", code)

    def test_splits_names_into_words(self):
        words = {"release", "lease", "end", "ms", "k", "term", "max"}
        self.assertEqual(words_of("release(leaseEnd_ms, kTermMax)"), words)


class Layering(unittest.TestCase):
    def test_finds_an_include_that_points_upward(self):
        files = {"ring/a.h": '#include "session/b.h"\n', "session/b.h": ""}
        self.assertEqual(found("layering", files), ["ring/a.h"])

    def test_finds_an_include_of_the_same_level(self):
        files = {"router/a.cc": '#include "node/b.h"\n', "node/b.h": ""}
        self.assertEqual(found("layering", files), ["router/a.cc"])

    def test_finds_io_in_what_decides(self):
        for path in ("node/chain_table.cc", "coordinator/state.cc", "router/route.h"):
            files = {path: '#include "io/loop.h"\n', "io/loop.h": ""}
            self.assertEqual(found("layering", files), [path])

    def test_finds_a_header_that_is_not_there(self):
        self.assertEqual(found("layering", {"ring/a.h": '#include "b.h"\n', "ring/b.h": ""}), ["ring/a.h"])

    def test_lets_includes_point_downward_and_tests_include_all(self):
        files = {
            "cli/main.cc": '#include "node/b.h"\n',
            "node/b.h": '#include "base/c.h"\n#include "io/d.h"\n',
            "base/c.h": "",
            "io/d.h": "",
            "tests/sim/e.cc": '#include "node/b.h"\n#include "router/f.h"\n',
            "router/f.h": "",
        }
        self.assertEqual(found("layering", files), [])


class Decisions(unittest.TestCase):
    IO = '#include "io/loop.h"\n'

    def test_finds_a_branch_on_a_lease(self):
        branches = ("if (now > lease_end)", "while (term < 3)", "if constexpr (kChainMax > 2)", "switch (epochOf(x))")
        for condition in branches:
            files = {"cli/a.cc": self.IO + "void f() { " + condition + " g(); }\n", "io/loop.h": ""}
            self.assertEqual(found("decisions", files), ["cli/a.cc"], condition)

    def test_lets_other_branches_and_files_without_io_be(self):
        files = {
            "cli/a.cc": self.IO + "void f() { if (released(terminal)) g(); } // if (epoch)\n",
            "node/b.cc": "void f() { if (epoch > 3) g(); }\n",
            "io/loop.h": "",
        }
        self.assertEqual(found("decisions", files), [])


class Cycles(unittest.TestCase):
    def test_finds_a_cycle_of_folders(self):
        files = {
            "base/a.h": '#include "io/b.h"\n',
            "io/b.h": '#include "raft/c.h"\n',
            "raft/c.h": '#include "base/d.h"\n',
        }
        self.assertEqual(len(found("cycles", files)), 1)

    def test_finds_a_cycle_of_headers(self):
        files = {"node/a.h": '#include "node/b.h"\n', "node/b.h": '#include "node/a.h"\n'}
        self.assertEqual(len(found("cycles", files)), 1)

    def test_lets_a_diamond_be(self):
        files = {"node/a.h": '#include "io/b.h"\n#include "raft/c.h"\n', "io/b.h": '#include "base/d.h"\n'}
        files["raft/c.h"] = '#include "base/d.h"\n'
        self.assertEqual(found("cycles", files), [])


class World(unittest.TestCase):
    BAD = (
        "auto t = std::chrono::steady_clock::now();",
        "std::chrono::system_clock::time_point t;",
        "clock_gettime(CLOCK_MONOTONIC, &t);",
        "gettimeofday(&t, nullptr);",
        "srand(time(nullptr));",
        "std::random_device d;",
        "int r = rand();",
        "int fd = socket(AF_INET, 0, 0);",
        "::connect(fd, a, n);",
        "int fd = ::accept(l, a, n);",
        "FILE* f = fopen(name, mode);",
        "std::ifstream in(name);",
        "std::ofstream out(name);",
        "int fd = ::open(name, 0);",
        "std::thread t(f);",
        "std::this_thread::sleep_for(1ms);",
        "usleep(5);",
    )

    def test_finds_each_call(self):
        for line in self.BAD:
            self.assertEqual(found("world", {"ring/a.cc": line + "\n"}), ["ring/a.cc"], line)

    def test_lets_io_and_cli_touch_the_world(self):
        self.assertEqual(found("world", {"io/a.cc": "\n".join(self.BAD), "cli/b.cc": "\n".join(self.BAD)}), [])

    def test_lets_likenesses_be(self):
        good = "log.open(x); Log::open(x); chain.accept(y); brand(1); // rand()\nauto s = \"socket(\"; wall_time(0);\n"
        self.assertEqual(found("world", {"raft/a.cc": good}), [])

    def test_finds_sleeps_in_tests_and_nothing_else_there(self):
        files = {
            "tests/a_test.cc": "sleep(1);",
            "tests/b_test.py": "time.sl" "eep(1)",
            "tests/c_test.cc": "std::ifstream in(name); std::thread t;",
        }
        self.assertEqual(found("world", files), ["tests/a_test.cc", "tests/b_test.py"])


class Shape(unittest.TestCase):
    def test_length_finds_long_files_and_wide_lines(self):
        files = {
            "ring/long.cc": "\n" * 601,
            "ring/right.cc": "\n" * 600,
            "tests/long.cc": "\n" * 901,
            "tests/right.cc": "\n" * 601,
            "ring/wide.h": "x" * 121,
            "ring/umlauts.h": "\u00fc" * 120,
        }
        self.assertEqual(found("length", files), ["ring/long.cc", "ring/wide.h", "tests/long.cc"])

    def test_readme_finds_a_folder_without_one(self):
        files = {"ring/a.cc": "", "base/b.cc": "", "base/README.md": "# base\n", "node/README.md": "\n", "dev": ""}
        self.assertEqual(found("readme", files), ["node", "ring"])

    def test_pragma_finds_headers_that_begin_otherwise(self):
        files = {
            "ring/good.h": "// Why.\n\n#pragma once\n",
            "ring/late.h": "#include <string>\n#pragma once\n",
            "ring/guard.h": "#ifndef A\n#define A\n#endif\n",
            "ring/commented.h": "// #pragma once\nint a;\n",
        }
        self.assertEqual(found("pragma", files), ["ring/commented.h", "ring/guard.h", "ring/late.h"])

    def test_own_header_first_finds_another_order(self):
        files = {
            "ring/a.cc": '#include <string>\n\n#include "ring/a.h"\n',
            "ring/a.h": "",
            "ring/b.cc": '#include "ring/b.h"\n#include <string>\n',
            "ring/b.h": "",
            "ring/no_header.cc": "#include <string>\n",
        }
        self.assertEqual(found("own-header-first", files), ["ring/a.cc"])

    def test_heavy_finds_headers_and_second_sources(self):
        files = {
            "io/log.cc": "#include <spdlog/spdlog.h>\n",
            "io/other.cc": "#include <spdlog/sinks/x.h>\n",
            "cli/options.h": "#include <CLI/CLI.hpp>\n",
            "cli/config.cc": "#include <toml++/toml.h>\n",
        }
        self.assertEqual(found("heavy", files), ["cli/options.h", "io/other.cc"])


class Text(unittest.TestCase):
    def test_leftovers_finds_what_is_not_done(self):
        words = ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")
        bad = {f"ring/{number}.cc": f"// {word}: later\n" for number, word in enumerate(words)}
        self.assertEqual(found("leftovers", bad), sorted(bad))

    def test_leftovers_lets_likenesses_be(self):
        self.assertEqual(found("leftovers", {"HACKING.md": "# HACKING\n", "io/a.cc": 'mkdtemp("XXXXXX")'}), [])

    def test_own_paths_finds_paths_of_one_machine(self):
        for path in ("/ho" "me/ann/x", "/Us" "ers/ann/x", "/wo" "rk/main/x", "/ro" "ot/x", "/tmp/bu" "ild/x"):
            self.assertEqual(found("own-paths", {"docs/a.md": f"see {path}\n"}), ["docs/a.md"], path)

    def test_own_paths_lets_other_paths_be(self):
        good = "tests/wo" "rk/x, /usr/lib, /tmp/chainring-test, https://example.org/ho" "mepage\n"
        self.assertEqual(found("own-paths", {"docs/a.md": good}), [])

    def test_skipped_finds_hidden_tests(self):
        files = {
            "tests/a.cc": 'TEST_CASE("A: b", "[' '.slow]") {}\n',
            "tests/b.cc": 'TEST_CASE("A: b", "[!may' 'fail]") {}\n',
            "tests/c.py": "@unit" 'test.skip("later")\n',
            "tests/d.cc": 'TEST_CASE("A: b", "[slow]") {}\n',
        }
        self.assertEqual(found("skipped", files), ["tests/a.cc", "tests/b.cc", "tests/c.py"])


class Unbuilt(unittest.TestCase):
    def test_finds_sources_without_a_target_and_targets_without_a_source(self):
        files = {
            "ring/CMakeLists.txt": "chainring_library(ring SOURCES a.cc gone.cc) # c.cc\n",
            "ring/a.cc": "",
            "ring/b.cc": "",
            "ring/c.cc": "",
        }
        self.assertEqual(found("unbuilt", files), ["ring/CMakeLists.txt", "ring/b.cc", "ring/c.cc"])

    def test_knows_targets_of_folders_above(self):
        files = {"tests/x/CMakeLists.txt": "add_executable(x deep/a.cc)\n", "tests/x/deep/a.cc": ""}
        self.assertEqual(found("unbuilt", files), [])


class Exceptions(unittest.TestCase):
    TREE = Tree({"ring/wide.h": "x" * 121})

    def test_excuse_what_they_name(self):
        self.assertEqual(tidy.check(self.TREE, "length", {("length", "ring/wide.h"): "why"}), [])

    def test_excuse_nothing_else(self):
        self.assertEqual(len(tidy.check(self.TREE, "length", {("pragma", "ring/wide.h"): "why"})), 1)

    def test_fail_when_they_are_stale(self):
        lines = tidy.check(Tree({}), "length", {("length", "ring/wide.h"): "why"})
        self.assertIn("needs no exception", lines[0])

    def test_may_only_shrink(self):
        too_many = "".join(f"length ring/{i}.h because\n" for i in range(tidy.EXCEPTIONS_MAX + 1))
        self.assertRaises(ValueError, tidy.parse_exceptions, too_many)

    def test_name_a_rule_and_a_reason(self):
        self.assertRaises(ValueError, tidy.parse_exceptions, "lenght ring/a.h because\n")
        self.assertRaises(ValueError, tidy.parse_exceptions, "length ring/a.h\n")


class Headers(unittest.TestCase):
    def test_finds_a_header_that_needs_another(self):
        with tempfile.TemporaryDirectory() as root:
            for name, includes in (("bad.h", ""), ("good.h", "#include <string>\n")):
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(includes + "std::string f();\n")
            self.assertIn("std", headers.compile_alone(root, ["-std=c++20"], "g++", "bad.h"))
            self.assertEqual(headers.compile_alone(root, ["-std=c++20"], "g++", "good.h"), "")

    def test_a_digest_changes_with_what_is_included(self):
        before = {"a.h": '#include "b.h"\n', "b.h": '#include "c.h"\n', "c.h": "int x;\n"}
        after = before | {"c.h": "int y;\n"}
        unrelated = before | {"d.h": "int z;\n"}
        old = headers.digest(Tree(before), "a.h", "g++")
        self.assertNotEqual(old, headers.digest(Tree(after), "a.h", "g++"))
        self.assertNotEqual(old, headers.digest(Tree(before), "a.h", "g++ newer"))
        self.assertEqual(old, headers.digest(Tree(unrelated), "a.h", "g++"))

    def test_only_headers_without_a_source_are_compiled(self):
        tree = Tree({"ring/a.h": "", "ring/a.cc": "", "ring/b.h": ""})
        self.assertEqual(headers.headers_to_check(tree), ["ring/b.h"])


class EveryRule(unittest.TestCase):
    def test_is_tested_here(self):
        with open(__file__, encoding="utf-8") as file:
            text = file.read()
        for rule in RULES:
            self.assertIn(f'("{rule}"', text)


class Complaints(unittest.TestCase):
    CALL = 'void f() { log_.warning(concat("the disk of ", name, " is nearly "\n "full: ", why)); }\n'

    def test_finds_a_warning_that_is_not_explained(self):
        files = {"node/a.cc": self.CALL, "docs/operations.md": "| `the disk of ... is empty` |\n"}
        self.assertEqual(found("complaints", files), ["node/a.cc"])
        self.assertEqual(found("complaints", {"cli/a.cc": 'log->error("it cannot go on");\n'}), ["cli/a.cc"])

    def test_lets_one_be_that_is(self):
        files = {"node/a.cc": self.CALL, "docs/operations.md": "| `the disk of ... is nearly full: ...` |\n"}
        self.assertEqual(found("complaints", files), [])

    def test_lets_information_and_tests_be(self):
        files = {"node/a.cc": 'log_.info("all is as it should be");\n', "tests/a.cc": 'log.warning("made up here");\n'}
        self.assertEqual(found("complaints", files), [])


if __name__ == "__main__":
    unittest.main()
