"""The coordinators change while clients lock and write: locks stay held, tokens grow, the cluster serves on."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from harness import BINARY, Client, Cluster, RedisError, wait_for

HELD = [f"lock:held:{i}" for i in range(20)]
TTL_MS = 600_000


class Locker(threading.Thread):
    """Takes and gives back locks, and notes every token."""

    def __init__(self, port, owner):
        super().__init__(daemon=True)
        self.port, self.owner = port, owner
        self.tokens, self.errors = [], []
        self.stopping = threading.Event()

    def run(self):
        with Client(self.port) as client:
            number = 0
            while not self.stopping.is_set():
                number += 1
                lock = f"lock:{self.owner}:{number % 7}"
                try:
                    granted = client.call("LOCK", "ACQUIRE", lock, self.owner, "TTL", TTL_MS)
                    self.tokens.append(granted[0])
                    client.call("LOCK", "RELEASE", lock, self.owner)
                    client.call("SET", f"key:{self.owner}", number)
                except RedisError as error:
                    self.errors.append(str(error))

    def stop(self):
        self.stopping.set()
        self.join(30)


class OneMore:
    """A coordinator beside those of `up`, configured with them and itself."""

    def __init__(self, cluster, name, port):
        self.name, self.port = name, port
        self.directory = tempfile.mkdtemp(prefix="chainring-test-")
        known = {name: at for name, (role, at) in cluster.endpoints().items() if role == "coordinator"} | {name: port}
        self.command = [BINARY, "coordinator", "--name", name, "--port", str(port), "--dir", self.directory + "/data",
                        "--logfile", self.directory + "/log", "--coordinators",
                        ",".join(f"{one}=127.0.0.1:{at}" for one, at in known.items())]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command)
        wait_for(f"{self.name} to listen", self.listens, 20)

    def listens(self):
        try:
            Client(self.port).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.kill()
        if kind is not None:
            with open(self.directory + "/log", encoding="utf-8") as file:
                print(f"---- {self.name}\n" + "".join(file.readlines()[-15:]))
        shutil.rmtree(self.directory, ignore_errors=True)


def change_group(cluster, *words):
    """Until it is done: what takes longer than a client's patience goes on, and is asked for again."""
    def done():
        try:
            with cluster.client() as client:
                return client.call("RING", "COORDINATOR", *words) == "OK"
        except RedisError as error:
            if str(error).split()[0] in ("TIMEOUT", "CLUSTERDOWN", "TRYAGAIN"):
                return False
            raise
    wait_for(" ".join(map(str, words)), done, 60)


def voters(cluster):
    status = cluster.status()
    if not status or not all(c["voter"] and c["state"] in ("leader", "follower") for c in status["coordinators"]):
        return None
    return sorted(c["name"] for c in status["coordinators"])


class ChangeTheGroup(unittest.TestCase):
    def lose_directory(self, cluster, name):
        victim = cluster.pid(name)
        os.kill(victim, signal.SIGSTOP)  # it writes nothing more
        data = os.path.join(cluster.directory, name, "data")
        for file in os.listdir(data):
            os.remove(os.path.join(data, file))
        os.kill(victim, signal.SIGKILL)
        cluster.new_pid(name, victim)

    def check_held(self, cluster, tokens):
        with cluster.client() as client:
            self.assertEqual([client.call("LOCK", "TOKEN", lock, "me") for lock in HELD], tokens)
            self.assertIsNone(client.call("LOCK", "ACQUIRE", HELD[0], "you", "TTL", 1000))

    def test_add_remove_the_leader_replace_a_lost_directory_restart(self):
        with Cluster() as cluster, OneMore(cluster, "c4", cluster.port - 75) as fourth:
            with cluster.client() as client:
                tokens = [client.call("LOCK", "ACQUIRE", lock, "me", "TTL", TTL_MS)[0] for lock in HELD]
            lockers = [Locker(cluster.port, f"owner{i}") for i in range(2)]
            for locker in lockers:
                locker.start()

            change_group(cluster, "ADD", "c4", f"127.0.0.1:{fourth.port}")
            wait_for("four voters", lambda: voters(cluster) == ["c1", "c2", "c3", "c4"], 20)
            self.check_held(cluster, tokens)

            removed = cluster.status()["leader"]
            change_group(cluster, "REMOVE", removed)
            rest = [name for name in ("c1", "c2", "c3", "c4") if name != removed]
            wait_for("three voters", lambda: voters(cluster) == rest, 20)
            self.assertNotEqual(cluster.status()["leader"], removed)
            self.check_held(cluster, tokens)

            lost = [name for name in rest if name not in ("c4", cluster.status()["leader"])][0]
            self.lose_directory(cluster, lost)
            change_group(cluster, "ADD", lost, f"127.0.0.1:{cluster.endpoints()[lost][1]}")
            wait_for("three voters again", lambda: voters(cluster) == rest, 20)
            self.check_held(cluster, tokens)

            for locker in lockers:
                locker.stop()
                self.assertEqual(locker.errors, [])
                self.assertGreater(len(locker.tokens), 50)
                self.assertEqual(locker.tokens, sorted(set(locker.tokens)))

            # All coordinators end at once and come back with the configurations that they began with.
            before = {name: cluster.pid(name) for name in ("c1", "c2", "c3")}
            for pid in before.values():
                os.kill(pid, signal.SIGKILL)
            fourth.kill()
            fourth.start()
            for name, pid in before.items():
                cluster.new_pid(name, pid)
            wait_for("three voters after the restart", lambda: voters(cluster) == rest, 30)
            self.check_held(cluster, tokens)
            with cluster.client() as client:
                self.assertEqual(client.call("SET", "after", "1"), "OK")


if __name__ == "__main__":
    unittest.main(verbosity=2)
