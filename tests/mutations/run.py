"""Breaks the code on purpose and shows that the tests notice: ./dev mutate [NAME...].

Each *.txt here holds mutations, with empty lines between them:

    name: table-with-gaps          what the table of results calls it
    rule: R14                      what it breaks; may be left out
    file: ring/table.cc
    before:
    |  if (range.first != expected_first) {
    after:
    |  if (range.first < expected_first) {
    target: ring_test              what has to be built
    test: Table.from_message       tests whose name matches have to fail, or
    run: tests/raft/raft_sim --seeds 2000   a command in the build folder has to, or
    sim: 200                       each of five searches of the cluster simulator has to find it within so many seeds;
                                   the table says how many it took in the middle

Text blocks are the lines behind the bars; `before` has to occur once in the file. A second change of the same file
stands under `before2` and `after2`. All work is done on a copy below
build/mutate, and each test is first seen to pass on the code as it is. Exits 1 when a mutation survives.
"""

import argparse
import dataclasses
import os
import shlex
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NOT_COPIED = {".git", "build", "chainring-data", "node_modules", "__pycache__"}
TEST_SECONDS_MAX = 900  # a mutant that hangs is noticed as well
SIMULATOR = "tests/sim/cluster_sim"
SEARCHES = 5
SEARCH_SEEDS_APART = 10_000


@dataclasses.dataclass
class Mutation:
    name: str = ""
    rule: str = ""
    file: str = ""
    before: str = ""
    after: str = ""
    before2: str = ""
    after2: str = ""
    target: str = ""
    test: str = ""
    run: str = ""
    sim: str = ""

    def command(self, build):
        if self.sim:
            return [SIMULATOR, "--seeds", "3"]
        if self.run:
            return shlex.split(self.run)
        return ["ctest", "--test-dir", build, "--no-tests=error", "--stop-on-failure", "-R", self.test]


class BadMutation(Exception):
    """A mutation that cannot be tried; the message is for people."""


def parse(text, source):
    """The mutations in a file's text. Raises BadMutation."""
    mutations, current, block = [], None, None
    for number, line in enumerate(text.splitlines() + [""], start=1):
        where = f"{source}:{number}"
        if line.startswith("#"):
            continue
        if line.startswith("|"):
            if block is None:
                raise BadMutation(f"{where}: text outside of before: and after:")
            setattr(current, block, getattr(current, block) + line[1:] + "\n")
        elif not line.strip():
            if current is not None:
                require_whole(current, where)
                mutations.append(current)
            current, block = None, None
        else:
            key, colon, value = line.partition(":")
            if not colon or key not in Mutation.__dataclass_fields__:
                raise BadMutation(f"{where}: '{key}' is none of {', '.join(Mutation.__dataclass_fields__)}")
            current = current or Mutation()
            block = key if key in ("before", "after", "before2", "after2") else None
            if block is None:
                setattr(current, key, value.strip())
    return mutations


def require_whole(mutation, where):
    for key in ("name", "file", "before", "target"):
        if not getattr(mutation, key):
            raise BadMutation(f"{where}: a mutation without '{key}:' ends here")
    if bool(mutation.test) + bool(mutation.run) + bool(mutation.sim) != 1:
        raise BadMutation(f"{where}: {mutation.name} needs one of 'test:', 'run:' and 'sim:'")


def mutate(text, mutation):
    """The text with the mutation. Raises BadMutation when it does not fit."""
    for before, after in ((mutation.before, mutation.after), (mutation.before2, mutation.after2)):
        if not before:
            continue
        count = text.count(before)
        if count != 1:
            raise BadMutation(f"{mutation.name}: '{before}' occurs {count} times in {mutation.file}, not once")
        text = text.replace(before, after)
    return text


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def load_all():
    mutations = []
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".txt") and name != "CMakeLists.txt":
            mutations += parse(read(os.path.join(HERE, name)), name)
    names = [mutation.name for mutation in mutations]
    for name in names:
        if names.count(name) > 1:
            raise BadMutation(f"two mutations are called {name}")
    return mutations


def copy_tree(source, target):
    """Makes `target` equal to `source`; files that are equal already keep their times, so that little is rebuilt."""
    wanted = set()
    for folder, names, file_names in os.walk(source):
        names[:] = [name for name in names if name not in NOT_COPIED]
        for name in file_names:
            path = os.path.join(folder, name)
            copy = os.path.join(target, os.path.relpath(path, source))
            wanted.add(copy)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            if not os.path.exists(copy) or not same_bytes(path, copy):
                shutil.copyfile(path, copy)
                shutil.copymode(path, copy)
    for folder, _, file_names in os.walk(target):
        for name in file_names:
            if os.path.join(folder, name) not in wanted:
                os.remove(os.path.join(folder, name))


