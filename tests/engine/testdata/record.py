#!/usr/bin/env python3
"""Writes Redis' replies into the transcripts next to this file.

    tests/engine/testdata/record.py [FILE.txt ...]

Starts the installed redis-server (7.0 or later) on a free port and sends it the commands of each transcript. To add
cases, add lines that begin with "> " and run this; then read the diff. Tests replay the files and need no Redis.

A transcript holds:
    # a comment
    > SET key "a value"          a command, quoted as redis-cli quotes
    +OK\\r\\n                      its reply, escaped; of KEYS with the elements in order
    ~ 30                         30 ms pass
    ! resp3                      from here on replies are RESP3
"""
import pathlib
import socket
import subprocess
import sys
import tempfile
import time


def read_reply(stream):
    line = stream.readline()
    kind, rest = line[:1], line[1:-2]
    if kind in b"$=" and rest != b"-1":
        return line + stream.read(int(rest) + 2)
    if kind in b"*~%>" and rest != b"-1":
        count = int(rest) * (2 if kind == b"%" else 1)
        return line + b"".join(read_reply(stream) for _ in range(count))
    return line


def read_in_order(stream):
    line = stream.readline()
    if line[:1] != b"*":
        return line
    return line + b"".join(sorted(read_reply(stream) for _ in range(int(line[1:-2]))))


def escape(reply):
    names = {10: "\\n", 13: "\\r", 92: "\\\\"}
    return "".join(names.get(b, chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in reply)


def record(path, port):
    connection = socket.create_connection(("127.0.0.1", port))
    stream = connection.makefile("rb")

    def ask(command):
        connection.sendall(command.encode() + b"\r\n")
        return read_in_order(stream) if command.lower().startswith("keys ") else read_reply(stream)

    ask("flushall")
    lines = []
    for line in path.read_text().splitlines():
        if line.startswith("> "):
            lines += [line, escape(ask(line[2:]))]
        elif line.startswith("~ "):
            time.sleep(int(line[2:]) / 1000)
            lines.append(line)
        elif line.startswith(("#", "!")) or not line:
            if line == "! resp3":
                ask("hello 3")
            lines.append(line)
    path.write_text("\n".join(lines) + "\n")


def main():
    here = pathlib.Path(__file__).resolve().parent
    paths = [pathlib.Path(name) for name in sys.argv[1:]] or sorted(here.glob("*.txt"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory],
            executable="/usr/bin/redis-check-rdb",  # the same program, in the package redis-tools
            stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            for path in paths:
                record(path, port)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
