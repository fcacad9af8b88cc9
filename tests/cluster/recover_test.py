"""What only an operator can decide: slots whose every copy is lost, and a cluster without any of its coordinators."""

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import unittest

from harness import BINARY, Client, Cluster, RedisError, alive, wait_for

KEYS = 2000
OPTIONS = ("--no-restart", "--drain-timeout-ms", "0")  # what is killed stays so, and nodes end at once
COORDINATORS = ("c1", "c2", "c3")


def operator(*words, stdin=""):
    return subprocess.run([BINARY, *map(str, words)], input=stdin, capture_output=True, text=True, timeout=60,
                          check=False)


def address(cluster, name):
    return f"127.0.0.1:{cluster.endpoints()[name][1]}"


def served(cluster):
    status = cluster.status()
    return status is not None and status["slots"]["served"] == 16384


def write_all(cluster, value):
    with cluster.client() as client:
        replies = client.pipeline([("SET", f"key:{i}", f"{value}{i}") for i in range(KEYS)])
        assert replies == ["OK"] * KEYS, replies[:3]


def read_all(cluster):
    with cluster.client() as client:
        return client.pipeline([("GET", f"key:{i}") for i in range(KEYS)])


class Coordinators:
    """New ones in the places of those that `up` began with."""

    def __init__(self, cluster, *options):
        self.cluster, self.options = cluster, options
        self.processes = []

    def start(self, name, directory, port=None):
        addresses = ",".join(f"{one}={address(self.cluster, one)}" for one in COORDINATORS)
        port = port or self.cluster.endpoints()[name][1]
        log = os.path.join(self.cluster.directory, f"{name}-{len(self.processes)}.log")
        process = subprocess.Popen([BINARY, "coordinator", "--name", name, "--port", str(port), "--http-port", "none",
                                    "--dir", directory, "--coordinators", addresses, "--logfile", log, *self.options])
        self.processes.append(process)
        return process, log

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if kind is not None:
            for log in glob.glob(os.path.join(self.cluster.directory, "*.log")):
                with open(log, encoding="utf-8", errors="replace") as file:
                    print(f"---- {log}\n" + "".join(file.readlines()[-25:]))


class LostSlots(unittest.TestCase):
    def test_a_chain_is_lost_and_served_empty_by_an_operators_word(self):
        with Cluster(*OPTIONS, "--copies", "1", "--nodes", "2") as cluster:
            write_all(cluster, "v")
            port = ("--port", cluster.port)
            self.assertIn("nothing is lost", operator("serve-empty", *port).stdout)
            os.kill(cluster.pid("n1"), signal.SIGSTOP)
            wait_for("n1 to be absent", lambda: any(m["name"] == "n1" and m["state"] == "absent"
                                                    for m in cluster.status()["members"]))
            refused = operator("serve-empty", "--yes", *port)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("those who are absent may come back", refused.stderr)
            untold = operator("serve-empty", "--gone", "n1", *port, stdin="n\n")
            self.assertEqual(untold.returncode, 1)
            self.assertRegex(untold.stdout, r"\d+ slots are to be served again, EMPTY: ")
            self.assertIn("nothing was done", untold.stderr)

            done = operator("serve-empty", "--gone", "n1", *port, stdin="yes\n")
            self.assertEqual(done.returncode, 0, done.stderr)
            wait_for("all slots to be served", lambda: served(cluster))
            values = read_all(cluster)
            lost = values.count(None)
            self.assertTrue(0 < lost < KEYS, lost)
            self.assertEqual([v for i, v in enumerate(values) if v not in (None, f"v{i}".encode())], [])

            # Who was given up comes back, serves nobody what it holds, and ends.
            write_all(cluster, "w")
            given_up = cluster.pid("n1")
            with cluster.client("n1") as client:
                client.send(b"".join(client.encode(("GET", f"key:{i}")) for i in range(50)))
                os.kill(given_up, signal.SIGCONT)
                replies = []
                with contextlib.suppress(ConnectionError):
                    while len(replies) < 50:
                        replies.append(client.read())
                self.assertFalse([reply for reply in replies if not isinstance(reply, RedisError)], replies)
            wait_for("n1 to end", lambda: not alive(given_up))
            self.assertEqual(read_all(cluster), [f"w{i}".encode() for i in range(KEYS)])


