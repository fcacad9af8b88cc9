"""The cluster's processes on the hosts of network.py: started, killed, frozen, and started again as systemd would."""

import json
import os
import shutil
import signal
import subprocess
import time

from harness import BINARY, Client, RedisError
from network import run

PASSWORD = "torture-password"
SECRETS = {"CHAINRING_REQUIREPASS": PASSWORD, "CHAINRING_PEER_SECRET": "torture-peers"}
PORTS = {"coordinator": 7301, "node": 7401, "router": 7379}
RESTART_SECONDS = 1.0
DISK_BYTES = 64 << 20  # of a coordinator
ANSWER_SECONDS = 2.0
HEARD_MS = 150  # of a coordinator that is there
HEALTHY_EXITS = (0, -signal.SIGKILL)
HEALTHY_WORDS = ("No space left on device", "its place is another's")  # a full disk; cut off for --repair-after-ms


class Server:
    """One process on a host, its lives one after another. `command` takes the directory that is made for it."""

    def __init__(self, name, host, port, directory, command):
        self.name, self.host, self.port = name, host, port
        self.directory = os.path.join(directory, name)
        self.log = os.path.join(directory, name + ".log")
        self.command = host.inside(*command(self.directory))
        self.process = None
        self.lives = 0
        self.start_at = None  # when it is to be started again
        self.down_since = None
        self.longest_down_seconds = 0.0  # between two lives, since somebody set this back
        os.makedirs(self.directory, exist_ok=True)

    def start(self, **more):
        """`more` is for Popen."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, **more)
        self.start_at = None
        self.lives += 1
        self.longest_down_seconds = self.down_seconds()
        self.down_since = None

    def down_seconds(self):
        """The longest time, or that until now when it is down."""
        since = self.down_since
        return max(self.longest_down_seconds, 0.0 if since is None else time.monotonic() - since)

    def is_running(self):
        return self.start_at is None and self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self, down_seconds):
        """Ends it now; it comes back after so long."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.is_down(down_seconds)

    def is_down(self, for_seconds):
        self.down_since = time.monotonic()
        self.start_at = self.down_since + for_seconds

    def tend(self):
        """Starts it again when it is time. Returns what is wrong when it ended by itself, and should not have."""
        if self.start_at is not None:
            if time.monotonic() >= self.start_at:
                self.start()
            return None
        status = self.process.poll()
        if status is None:
            return None
        self.is_down(RESTART_SECONDS)
        if status in HEALTHY_EXITS or any(words in self.last_words() for words in HEALTHY_WORDS):
            return None
        return f"{self.name} ended by itself with status {status}: {self.last_words()} ({self.log})"

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return (log.readlines() or [""])[-1].strip()

    def client(self, timeout=ANSWER_SECONDS):
        return Client(self.port, timeout, self.host.address)


class Member(Server):
    """One of Chainring's."""

    def __init__(self, name, role, host, directory, options):
        self.role, port = role, PORTS[role]
        super().__init__(name, host, port, directory, lambda own: [
            BINARY, role, "--name", name, "--bind", host.address, "--port", str(port), "--dir", own, *options])

    def start(self, **more):
        super().start(env={**os.environ, **SECRETS}, **more)

    def client(self, timeout=ANSWER_SECONDS):
        client = super().client(timeout)
        client.call("AUTH", PASSWORD)
        return client


class Disk:
    """A small file system of its own for one directory, which can be filled."""

    def __init__(self, directory):
        self.directory = directory
        self.filler = os.path.join(directory, "filler")
        os.makedirs(directory, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", directory)

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
            except OSError:  # no space is left
                return

    def free(self):
        os.unlink(self.filler)

    def end(self):
        """What is on it goes to the disk below: it would be gone with the namespaces."""
        kept = self.directory + ".kept"
        shutil.copytree(self.directory, kept, ignore=shutil.ignore_patterns(os.path.basename(self.filler)))
        run("umount", self.directory)
        os.rmdir(self.directory)
        os.rename(kept, self.directory)


class Cluster:
    """h1 to h3: a coordinator and a node each. h4: a spare node. Routers where they are wanted.

    `group` are options of the coordinators; those have disks of their own if wanted, small ones that can be filled.
    """

    def __init__(self, hosts, directory, routers, group=(), small_disks=False):
        self.directory = directory
        coordinators = ",".join(f"c{i}={hosts[i - 1].address}:{PORTS['coordinator']}" for i in (1, 2, 3))
        common = ["--coordinators", coordinators, "--http-port", "none"]
        group = ["--copies", "3", "--initial-nodes", "3", *group]
        self.members, self.disks = {}, {}
        self.seen = {}  # name of a node -> (which of its lives, its incarnation)

        def add(name, role, host, *options):
            self.members[name] = Member(name, role, host, directory, [*common, *options])
        for number, host in enumerate(hosts[:3], start=1):
            if small_disks:
                self.disks[f"c{number}"] = Disk(os.path.join(directory, f"c{number}"))
            add(f"c{number}", "coordinator", host, *group)
        for number, host in enumerate(hosts[:4], start=1):
            add(f"n{number}", "node", host)
        for number, host in enumerate(routers, start=1):
            add(f"r{number}", "router", host)

    def start(self, names):
        for name in names:
            self.members[name].start()

    def end(self):
        for member in self.members.values():
            if member.process:
                member.signal(signal.SIGKILL)
                member.process.wait()
        for disk in self.disks.values():
            disk.end()

    def role(self, role):
        return [member for member in self.members.values() if member.role == role]

    def ask(self, *words):
        """What the first router that answers says; None when none does."""
        for router in self.role("router"):
            try:
                with router.client() as client:
                    return client.call(*words)
            except RedisError as error:
                return error
            except OSError:
                continue
        return None

    def status(self):
        answer = self.ask("RING", "STATUS", "JSON")
        return json.loads(answer) if isinstance(answer, bytes) else None

    def is_whole(self):
        """Its status when everything that was started is as it should be, else None."""
        if not all(member.is_running() for member in self.members.values() if member.lives):
            return None
        lives = {node.name: node.lives for node in self.role("node") if node.lives}
        status = self.status()
        if not status or status["reshard"]["state"] != "idle":
            return None
        slots, coordinators = status["slots"], status["coordinators"]
        whole = (slots["served"] == 16384 and slots["short"] == 0 and
                 sorted(one["state"] for one in coordinators) == ["follower", "follower", "leader"] and
                 all(0 <= one["last_heard_ms"] < HEARD_MS for one in coordinators) and
                 all(one["placed"] == (one["slots"] > 0) and one["renewed"] for one in status["members"]) and
                 self.are_new(status, lives))
        return status if whole else None

    def are_new(self, status, lives):
        """Whether it names each node once, and none by an incarnation of an earlier life."""
        living = {one["name"]: (lives[one["name"]], one["incarnation"]) for one in status["members"]
                  if one["state"] in ("up", "joining")}
        stale = [name for name, (life, incarnation) in living.items()
                 if self.seen.get(name, (life,))[0] != life and self.seen[name][1] == incarnation]
        if stale or len(living) != len(lives) or len(status["members"]) != len(lives):
            return False
        self.seen = living
        return True
