"""Compiles each header alone, except those whose own .cc shows it by including them first (rule own-header-first).

A header that compiled is not compiled again until it, a header of the project that it includes, or the compiler
changes: the digests of what passed are kept in the cache file.
"""

import argparse
import concurrent.futures
import hashlib
import os
import subprocess
import sys

from source import Tree, quoted_includes

JOBS_MAX = 2  # each takes up to half a gigabyte


def closure(tree, path, seen=None):
    """The header and all headers of the project that it includes, however deep."""
    seen = set() if seen is None else seen
    if path in seen or path not in tree.files:
        return seen
    seen.add(path)
    for included, _ in quoted_includes(tree.files[path]):
        closure(tree, included, seen)
    return seen


def digest(tree, path, compiler_version):
    whole = hashlib.sha256(compiler_version.encode())
    for part in sorted(closure(tree, path)):
        whole.update(part.encode() + b"\0" + tree.files[part].encode() + b"\0")
    return whole.hexdigest()


def headers_to_check(tree):
    return [path for path in tree.select(".h") if path[: -len(".h")] + ".cc" not in tree.files]


def compile_alone(root, flags, compiler, path):
    """What the compiler has to say; empty when the header stands alone."""
    command = [compiler, *flags, "-fsyntax-only", "-I", root, "-x", "c++", "-"]
    run = subprocess.run(command, input=f'#include "{path}"\n', capture_output=True, text=True, check=False)
    return run.stderr if run.returncode != 0 else ""


def read_passed(cache):
    try:
        with open(cache, encoding="utf-8") as file:
            return set(file.read().split())
    except FileNotFoundError:
        return set()


def main():
    parser = argparse.ArgumentParser(description="Compiles each header alone.")
    parser.add_argument("--root", required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--cache", required=True, help="file that remembers what compiled")
    parser.add_argument("flags", nargs="*", help="of the compiler, after --")
    arguments = parser.parse_args()

    tree = Tree.read(arguments.root)
    version = subprocess.run([arguments.compiler, "--version"], capture_output=True, text=True, check=True).stdout
    version += " ".join(arguments.flags)
    digests = {path: digest(tree, path, version) for path in headers_to_check(tree)}
    passed = read_passed(arguments.cache)
    left = [path for path, value in digests.items() if value not in passed]

    failed = set()
    with concurrent.futures.ThreadPoolExecutor(min(JOBS_MAX, os.cpu_count() or 1)) as pool:
        check = lambda path: compile_alone(arguments.root, arguments.flags, arguments.compiler, path)
        for path, errors in zip(left, pool.map(check, left)):
            if errors:
                failed.add(path)
                print(f"{path} does not compile alone:\n{errors}")
    with open(arguments.cache, "w", encoding="utf-8") as file:
        file.write("".join(value + "\n" for path, value in sorted(digests.items()) if path not in failed))
    print(f"{len(digests)} headers without a source of their own, {len(left)} compiled, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