def same_bytes(a, b):
    with open(a, "rb") as left, open(b, "rb") as right:
        return left.read() == right.read()


class Workshop:
    """A copy of the tree and its build."""

    def __init__(self, folder, jobs):
        self.tree = os.path.join(folder, "tree")
        self.build_folder = os.path.join(folder, "build")
        self.jobs = str(jobs)
        copy_tree(ROOT, self.tree)
        if not os.path.exists(os.path.join(self.build_folder, "build.ninja")):
            # Without warnings: what a mutation leaves unused is not what it is about.
            options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_CXX_FLAGS=-w"]
            configure = ["cmake", "-S", self.tree, "-B", self.build_folder, *options]
            subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)

    def build(self, targets):
        command = ["cmake", "--build", self.build_folder, "--parallel", self.jobs, "--target", *targets]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test(self, mutation):
        """Whether the test passes; None when it does not end."""
        try:
            run = subprocess.run(
                mutation.command(self.build_folder),
                cwd=self.build_folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TEST_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return run.returncode == 0

    def search(self, mutation):
        """How many seeds of the simulator it takes to find a violation."""
        taken = []
        for first in range(1, SEARCHES * SEARCH_SEEDS_APART, SEARCH_SEEDS_APART):
            command = [SIMULATOR, "--seeds", mutation.sim, "--first", str(first)]
            try:
                run = subprocess.run(command, cwd=self.build_folder, capture_output=True, text=True,
                                     timeout=TEST_SECONDS_MAX, check=False)
            except subprocess.TimeoutExpired:
                return f"SURVIVED {TEST_SECONDS_MAX} s"
            if run.returncode == 0:
                return "SURVIVED"
            found = re.search(r"SEED=(\d+)", run.stdout)
            if found is None:
                return "DOES NOT RUN"
            taken.append(int(found[1]) - first + 1)
        return f"caught, seed {statistics.median(taken)}"

    def judge(self, mutation):
        """Tries one mutation and puts the file back. Says how it went."""
        path = os.path.join(self.tree, mutation.file)
        original = read(path)
        write(path, mutate(original, mutation))
        try:
            if self.build(mutation.target.split()).returncode != 0:
                return "DOES NOT BUILD"
            if mutation.sim:
                return self.search(mutation)
            passed = self.test(mutation)
            return {True: "SURVIVED", False: "caught", None: "caught (hangs)"}[passed]
        finally:
            write(path, original)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def require_passing(workshop, mutations):
    built = workshop.build(sorted({target for mutation in mutations for target in mutation.target.split()}))
    if built.returncode != 0:
        raise BadMutation("the code as it is does not build:\n" + built.stdout[-4000:])
    seen = set()
    for mutation in mutations:
        command = tuple(mutation.command(workshop.build_folder))
        if command not in seen and not workshop.test(mutation):
            raise BadMutation(f"the test of {mutation.name} does not pass on the code as it is: {shlex.join(command)}")
        seen.add(command)


def run(arguments):
    mutations = load_all()
    for name in arguments.names:
        if name not in [mutation.name for mutation in mutations]:
            raise BadMutation(f"there is no mutation {name}; --list names them")
    if arguments.names:
        mutations = [mutation for mutation in mutations if mutation.name in arguments.names]
    for mutation in mutations:
        mutate(read(os.path.join(ROOT, mutation.file)), mutation)
    if arguments.list:
        print("\n".join(f"{mutation.name}: {mutation.file}" for mutation in mutations))
        return 0

    print(f"building and testing the code as it is, for {len(mutations)} mutations", flush=True)
    workshop = Workshop(os.path.join(ROOT, "build", "mutate"), arguments.jobs)
    require_passing(workshop, mutations)
    results = []
    width = max(len(mutation.name) for mutation in mutations)
    for mutation in mutations:
        began = time.monotonic()
        results.append(workshop.judge(mutation))
        seconds = time.monotonic() - began
        print(f"{mutation.name:<{width}}  {mutation.rule:<8}  {results[-1]:<14}  {seconds:6.1f} s", flush=True)
    caught = sum(result.startswith("caught") for result in results)
    print(f"{caught} of {len(results)} mutations caught")
    return 0 if caught == len(results) else 1


def main():
    parser = argparse.ArgumentParser(description="Breaks the code on purpose and shows that the tests notice.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these mutations")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="compilers at once")
    parser.add_argument("--list", action="store_true", help="name the mutations and do nothing")
    try:
        return run(parser.parse_args())
    except BadMutation as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