class LostCoordinators(unittest.TestCase):
    def lose_coordinators(self, cluster):
        """All at once; copies of what they had are kept."""
        for name in COORDINATORS:
            os.kill(cluster.pid(name), signal.SIGSTOP)
        for name in COORDINATORS:
            pid = cluster.pid(name)
            os.kill(pid, signal.SIGKILL)
            wait_for(f"{name} to end", lambda pid=pid: not alive(pid))
            shutil.move(os.path.join(cluster.directory, name, "data"), os.path.join(cluster.directory, f"old-{name}"))

    @staticmethod
    def log(cluster, name):
        with open(os.path.join(cluster.directory, f"{name}.log"), encoding="utf-8") as file:
            return file.read()

    def recover(self, cluster, *options, nodes=("n1", "n2", "n3"), stdin=""):
        return operator("recover", "--nodes", ",".join(address(cluster, name) for name in nodes), "--coordinators",
                        ",".join(f"{name}={address(cluster, name)}" for name in COORDINATORS), *options, stdin=stdin)

    def recover_when_leases_are_over(self, cluster, *options, stdin=""):
        def run():
            done = self.recover(cluster, *options, stdin=stdin)
            return None if "holds a lease" in done.stderr else done
        return wait_for("the leases to end", run)

    def test_all_coordinators_lost_data_kept_tokens_grow_old_ones_refused(self):
        with Cluster(*OPTIONS) as cluster, Coordinators(cluster, "--founding", "recover") as new:
            write_all(cluster, "v")
            with cluster.client() as client:
                token = client.call("LOCK", "ACQUIRE", "lock:a", "me", "TTL", 600_000)[0]
            self.assertIn("generation 1 ", operator("status", "--port", cluster.port).stdout)
            self.lose_coordinators(cluster)
            for name in COORDINATORS:
                new.start(name, os.path.join(cluster.directory, f"new-{name}"))

            asked = self.recover_when_leases_are_over(cluster, stdin="\n")
            self.assertEqual(asked.returncode, 1, asked.stderr)
            self.assertIn("generation 2 begins with table", asked.stdout)
            self.assertIn("nothing was done", asked.stderr)
            self.assertIn("NOT ASKED: n3", self.recover(cluster, nodes=("n1", "n2"), stdin="no\n").stdout)
            done = self.recover(cluster, "--yes")
            self.assertEqual(done.returncode, 0, done.stderr)
            wait_for("all slots to be served", lambda: served(cluster))
            self.assertEqual(read_all(cluster), [f"v{i}".encode() for i in range(KEYS)])
            self.assertEqual(cluster.status()["generation"], 2)
            with cluster.client() as client:
                self.assertGreater(client.call("LOCK", "ACQUIRE", "lock:a", "you", "TTL", 1000)[0], token)
            write_all(cluster, "w")

            # An old coordinator, from its directory, at another port: it is of another group, and grants nothing.
            old, _ = new.start("c1", os.path.join(cluster.directory, "old-c1"), port=cluster.port - 72)
            wait_for("it to be refused", lambda: "refused coordinator c1 at" in self.log(cluster, "c2-1"))
            with Client(cluster.port - 72) as client:
                with self.assertRaisesRegex(RedisError, "NOTLEADER"):
                    client.call("RING", "STATUS")
            self.assertIsNone(old.poll())
            self.assertTrue(served(cluster))
            self.assertEqual(read_all(cluster), [f"w{i}".encode() for i in range(KEYS)])
            again = self.recover(cluster, "--yes")
            self.assertEqual(again.returncode, 1)
            self.assertIn("these coordinators have a cluster", again.stderr)

    def test_all_old_coordinators_come_back_to_nodes_of_the_next_generation(self):
        with Cluster(*OPTIONS) as cluster, Coordinators(cluster, "--founding", "recover") as others:
            write_all(cluster, "v")
            self.lose_coordinators(cluster)
            started = [others.start(name, os.path.join(cluster.directory, f"new-{name}"))[0] for name in COORDINATORS]
            done = self.recover_when_leases_are_over(cluster, "--yes")
            self.assertIn("generation 2 is founded", done.stdout)
            wait_for("all slots to be served", lambda: served(cluster))
            for process in started:
                process.kill()
                process.wait()
            old = [others.start(name, os.path.join(cluster.directory, f"old-{name}")) for name in COORDINATORS]

            def some_ended():
                return any(process.poll() is not None for process, _ in old)
            wait_for("the old ones to notice that they were replaced", some_ended)
            ended = [log for process, log in old if process.poll() is not None]
            with open(ended[0], encoding="utf-8") as file:
                self.assertIn("has a table of a later generation", file.read())


if __name__ == "__main__":
    unittest.main()
