"""The ring grows, shrinks and is weighed anew with the operator's commands, while a small load runs."""

import json
import subprocess
import threading
import unittest

from harness import BINARY, Client, Cluster, RedisError, alive, wait_for

KEYS = 20000
BATCH = 500


class Load(threading.Thread):
    """Counts up keys, one after the other, and remembers what was acknowledged last for each."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.acknowledged = {}
        self.errors = []
        self.stopping = threading.Event()

    def run(self):
        number = 0
        with Client(self.port) as client:
            while not self.stopping.wait(0.001):
                number += 1
                key = f"load:{number % 500}"
                try:
                    client.call("SET", key, number)
                    self.acknowledged[key] = b"%d" % number
                except RedisError as error:
                    self.errors.append(str(error))

    def stop(self):
        self.stopping.set()
        self.join(30)


class Reshard(unittest.TestCase):
    def test_values_survive_every_change(self):
        with Cluster("--coordinators", 1, "--lease-ms", 2000) as cluster:  # patient on a busy machine
            self.cluster = cluster
            self.fill()
            load = Load(cluster.port)
            load.start()
            try:
                self.add_without_a_name()
                self.plan_moves_nothing()
                self.weigh()
                self.remove("n1")
                self.keep_fewer_copies()
                self.pause_and_cancel()
            finally:
                load.stop()
            self.assertEqual(load.errors, [])
            self.assertGreater(len(load.acknowledged), 100)
            with cluster.client() as client:
                values = client.call("MGET", *load.acknowledged)
            self.assertEqual(values, list(load.acknowledged.values()))
            self.assertIn("node n1 has left the ring and was stopped", cluster.lines)
            self.comes_back_in_its_new_shape()

    # ---- the changes

    def add_without_a_name(self):
        said = self.reshard("add")
        self.assertIn("n4 is in the ring", said)
        members = self.members()
        self.assertEqual(members["n4"]["state"], "up")
        self.assertAlmostEqual(members["n4"]["slots"], 3 * 16384 / 4, delta=3 * 16384 / 4 * 0.04)
        wait_for("the endpoint of n4", lambda: "n4" in self.cluster.endpoints())
        self.compare("add")

    def plan_moves_nothing(self):
        before = self.cluster.status()["version"]
        plan = json.loads(self.reshard("plan", "remove", "n2", "--json"))
        self.assertGreaterEqual(plan["moves"], plan["least"])
        self.assertGreater(plan["moves"], 0)
        self.assertIn("NODE", self.reshard("plan", "weight", "n2", "200"))
        self.assertEqual(self.cluster.status()["version"], before)

    def weigh(self):
        self.reshard("weight", "n2", "300")
        members = self.members()
        self.assertGreater(members["n2"]["slots"], 1.1 * members["n3"]["slots"])
        self.compare("weight")

    def remove(self, name):
        pid = self.cluster.pid(name)
        said = self.reshard("remove", name)
        self.assertIn(f"{name} is out of the ring", said)
        self.assertIn(f"{name} was stopped", said)
        self.assertFalse(alive(pid))
        self.compare("remove")

    def keep_fewer_copies(self):
        self.reshard("copies", 2)
        status = self.cluster.status()
        self.assertEqual(status["copies"], 2)
        self.assertEqual({len(r["chain"]) for r in status["ranges"]}, {2})
        self.compare("copies")

    def pause_and_cancel(self):
        before = {name: member["slots"] for name, member in self.members().items()}
        self.reshard("pause")
        self.reshard("copies", 3, "--no-wait")
        self.assertEqual(json.loads(self.reshard("status", "--json"))["state"], "paused")
        self.reshard("resume")
        self.reshard("status", "--watch")
        self.reshard("pause")
        self.reshard("copies", 2, "--no-wait")
        self.assertIn("was undone", self.reshard("cancel"))
        self.assertEqual(self.cluster.status()["copies"], 3)
        self.reshard("copies", 2)
        self.assertEqual(set(before), set(self.members()))
        self.compare("pause, resume and cancel")

    def comes_back_in_its_new_shape(self):
        self.cluster.stop()
        self.cluster.start()
        self.assertEqual(set(self.members()), {"n2", "n3", "n4"})
        self.assertEqual(self.cluster.status()["copies"], 2)

    # ---- what holds after each

    def fill(self):
        with self.cluster.client() as client:
            for at in range(0, KEYS, BATCH):
                replies = client.pipeline([("SET", f"key:{i}", f"value:{i}") for i in range(at, at + BATCH)])
                self.assertEqual(set(replies), {"OK"})

    def compare(self, after):
        with self.cluster.client() as client:
            for at in range(0, KEYS, BATCH):
                values = client.call("MGET", *(f"key:{i}" for i in range(at, at + BATCH)))
                self.assertEqual(values, [b"value:%d" % i for i in range(at, at + BATCH)], f"after {after}")
        self.assertEqual(self.cluster.status()["slots"]["served"], 16384)

    def members(self):
        return {member["name"]: member for member in self.cluster.status()["members"]}

    def reshard(self, *words):
        run = subprocess.run([BINARY, "reshard", *map(str, words), "--dir", self.cluster.directory],
                             capture_output=True, text=True, timeout=180, check=False)
        self.assertEqual(run.returncode, 0, f"{words}: {run.stdout}{run.stderr}")
        return run.stdout


if __name__ == "__main__":
    unittest.main(verbosity=2)
