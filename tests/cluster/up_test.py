"""A cluster from one command: it comes up, goes away without a trace, and is the same one when it comes back."""

import os
import shutil
import signal
import tempfile
import unittest

from harness import Client, Cluster, alive, port_is_free, wait_for


class Up(unittest.TestCase):
    def test_prints_endpoints_a_line_to_try_and_ready(self):
        with Cluster() as cluster:
            roles = sorted(role for role, _ in cluster.endpoints().values())
            self.assertEqual(roles, ["coordinator"] * 3 + ["node"] * 3 + ["router"])
            self.assertTrue(any(line.strip().startswith("redis-cli ") for line in cluster.lines))
            self.assertEqual(cluster.endpoints()["r1"], ("router", cluster.port))
            with cluster.client() as client:
                self.assertEqual(client.call("SET", "hello", "world"), "OK")
                self.assertEqual(client.call("GET", "hello"), b"world")

    def test_leaves_no_process_and_no_port_behind(self):
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=how.name):
                cluster = Cluster()
                try:
                    cluster.start()
                    pids = cluster.pids()
                    ports = [port for _, port in cluster.endpoints().values()]
                    code = cluster.stop(how)
                    if how != signal.SIGKILL:
                        self.assertEqual(code, 0, cluster.lines)
                    wait_for("all processes to end", lambda: not any(alive(pid) for pid in pids), 10)
                    wait_for("all ports to be free", lambda: all(port_is_free(port) for port in ports), 10)
                finally:
                    cluster.stop()
                    shutil.rmtree(cluster.directory, ignore_errors=True)

    def test_comes_back_as_the_same_cluster_with_its_locks_and_without_data(self):
        directory = tempfile.mkdtemp(prefix="chainring-test-")
        try:
            cluster = Cluster(directory=directory)
            with cluster:
                before = cluster.status()
                with cluster.client() as client:
                    client.call("SET", "k", "v")
                    token, validity = client.call("LOCK", "ACQUIRE", "lock:a", "me", "TTL", 600000)
                    self.assertGreater(validity, 0)
            with Cluster(directory=directory, port=cluster.port) as again:
                after = again.status()
                self.assertEqual(after["cluster_id"], before["cluster_id"])
                self.assertGreater(after["ranges"][0]["epoch"], before["ranges"][0]["epoch"])
                with again.client() as client:
                    self.assertIsNone(client.call("GET", "k"))
                    self.assertEqual(client.call("GET", "lock:a"), b"me")
                    self.assertEqual(client.call("LOCK", "TOKEN", "lock:a", "me"), token)
                    self.assertIsNone(client.call("LOCK", "ACQUIRE", "lock:a", "you", "TTL", 1000))
                    self.assertEqual(client.call("SET", "k", "w"), "OK")
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def test_two_cannot_share_a_directory(self):
        with Cluster() as cluster:
            second = Cluster(directory=cluster.directory)
            with self.assertRaisesRegex(AssertionError, "in use|another"):
                second.start()
            with cluster.client() as client:
                self.assertEqual(client.call("PING"), "PONG")


if __name__ == "__main__":
    unittest.main(verbosity=2)
