"""The rules: each takes a Tree and yields findings (path, line, what is wrong). The line is 0 for a whole file.

A rule is found by its name; tests/tidy/CMakeLists.txt makes a test of each, self_test.py tests each on bad samples.
"""

import re

from source import (
    code_only,
    condition_at,
    line_of,
    quoted_includes,
    system_includes,
    top_folder,
    words_of,
)

LAYERS = [
    {"base"},
    {"protocol"},
    {"engine", "raft", "ring", "io"},
    {"session"},
    {"node", "router", "coordinator"},
    {"cli"},
]
LAYER_OF = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}

# What decides: pure, whatever else its folder does.
DECIDES = re.compile(r"^(raft/|ring/|node/chain|coordinator/state|router/route)")
# What touches the world does not decide: no branch on these in a file that includes io.
DECISION_WORDS = {"epoch", "epochs", "lease", "leases", "term", "terms", "chain", "chains"}

FILE_LINES_MAX = 600
TEST_LINES_MAX = 900
LINE_COLUMNS_MAX = 120

GLOBAL = r"|(?<![\w>])::"  # of the system: ::open(), not Log::open()
WORLD_CALLS = {
    "a clock": r"\b(?:steady_clock|system_clock|high_resolution_clock|clock_gettime|gettimeofday)\b"
    r"|\btime\s*\(\s*(?:nullptr|NULL|0)\s*\)",
    "randomness": r"\brandom_device\b|\b(?:s?rand|rand_r|drand48|getrandom|getentropy)\s*\(",
    "a socket": r"\b(?:socket|socketpair|getaddrinfo|epoll_create1?)\s*\("
    + GLOBAL
    + r"(?:connect|bind|listen|accept4?)\s*\(",
    "a file": r"\b(?:fopen|fdopen|opendir|mkstemp)\s*\(|\b(?:ifstream|ofstream|fstream|std::filesystem)\b"
    + GLOBAL
    + r"(?:open|openat|creat)\s*\(",
    "a thread": r"\bstd::(?:thread|jthread|async|mutex|condition_variable)\b|\bpthread_create\b|\bfork\s*\(",
}
SLEEPS = {"a sleep": r"\b(?:sleep|usleep|nanosleep|clock_nanosleep|sleep_for|sleep_until)\s*\("}
WORLD_FOLDERS = {"io", "cli", "bench", "tests"}

HEAVY_HEADERS = ("spdlog/", "CLI/", "toml++/", "boost/process")  # seconds of compile time each: one .cc each
LEFTOVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
OWN_MACHINE = re.compile(r"/(?:ho" r"me|Us" r"ers)/\w+|(?<![\w.])/(?:wo" r"rk|ro" r"ot)/|/tmp/bu" r"ild\b")
HIDDEN_TEST = re.compile(r'"\[(?:\.|hide|!mayfail|!shouldfail)[^"]*"|@unittest\.skip|\bskipTest\(')

PYTHON_SLEEP = re.compile(r"\btime\.sleep\s*\(")


def layering(tree):
    """Includes point downward; the roles do not include each other; what decides includes no io."""
    for path in tree.cpp():
        folder = top_folder(path)
        for included, line in quoted_includes(tree.files[path]):
            if included not in tree.files:
                yield path, line, f"includes {included}, which is no file of the project from its root"
            target = top_folder(included)
            if folder in LAYER_OF and target != folder:
                if target not in LAYER_OF or LAYER_OF[target] >= LAYER_OF[folder]:
                    yield path, line, f"{folder} includes {included}, which is not below it"
            if DECIDES.match(path) and target == "io":
                yield path, line, f"decides, but includes {included}"


def decisions(tree):
    """A file that includes io branches on no epoch, lease, term or chain."""
    for path in tree.cpp():
        text = tree.files[path]
        if top_folder(path) not in LAYER_OF:
            continue
        if not any(top_folder(included) == "io" for included, _ in quoted_includes(text)):
            continue
        code = code_only(text)
        for match in re.finditer(r"\b(?:if|while|switch)\s*(?:constexpr\s*)?\(", code):
            found = words_of(condition_at(code, match.end() - 1)) & DECISION_WORDS
            if found:
                yield path, line_of(code, match.start()), f"touches the world and decides on {', '.join(sorted(found))}"


