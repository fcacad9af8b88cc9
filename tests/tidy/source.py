"""The tree that the rules look at, and C++ text without what is not code."""

import os
import re

SKIPPED_FOLDERS = {".git", "build", "chainring-data", "node_modules", "testdata", "__pycache__"}
CHECKED_SUFFIXES = (".h", ".cc", ".inc", ".py", ".sh", ".cmake", ".md", ".toml", ".json")
CHECKED_NAMES = {"CMakeLists.txt", "dev", "run", "LICENSE", ".clang-tidy", ".clang-format"}


class Tree:
    """Files by their path from the root of the project, '/' between folders. Immutable."""

    def __init__(self, files):
        self.files = dict(files)

    @staticmethod
    def read(root):
        files = {}
        for folder, names, file_names in os.walk(root):
            names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS)
            for name in sorted(file_names):
                if not name.endswith(CHECKED_SUFFIXES) and name not in CHECKED_NAMES:
                    continue
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    files[os.path.relpath(path, root).replace(os.sep, "/")] = file.read()
        return Tree(files)

    def select(self, *suffixes):
        return [path for path in sorted(self.files) if path.endswith(suffixes)]

    def cpp(self):
        return self.select(".h", ".cc", ".inc")


def top_folder(path):
    return path.split("/", 1)[0] if "/" in path else ""


TOKEN = re.compile(
    r'R"(?P<delimiter>[^()\\\s]{0,16})\((?P<raw>.*?)\)(?P=delimiter)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"  # not the separator in 10'000
    r"|//[^\n]*"
    r"|/\*.*?\*/",
    re.DOTALL,
)


def code_only(text):
    """The text with comments and the insides of literals blanked; lines keep their numbers."""

    def blank(match):
        token = match.group(0)
        kept = token[0] if token[0] in "\"'" else " "
        return kept + re.sub(r"[^\n]", " ", token[1:-1]) + kept if len(token) > 1 else token

    return TOKEN.sub(blank, text)


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def quoted_includes(text):
    """The project's own headers that the text includes, with their line numbers."""
    return [(m.group(1), line_of(text, m.start())) for m in INCLUDE.finditer(text) if m.group(1)]


def system_includes(text):
    return [(m.group(2), line_of(text, m.start())) for m in INCLUDE.finditer(text) if m.group(2)]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def condition_at(code, opening):
    """What stands between the parenthesis at `opening` and the one that closes it."""
    depth = 0
    for position in range(opening, len(code)):
        if code[position] == "(":
            depth += 1
        elif code[position] == ")":
            depth -= 1
            if depth == 0:
                return code[opening + 1 : position]
    return code[opening + 1 :]


def words_of(identifiers):
    """The English words in C++ names: leaseEnd_ms, LeaseEnd and lease_end all hold 'lease'."""
    words = set()
    for name in re.findall(r"[A-Za-z_]\w*", identifiers):
        for part in name.split("_"):
            words.update(word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part))
    return words
