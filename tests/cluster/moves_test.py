"""A cluster grows, shrinks, loses processes and changes weights while clients read and write. CHAINRING_KEYS says how
many keys it holds meanwhile."""

import os
import random
import signal
import subprocess
import threading
import time
import unittest

from harness import BINARY, Client, Cluster, RedisError, wait_for

KEYS = int(os.environ.get("CHAINRING_KEYS", "20000"))
CHANGES = int(os.environ.get("CHAINRING_CHANGES", "8"))
BATCH = 1000
OWN_KEYS = 300  # of each load


def value_of(number):
    return b"value-%d-" % number + b"x" * (number % 40)


class Load(threading.Thread):
    """Writes, counts and reads, and remembers what was acknowledged. It dials again when the router is killed; what was
    open then may have happened or not."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name_ = port, name
        self.acknowledged = {}
        self.maybe = {}
        self.counted = self.count_unknown = 0
        self.operations = 0
        self.errors, self.wrong = [], []
        self.longest_gap = 0.0
        self.stopping = threading.Event()

    def run(self):
        number = 0
        last = time.monotonic()
        client = None
        while not self.stopping.is_set():
            number += 1
            key, value = f"{self.name_}:{number % OWN_KEYS}", str(number).encode()
            try:
                client = client or Client(self.port)
                read = f"key:{number * 7919 % KEYS}"
                replies = client.pipeline([("SET", key, value), ("INCR", f"{self.name_}:count"), ("GET", read)])
            except OSError:
                client = None
                self.maybe.setdefault(key, set()).add(value)
                self.count_unknown += 1
                last = time.monotonic()
                continue
            self.errors += [str(reply) for reply in replies if isinstance(reply, RedisError)]
            self.acknowledged[key] = value
            self.maybe.pop(key, None)
            self.counted += 1
            if replies[2] != value_of(number * 7919 % KEYS):
                self.wrong.append((read, replies[2]))
            self.operations += 3
            now = time.monotonic()
            self.longest_gap = max(self.longest_gap, now - last)
            last = now

    def stop(self):
        self.stopping.set()
        self.join(30)


class Moves(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster("--repair-after-ms", "3000")
        self.cluster.start()
        self.addCleanup(self.cluster.__exit__, None, None, None)

    def status(self):
        return wait_for("the status", self.cluster.status, 30)

    def settle(self, what):
        """Waits until the ring is in place: every slot has all its copies where they belong."""
        def settled():
            status = self.cluster.status()
            return status and status["reshard"]["state"] == "idle" and status["slots"]["short"] == 0 and \
                status["slots"]["served"] == 16384 and status
        begun = time.monotonic()
        status = wait_for(f"the ring to be in place after {what}", settled, 120 + KEYS / 2000, every=0.1)
        return status, time.monotonic() - begun

    def ring(self, *words):
        def ask():
            try:
                with self.cluster.client() as client:
                    return client.call("RING", *words)
            except (OSError, RedisError) as error:
                return "in the ring already" in str(error) and "OK"
        self.assertEqual(wait_for(f"RING {' '.join(map(str, words))}", ask, 20), "OK")

    def check(self, what, loads):
        status, seconds = self.settle(what)
        with self.cluster.client() as client:
            extra = sum(len(load.acknowledged) + len(set(load.maybe) - set(load.acknowledged)) + 1 for load in loads)
            self.assertLessEqual(client.call("DBSIZE"), KEYS + extra)
            self.assertGreaterEqual(client.call("DBSIZE"), KEYS + sum(len(load.acknowledged) for load in loads))
            for at in range(0, KEYS, BATCH):
                numbers = range(at, min(at + BATCH, KEYS))
                values = client.call("MGET", *(f"key:{i}" for i in numbers))
                self.assertEqual(values, [value_of(i) for i in numbers], f"after {what}")
        for load in loads:
            self.assertEqual(load.errors, [], f"after {what}")
            self.assertEqual(load.wrong, [], f"after {what}")
        gap = max(load.longest_gap for load in loads)
        for load in loads:
            load.longest_gap = 0.0
        print("%-28s in place after %5.1f s, longest gap of a client %4.0f ms, %d ranges" %
              (what, seconds, 1000 * gap, len(status["ranges"])), flush=True)
        return status

    def names_in_ring(self, status):
        return sorted(member["name"] for member in status["members"] if member["slots"] > 0)

    def test_grows_shrinks_and_heals_under_load(self):
        with self.cluster.client() as client:
            for at in range(0, KEYS, BATCH):
                numbers = range(at, min(at + BATCH, KEYS))
                client.call("MSET", *(word for i in numbers for word in (f"key:{i}", value_of(i))))
        loads = [Load(self.cluster.port, f"load{i}") for i in range(2)]
        for load in loads:
            load.start()
        wait_for("the load", lambda: all(load.operations > 300 for load in loads))

        adding = subprocess.run([BINARY, "reshard", "add", "--port", str(self.cluster.port), "--dir",
                                 self.cluster.directory], capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(adding.returncode, 0, adding.stdout + adding.stderr)
        self.assertEqual(self.names_in_ring(self.check("add n4", loads)), ["n1", "n2", "n3", "n4"])

        self.ring("REMOVE", "n1")
        leader = self.status()["leader"]
        os.kill(self.cluster.pid(leader), signal.SIGKILL)
        self.assertEqual(self.names_in_ring(self.check("remove n1, leader killed", loads)), ["n2", "n3", "n4"])

        os.kill(self.cluster.pid("n2"), signal.SIGKILL)
        wait_for("the loss to be seen", lambda: self.cluster.status()["slots"]["short"] > 0, 20)
        self.check("kill -9 of n2, restarted", loads)

        self.ring("WEIGHT", "n4", 300)
        os.kill(self.cluster.pid("r1"), signal.SIGKILL)
        self.check("weight n4 300, router killed", loads)

        self.ring("COPIES", 2)
        self.check("copies 2", loads)
        self.ring("WEIGHT", "n4", 100)
        os.kill(self.cluster.pid("n4"), signal.SIGKILL)  # in the midst of giving slots away
        self.check("weight n4 100, n4 killed", loads)
        self.ring("COPIES", 3)
        self.check("copies 3", loads)

        leaving = self.cluster.pid("n3")
        os.kill(leaving, signal.SIGTERM)  # it hands its slots over, ends, and is started again
        self.cluster.new_pid("n3", leaving)
        self.check("SIGTERM to n3, restarted", loads)

        for load in loads:
            load.stop()
        with self.cluster.client() as client:
            for load in loads:
                for key, value in load.acknowledged.items():
                    found = client.call("GET", key)
                    self.assertTrue(found == value or found in load.maybe.get(key, ()), f"{key}: {found}, not {value}")
                count = int(client.call("GET", f"{load.name_}:count"))
                self.assertGreaterEqual(count, load.counted)
                self.assertLessEqual(count, load.counted + load.count_unknown)


class Churn(unittest.TestCase):
    """Ten nodes, one change after the other."""

    def within_bounds(self, status):
        placed = [member for member in status["members"] if member["slots"] > 0]
        copies = min(status["copies"], len(placed))
        weights = sum(member["weight"] for member in placed)
        for field, places in (("slots", 16384 * copies), ("head_slots", 16384)):
            for member in placed:
                fair = places * member["weight"] / weights
                self.assertLessEqual(abs(member[field] - fair), max(1.0, 0.03 * fair), (member, fair))

    def test_loads_stay_within_their_bounds_and_nothing_is_lost(self):
        cluster = Cluster("--nodes", 10, "--lease-ms", 2000)
        cluster.start()
        self.addCleanup(cluster.__exit__, None, None, None)
        with cluster.client() as client:
            client.call("MSET", *(word for i in range(KEYS) for word in (f"key:{i}", value_of(i))))
        load = Load(cluster.port, "load")
        load.start()
        names = [f"n{i + 1}" for i in range(10)]
        out = []
        picks = random.Random(7)
        for change in range(CHANGES):
            adds = out and (len(out) == 5 or picks.random() < 0.5)
            name = picks.choice(out if adds else [name for name in names if name not in out])
            with cluster.client() as client:
                self.assertEqual(client.call("RING", "ADD" if adds else "REMOVE", name), "OK")

            def in_place():
                status = cluster.status()
                return status and status["reshard"]["state"] == "idle" and status["slots"]["served"] == 16384 and status
            status = wait_for(f"change {change} to be in place", in_place, 120, every=0.05)
            (out.remove if adds else out.append)(name)
            idle = [member["name"] for member in status["members"] if member["slots"] == 0]
            self.assertEqual(sorted(idle), sorted(out))
            self.within_bounds(status)
            self.assertEqual((load.errors, load.wrong), ([], []), f"change {change}: {name}")
        load.stop()
        with cluster.client() as client:
            values = client.call("MGET", *(f"key:{i}" for i in range(KEYS)))
            self.assertEqual(values, [value_of(i) for i in range(KEYS)])
            for key, value in load.acknowledged.items():
                self.assertEqual(client.call("GET", key), value)
            self.assertEqual(int(client.call("GET", "load:count")), load.counted)
        print(f"{CHANGES} changes, {load.operations} operations, longest gap {1000 * load.longest_gap:.0f} ms")


if __name__ == "__main__":
    unittest.main(verbosity=2)
