"""Runs the client programs of this folder: each is a process of its own, told by its environment where the cluster is.

A program prints "ok ..." for each step and ends with "done CLIENT" and status 0, or with "FAILED ..." and status 1.
"""

import contextlib
import os
import subprocess
import threading

from harness import wait_for

FOLDER = os.path.dirname(os.path.abspath(__file__))
# Debian's, whatever python3 comes first in the path: it is the one that sees Debian's python3-redis.
DEBIAN_PYTHON = "/usr/bin/python3"
PROGRAM_SECONDS = 120


def command_of(program, arguments):
    path = os.path.join(FOLDER, program)
    if program.endswith(".js"):
        return ["node", path, *arguments]
    if program.endswith(".py"):
        return [DEBIAN_PYTHON, path, *arguments]
    return [program, *arguments]


class Program:
    """One running client program. Ended with the block that it is used in."""

    def __init__(self, program, *arguments, **environment):
        self.lines = []
        self.process = subprocess.Popen(command_of(program, arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            print("  " + self.lines[-1], flush=True)

    def wait_for_line(self, start):
        """Until it has printed a line that begins so, or has ended."""
        wait_for(f"a line that begins with '{start}'",
                 lambda: self._printed(start) or not self.reader.is_alive(), PROGRAM_SECONDS)
        if not self._printed(start):
            raise AssertionError(f"ended without '{start}': {self.lines[-1:]}")

    def _printed(self, start):
        return any(line.startswith(start) for line in list(self.lines))

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def finish(self):
        """Waits for its end, which must be the good one."""
        wait_for("the client program to end", lambda: not self.reader.is_alive(), PROGRAM_SECONDS)
        self.process.wait(PROGRAM_SECONDS)
        last = self.lines[-1] if self.lines else ""
        if self.process.returncode != 0 or not last.startswith("done"):
            raise AssertionError(f"status {self.process.returncode}, last line: {last}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
