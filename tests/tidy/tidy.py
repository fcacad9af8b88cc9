"""Lints the tree: tidy.py --root FOLDER RULE... (all rules when none is named). Exits 1 when something is found.

exceptions.txt lists files that break a rule knowingly, one "rule path why" a line. An entry that is no longer needed
fails, and so does one more than EXCEPTIONS_MAX: the list can only shrink.
"""

import argparse
import os
import sys

from rules import RULES
from source import Tree

EXCEPTIONS_MAX = 0


def parse_exceptions(text):
    """{(rule, path): why}; raises ValueError with a message for people."""
    entries = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(None, 2)
        if len(parts) < 3:
            raise ValueError(f"line {number}: write a rule, a path and why")
        if parts[0] not in RULES:
            raise ValueError(f"line {number}: there is no rule {parts[0]}")
        entries[(parts[0], parts[1])] = parts[2]
    if len(entries) > EXCEPTIONS_MAX:
        raise ValueError(f"{len(entries)} exceptions; the list may only shrink, from {EXCEPTIONS_MAX}")
    if len(entries) < EXCEPTIONS_MAX:
        raise ValueError(f"{len(entries)} exceptions: lower EXCEPTIONS_MAX in tidy.py to that")
    return entries


def check(tree, rule, exceptions):
    """What the rule finds, as lines for people; exceptions that it does not need are found too."""
    findings = sorted(RULES[rule](tree))
    excused = {path for (name, path) in exceptions if name == rule}
    lines = []
    for path, line, what in findings:
        if path not in excused:
            lines.append(f"{path}:{line}: {what}" if line else f"{path}: {what}")
    for path in sorted(excused - {path for path, _, _ in findings}):
        lines.append(f"{path}: needs no exception from {rule} any more; take it off the list")
    return lines


def main():
    parser = argparse.ArgumentParser(description="Lints the tree.")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--root", default=os.path.join(here, "..", ".."), help="the project's folder")
    parser.add_argument("rules", nargs="*", metavar="RULE", help=", ".join(RULES))
    parser.add_argument("--expect-rules", action="store_true", help="only check that the rules named are all there are")
    arguments = parser.parse_args()
    unknown = [rule for rule in arguments.rules if rule not in RULES]
    if unknown:
        parser.error(f"there is no rule {unknown[0]}; there are {', '.join(RULES)}")

    if arguments.expect_rules:
        forgotten = [rule for rule in RULES if rule not in arguments.rules]
        print("".join(f"rule {rule} is no test in CMakeLists.txt\n" for rule in forgotten), end="")
        return 1 if forgotten else 0

    try:
        with open(os.path.join(here, "exceptions.txt"), encoding="utf-8") as file:
            exceptions = parse_exceptions(file.read())
    except ValueError as error:
        print(f"exceptions.txt: {error}")
        return 1
    tree = Tree.read(arguments.root)
    failed = False
    for rule in arguments.rules or RULES:
        lines = check(tree, rule, exceptions)
        for line in lines:
            print(f"{line} [{rule}]")
        failed = failed or bool(lines)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
