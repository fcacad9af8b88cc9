"""The load of a measurement: one process of bench/load on a host, told what to do by requests in RESP."""

import json
import os

from harness import Client, wait_for
from processes import Server

PROGRAM = os.environ.get("LOAD_BINARY", "")
CONTROL_PORT = 7900  # and those above it
START_SECONDS = 30
SWEEP_SECONDS = 900  # every key is written or read once
ANSWER_SECONDS = 10


class Loader:
    """`way` names how it reaches the cluster. A context manager; the process ends with it."""

    def __init__(self, way, host, directory, number, servers, keys, *, cluster, attempt_ms, password=None,
                 read_percent=20, value_bytes=64):
        self.way, self.keys, self.value_bytes, self.read_percent = way, keys, value_bytes, read_percent
        port = CONTROL_PORT + number
        self.environment = {**os.environ, **({"REDISCLI_AUTH": password} if password else {})}
        options = [word for server in servers for word in ("--server", server)]
        options += ["--control", f"{host.address}:{port}", "--prefix", f"load{number}", "--keys", str(keys),
                    "--cluster", str(int(cluster)), "--attempt-ms", str(attempt_ms),
                    "--read-percent", str(read_percent), "--value-bytes", str(value_bytes)]
        self.process = Server(f"load-{way}", host, port, directory, lambda _: [PROGRAM, *options])
        self.control = None

    def __enter__(self):
        self.process.start(env=self.environment)

        def connect():
            try:
                return Client(self.process.port, SWEEP_SECONDS, self.process.host.address)
            except OSError:
                return None
        self.control = wait_for("the load to listen", connect, START_SECONDS)
        return self

    def __exit__(self, *_):
        self.control.close()
        self.process.kill(0)

    def fill(self):
        self.control.call("FILL")

    def run(self, rate=0, outstanding=0):
        """`rate` operations a second, or always `outstanding` of them."""
        self.control.call("RUN", rate, outstanding)

    def watch(self):
        """A window begins."""
        self.control.call("WATCH")

    def quiet_seconds(self, slots):
        """How long no write has been acknowledged in any of them."""
        return int(self.control.call("QUIET", ranges_text(slots))) / 1e6

    def report(self, groups):
        """What was seen in the window. {name: slots}"""
        words = [word for name, slots in groups.items() for word in (name, ranges_text(slots))]
        return json.loads(self.control.call("REPORT", *words))

    def check(self):
        """Ends the load and reads every key."""
        self.control.call("STOP")
        return json.loads(self.control.call("CHECK"))


def ranges_text(slots):
    """{0, 1, 2, 7} -> "0-2,7"."""
    runs = []
    for slot in sorted(slots):
        if runs and runs[-1][1] == slot - 1:
            runs[-1][1] = slot
        else:
            runs.append([slot, slot])
    return ",".join(f"{first}-{last}" if first < last else str(first) for first, last in runs)