def cycles(tree):
    """No two folders include each other, however long the way; nor do two headers."""
    folders, headers = {}, {}
    for path in tree.cpp():
        if top_folder(path) not in LAYER_OF:
            continue
        for included, _ in quoted_includes(tree.files[path]):
            if top_folder(included) != top_folder(path):
                folders.setdefault(top_folder(path), set()).add(top_folder(included))
            headers.setdefault(path, set()).add(included)
    for graph in (folders, headers):
        cycle = find_cycle(graph)
        if cycle:
            yield cycle[0], 0, "is in a cycle: " + " > ".join(cycle)


def find_cycle(graph):
    done = set()

    def visit(node, trail):
        if node in trail:
            return trail[trail.index(node) :] + [node]
        if node in done:
            return None
        for following in sorted(graph.get(node, ())):
            cycle = visit(following, trail + [node])
            if cycle:
                return cycle
        done.add(node)
        return None

    for start in sorted(graph):
        cycle = visit(start, [])
        if cycle:
            return cycle
    return None


def world(tree):
    """Clocks, randomness, files, sockets, threads and sleeps only in io and cli; no sleeps in tests."""
    for path in tree.cpp():
        folder = top_folder(path)
        banned = dict(SLEEPS) if folder == "tests" else {}
        if folder not in WORLD_FOLDERS:
            banned = WORLD_CALLS | SLEEPS
        code = code_only(tree.files[path])
        for what, pattern in banned.items():
            for match in re.finditer(pattern, code):
                yield path, line_of(code, match.start()), f"uses {what}: {match.group(0).strip()}"
    for path in tree.select(".py"):
        if top_folder(path) == "tests":
            for match in PYTHON_SLEEP.finditer(tree.files[path]):
                yield path, line_of(tree.files[path], match.start()), "a test waits for what it needs"


def length(tree):
    """Files and lines that a reader can take in."""
    for path in tree.select(".h", ".cc", ".inc", ".py", ".sh", ".cmake", "CMakeLists.txt", "dev", "run"):
        lines = tree.files[path].splitlines()
        limit = TEST_LINES_MAX if top_folder(path) == "tests" else FILE_LINES_MAX
        if len(lines) > limit:
            yield path, 0, f"has {len(lines)} lines; at most {limit}"
        for number, line in enumerate(lines, start=1):
            if len(line) > LINE_COLUMNS_MAX:
                yield path, number, f"is {len(line)} columns wide; at most {LINE_COLUMNS_MAX}"


def readme(tree):
    """Every folder at the top says what it is; so does every folder of tests that holds more than tests."""
    for folder in sorted({top_folder(path) for path in tree.files} - {"", ".ci", "cmake"}):
        text = tree.files.get(f"{folder}/README.md", "")
        if not text.startswith("# "):
            yield folder, 0, "has no README.md that begins with a title"


def pragma(tree):
    """#pragma once is the first line of a header that is not a comment."""
    for path in tree.select(".h"):
        lines = (line.strip() for line in code_only(tree.files[path]).splitlines())
        if next((line for line in lines if line), "") != "#pragma once":
            yield path, 0, "does not begin with #pragma once"


def own_header_first(tree):
    """x.cc includes x.h first: so that compiling it shows that x.h stands alone."""
    for path in tree.select(".cc"):
        header = path[: -len(".cc")] + ".h"
        if header not in tree.files:
            continue
        text = tree.files[path]
        everything = sorted(quoted_includes(text) + system_includes(text), key=lambda include: include[1])
        if not everything or everything[0][0] != header:
            yield path, 0, f"does not include {header} first"


