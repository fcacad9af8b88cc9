"""Any one process is killed while clients work."""

import os
import signal
import threading
import time
import unittest

from harness import Client, Cluster, RedisError, wait_for


class Writer(threading.Thread):
    """Writes numbered keys and counts, and remembers exactly what was acknowledged."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name_ = port, name
        self.acknowledged = {}
        self.count_acknowledged = 0
        self.count_unknown = 0
        self.longest_gap = 0.0
        self.errors = []
        self.stopping = threading.Event()

    def run(self):
        number = 0
        last = time.monotonic()
        with Client(self.port) as client:
            while not self.stopping.is_set():
                number += 1
                key, value = f"{self.name_}:{number}", str(number)
                replies = client.pipeline([("SET", key, value), ("INCR", f"{self.name_}:count")])
                if isinstance(replies[0], RedisError):
                    self.errors.append(str(replies[0]))
                else:
                    self.acknowledged[key] = value
                if isinstance(replies[1], RedisError):
                    self.errors.append(str(replies[1]))
                    self.count_unknown += 1
                else:
                    self.count_acknowledged += 1
                now = time.monotonic()
                self.longest_gap = max(self.longest_gap, now - last)
                last = now

    def stop(self):
        self.stopping.set()
        self.join(30)


class KillNode(unittest.TestCase):
    def test_writes_go_on_and_nothing_acknowledged_is_lost(self):
        with Cluster() as cluster:
            writers = [Writer(cluster.port, f"w{i}") for i in range(3)]
            for writer in writers:
                writer.start()
            wait_for("writes", lambda: all(len(w.acknowledged) > 200 for w in writers))
            before = {member["name"]: member for member in cluster.status()["members"]}
            victim = cluster.pid("n1")
            os.kill(victim, signal.SIGKILL)
            counts = [len(w.acknowledged) for w in writers]
            wait_for("writes after the death",
                     lambda: all(len(w.acknowledged) > c + 500 for w, c in zip(writers, counts)), 15)
            for writer in writers:
                writer.stop()
            print("longest gap seen by a client: %.0f ms" % (1000 * max(w.longest_gap for w in writers)))
            for writer in writers:
                self.assertEqual(writer.errors, [])
                with cluster.client() as client:
                    keys = list(writer.acknowledged)
                    for at in range(0, len(keys), 1000):
                        part = keys[at:at + 1000]
                        self.assertEqual(client.call("MGET", *part), [writer.acknowledged[k].encode() for k in part])
                    count = int(client.call("GET", f"{writer.name_}:count"))
                    self.assertEqual(count, writer.count_acknowledged)
                self.assertLess(writer.longest_gap, 5.0)

            # It comes back as another, empty member: told apart by its incarnation.
            def come_back():
                status = cluster.status()
                again = [member for member in status["members"]
                         if member["name"] == "n1" and member["incarnation"] != before["n1"]["incarnation"]]
                return again and again[0]["state"] in ("joining", "up") and again[0]
            again = wait_for("the restarted node to register", come_back, 20)
            self.assertNotEqual(again["id"], before["n1"]["id"])

            # Its slots are copied to it, and all is as it was.
            def is_whole():
                status = cluster.status()
                return status and status["reshard"]["state"] == "idle" and status["slots"]["short"] == 0
            wait_for("chains to be whole again", is_whole, 60)
            with cluster.client() as client:
                self.assertEqual(client.call("SET", "after", "1"), "OK")


class KillRaftLeader(unittest.TestCase):
    def test_a_held_lock_is_still_held_and_ends_when_its_time_is_up(self):
        with Cluster() as cluster:
            with cluster.client() as client:
                begun = time.monotonic()
                token, _ = client.call("LOCK", "ACQUIRE", "lock:x", "me", "TTL", 4000)
                self.assertEqual(client.call("SET", "lock:y", "tok", "NX", "PX", 4000), "OK")
                leader = cluster.status()["leader"]
                os.kill(cluster.pid(leader), signal.SIGKILL)
                self.assertIsNone(client.call("SET", "lock:x", "you", "NX", "PX", 1000))
                self.assertIsNone(client.call("LOCK", "ACQUIRE", "lock:y", "you", "TTL", 1000))
                self.assertEqual(client.call("LOCK", "TOKEN", "lock:x", "me"), token)
                self.assertLess(time.monotonic() - begun, 3.9, "fail-over of the leader took longer than the lock")
                next_token = wait_for("the lock to end",
                                      lambda: client.call("LOCK", "ACQUIRE", "lock:x", "you", "TTL", 60000), 15)[0]
                held = time.monotonic() - begun
                self.assertGreaterEqual(held, 4.0)
                self.assertLess(held, 8.0)
                self.assertGreater(next_token, token)
                wait_for("another leader", lambda: (cluster.status() or {}).get("leader") not in (None, "", leader), 10)


class KillRouterAndCoordinators(unittest.TestCase):
    def test_a_router_comes_back_and_finds_everything(self):
        with Cluster() as cluster:
            with cluster.client() as client:
                client.call("SET", "k", "v")
            victim = cluster.pid("r1")
            os.kill(victim, signal.SIGKILL)
            cluster.new_pid("r1", victim)

            def ask():
                try:
                    with cluster.client(timeout=5) as client:
                        return client.call("GET", "k")
                except (OSError, RedisError):
                    return None
            self.assertEqual(wait_for("the router to answer", ask, 10), b"v")

    @staticmethod
    def is_whole(status):
        return status and all(c["state"] in ("leader", "follower") for c in status["coordinators"])

    def test_data_is_served_while_each_coordinator_in_turn_is_killed(self):
        with Cluster() as cluster:
            with cluster.client() as client:
                for name in ("c1", "c2", "c3"):
                    victim = cluster.pid(name)
                    os.kill(victim, signal.SIGKILL)
                    for i in range(200):
                        self.assertEqual(client.call("SET", f"{name}:{i}", i), "OK")
                    cluster.new_pid(name, victim)
                    wait_for("the group to be whole", lambda: self.is_whole(cluster.status()), 20)
                self.assertEqual(client.call("DBSIZE"), 600)


if __name__ == "__main__":
    unittest.main(verbosity=2)
