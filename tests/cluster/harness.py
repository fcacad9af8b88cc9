"""Real clusters for tests: `chainring up` in a directory and on ports of its own, and a small Redis client.

Nothing here sleeps for a fixed time: everything waits for a condition, with a deadline. Only processes that were
started here are ended, by pid.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

BINARY = os.environ["CHAINRING_BINARY"]


def wait_for(what, condition, seconds=30.0, every=0.02):
    """Polls until condition() is true; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        threading.Event().wait(every)


_reserved = []  # held until the process ends


def free_base_port():
    """A port P such that the ports of a cluster around it are free now: P - 78 (coordinators), P, P + 22 (nodes), and
    those of their HTTP, 1000 above. Tests run side by side: the block is reserved by the name of a socket, as
    tests/cli/local_up.cc does it."""
    for number in range(os.getpid(), os.getpid() + 80):
        block = number % 80
        base = 11100 + 2000 * (block // 8) + 125 * (block % 8)
        own = [*range(base - 78, base - 70), *range(base - 7, base + 1), *range(base + 22, base + 32)]
        if not all(port_is_free(port) and port_is_free(port + 1000) for port in own):
            continue
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0chainring-test-ports-{base}")
        except OSError:
            holder.close()
            continue
        _reserved.append(holder)
        return base
    raise AssertionError("no free ports")


class RedisError(Exception):
    pass


class Client:
    """A blocking client, RESP2 by default. Errors of the server are returned as RedisError values by pipeline() and
    raised by call()."""

    def __init__(self, port, timeout=20.0, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def encode(words):
        out = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        return b"".join(out)

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("closed by the server")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            return self.file.read(size + 2)[:-2]
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self.read() for _ in range(count)]
        if kind == b"_":
            return None
        if kind == b"%":
            return {self._hashable(self.read()): self.read() for _ in range(int(rest))}
        raise AssertionError(f"unexpected reply {line!r}")

    @staticmethod
    def _hashable(value):
        return value.decode() if isinstance(value, bytes) else value

    def call(self, *words):
        self.send(self.encode(words))
        reply = self.read()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pipeline(self, commands):
        self.send(b"".join(self.encode(command) for command in commands))
        return [self.read() for _ in commands]


class Cluster:
    """`chainring up` and what it prints. Use as a context manager."""

    def __init__(self, *options, directory=None, port=None, environment=None):
        self.environment = {**os.environ, **(environment or {})}
        self.port = port or free_base_port()
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="chainring-test-")
        self.options = [str(option) for option in options]
        self.lines = []
        self.process = None

    def start(self, ready_within=60.0):
        command = [BINARY, "up", "--port", str(self.port), "--dir", self.directory, *self.options]
        self.lines = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        start_new_session=True, env=self.environment)
        collector = threading.Thread(target=self._collect, args=(self.process,), daemon=True)
        collector.start()
        wait_for("ready", lambda: "ready" in self.lines or not collector.is_alive(), ready_within)
        if "ready" not in self.lines:
            raise AssertionError("`up` ended: " + "\n".join(self.lines))
        return self

    def _collect(self, process):
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))

    def endpoints(self):
        """{name: (role, port)} from the lines `role name host:port`."""
        found = {}
        for line in list(self.lines):
            match = re.fullmatch(r"(node|router|coordinator) (\S+) \S+:(\d+)", line)
            if match:
                found[match.group(2)] = (match.group(1), int(match.group(3)))
        return found

    def pid(self, name):
        """None while the process is between two lives."""
        try:
            with open(os.path.join(self.directory, name, "pid"), encoding="ascii") as file:
                return int(file.read() or 0) or None
        except FileNotFoundError:
            return None

    def new_pid(self, name, before):
        """The pid of its next life."""
        return wait_for(f"{name} to be started again",
                        lambda: self.pid(name) != before and alive(self.pid(name)) and self.pid(name), 15)

    def pids(self):
        return [self.pid(name) for name in self.endpoints()]

    def client(self, name=None, timeout=20.0):
        return Client(self.endpoints()[name][1] if name else self.port, timeout)

    def status(self):
        import json
        run = subprocess.run([BINARY, "status", "--json", "--port", str(self.port)], capture_output=True, text=True,
                             timeout=30, check=False)
        return json.loads(run.stdout) if run.returncode == 0 else None

    def stop(self, how=signal.SIGINT, within=20.0):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(within)
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            if kind is not None:
                print("\n".join(self.lines[-40:]))
                self.print_logs()
            if self.own_directory:
                shutil.rmtree(self.directory, ignore_errors=True)

    def print_logs(self):
        for name in sorted(os.listdir(self.directory)):
            log = os.path.join(self.directory, name, "log")
            if os.path.isfile(log):
                with open(log, encoding="utf-8", errors="replace") as file:
                    print(f"---- {name}\n" + "".join(file.readlines()[-15:]))


class SharedCluster(unittest.TestCase):
    """Tests that share one cluster, `cluster`, whose router has the port `port`."""

    OPTIONS = ()
    ENVIRONMENT = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(*cls.OPTIONS, environment=cls.ENVIRONMENT)
        cls.cluster.start()
        cls.port = cls.cluster.port

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)


class RedisServer:
    """One redis-server of Debian's without persistence, on a free port: `port`. `options` are its command line's.

    The package redis-tools has the program under another name, and its own tells it what to be: so the package
    redis-server, which would start a service at the next boot, is not needed.
    """

    PROGRAM = "/usr/bin/redis-check-rdb"

    def __init__(self, *options, host="127.0.0.1", port=None):
        self.host, self.port = host, port or free_base_port()
        self.directory = tempfile.mkdtemp(prefix="chainring-redis-")
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", host, "--save", "", "--appendonly", "no",
             "--dir", self.directory, *options],
            executable=self.PROGRAM, stdout=subprocess.DEVNULL)

    @classmethod
    def version(cls):
        told = subprocess.run(["redis-server", "--version"], executable=cls.PROGRAM, capture_output=True, text=True,
                              check=True).stdout
        return told.split("v=")[1].split()[0]

    def __enter__(self):
        wait_for("redis-server", self.answers)
        return self

    def answers(self):
        try:
            with Client(self.port, host=self.host) as client:
                return client.call("PING") == "PONG"
        except OSError:
            return False

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)


def alive(pid):
    if not pid:
        return False
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may end between opening and reading
        return False


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def run_cli(port, *words, stdin=None, timeout=120):
    """redis-cli, as a user would run it."""
    return subprocess.run(["redis-cli", "-p", str(port), *map(str, words)], input=stdin, capture_output=True, text=True,
                          timeout=timeout, check=False)