def heavy(tree):
    """Headers that cost seconds of compile time are included by one .cc each and by no header."""
    for library in HEAVY_HEADERS:
        users = []
        for path in tree.cpp():
            for included, line in system_includes(tree.files[path]) + quoted_includes(tree.files[path]):
                if included.startswith(library):
                    users.append((path, line, included))
        sources = sorted({path for path, _, _ in users})
        for path, line, included in users:
            if path.endswith(".h"):
                yield path, line, f"a header includes {included}, which every file that includes it pays for"
            elif path != sources[0]:
                yield path, line, f"includes {included} beside {sources[0]}"


def leftovers(tree):
    """What is not done is an issue, not a comment."""
    for path, text in sorted(tree.files.items()):
        for match in LEFTOVER.finditer(text):
            yield path, line_of(text, match.start()), f"leaves a {match.group(0)} behind"


def unbuilt(tree):
    """Every source belongs to a target, and every source that a target names is there."""
    for path in tree.select(".cc"):
        if not any(name in named_sources(tree, folder) for folder, name in owners(path)):
            yield path, 0, "is built by no target"
    for path in tree.select("CMakeLists.txt"):
        folder = path[: -len("CMakeLists.txt")]
        for name in sorted(named_sources(tree, folder)):
            if folder + name not in tree.files:
                yield path, 0, f"names {name}, which is not there"


def owners(path):
    """Each folder above the file, with the file's path from there."""
    parts = path.split("/")
    for depth in range(len(parts) - 1, -1, -1):
        yield "".join(part + "/" for part in parts[:depth]), "/".join(parts[depth:])


def named_sources(tree, folder):
    text = re.sub(r"#[^\n]*", "", tree.files.get(folder + "CMakeLists.txt", ""))
    return {name for name in re.findall(r"[\w./${}+-]+\.cc\b", text) if "$" not in name}


def own_paths(tree):
    """No path of somebody's machine."""
    for path, text in sorted(tree.files.items()):
        for match in OWN_MACHINE.finditer(text):
            yield path, line_of(text, match.start()), f"names a path of one machine: {match.group(0)}"


def skipped(tree):
    """A test that is there runs."""
    for path, text in sorted(tree.files.items()):
        if top_folder(path) == "tests" and path.endswith((".cc", ".h", ".py")):
            for match in HIDDEN_TEST.finditer(text):
                yield path, line_of(text, match.start()), f"hides a test: {match.group(0)}"


COMPLAINT = re.compile(r"\blog_?(?:\.|->)(?:warning|error)\(")
TEXT_SHORTEST = 12  # shorter pieces of a line say nothing by themselves


def texts_of_call(text, start):
    """The string literals of the call whose arguments begin at `start`; those side by side are one."""
    texts, depth, position, together = [], 1, start, False
    while depth > 0 and position < len(text):
        literal = re.match(r'"((?:\\.|[^"\\\n])*)"', text[position:])
        if literal:
            piece = re.sub(r"\\(.)", r"\1", literal.group(1))
            texts[-1:] = [texts[-1] + piece] if together else texts[-1:] + [piece]
            position += literal.end()
            together = True
            continue
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        together = together and text[position].isspace()
        position += 1
    return texts


def complaints(tree):
    """What is logged as a warning or an error is explained to operators."""
    explained = " ".join(tree.files.get("docs/operations.md", "").split())
    for path in tree.cpp():
        if top_folder(path) == "tests":
            continue
        text = tree.files[path]
        for call in COMPLAINT.finditer(text):
            for piece in texts_of_call(text, call.end()):
                words = " ".join(piece.split()).strip(":;,( ")
                if len(words) >= TEXT_SHORTEST and words not in explained:
                    yield path, line_of(text, call.start()), f"is not in docs/operations.md: {words}"


RULES = {
    "layering": layering,
    "decisions": decisions,
    "cycles": cycles,
    "world": world,
    "length": length,
    "readme": readme,
    "pragma": pragma,
    "own-header-first": own_header_first,
    "heavy": heavy,
    "leftovers": leftovers,
    "unbuilt": unbuilt,
    "own-paths": own_paths,
    "skipped": skipped,
    "complaints": complaints,
}
