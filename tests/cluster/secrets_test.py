"""The password and the peers' secret: what they keep out, and that nothing shows them."""

import os
import subprocess
import tempfile
import unittest
import urllib.request

from harness import BINARY, RedisError, SharedCluster, wait_for

PASSWORD = "the-password-itself"
SECRET = "the-peers-own-secret"


def read(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


class Secrets(SharedCluster):
    ENVIRONMENT = {"CHAINRING_REQUIREPASS": PASSWORD, "CHAINRING_PEER_SECRET": SECRET}

    def refused(self, client, *words):
        with self.assertRaises(RedisError) as caught:
            client.call(*words)
        return str(caught.exception)

    def test_clients_need_the_password_at_every_role(self):
        for name in ("r1", "n1", "c1"):
            with self.subTest(name=name), self.cluster.client(name) as client:
                self.assertEqual(self.refused(client, "PING"), "NOAUTH Authentication required.")
                self.assertTrue(self.refused(client, "HELLO", "3").startswith("NOAUTH HELLO must be called"))
                for wrong in (["AUTH", "guess"], ["AUTH", "other", PASSWORD], ["HELLO", "3", "AUTH", "default", ""]):
                    self.assertEqual(self.refused(client, *wrong),
                                     "WRONGPASS invalid username-password pair or user is disabled.")
                self.assertEqual(client.call("AUTH", "default", PASSWORD), "OK")
                self.assertEqual(client.call("PING"), "PONG")
        with self.cluster.client() as client:
            self.assertEqual(client.call("AUTH", PASSWORD), "OK")
            self.assertEqual(client.call("SET", "key", "value"), "OK")
        with self.cluster.client() as client:
            self.assertEqual(client.call("HELLO", "3", "AUTH", "default", PASSWORD)["proto"], 3)

    def test_a_new_password_is_for_new_connections(self):
        with self.cluster.client() as old, self.cluster.client() as stranger:
            old.call("AUTH", PASSWORD)
            self.assertEqual(old.call("CONFIG", "SET", "requirepass", "another"), "OK")
            try:
                self.assertEqual(old.call("GET", "nothing"), None)  # stays authenticated, as with Redis
                self.assertTrue(self.refused(stranger, "AUTH", PASSWORD).startswith("WRONGPASS"))
                self.assertEqual(stranger.call("AUTH", "another"), "OK")
            finally:
                old.call("CONFIG", "SET", "requirepass", PASSWORD)

    def test_nothing_shows_them(self):
        with self.cluster.client() as client:
            client.call("AUTH", PASSWORD)
            shown = [repr(client.call("INFO", "everything")), repr(client.call("CLIENT", "LIST")),
                     repr(client.call("CONFIG", "GET", "peer*"))]
            self.refused(client, "CONFIG", "SET", "peer-secret", "x")
        for name, (_, port) in self.cluster.endpoints().items():
            shown.append(read(f"/proc/{self.cluster.pid(name)}/cmdline"))
            shown.append(read(os.path.join(self.cluster.directory, name, "log")))
            shown.append(urllib.request.urlopen(f"http://127.0.0.1:{port + 1000}/metrics", timeout=20).read().decode())
            config = os.path.join(self.cluster.directory, name, "config.toml")
            self.assertIn(SECRET, read(config))
            self.assertEqual(os.stat(config).st_mode & 0o077, 0)  # for its owner alone
        for text in shown:
            self.assertNotIn(PASSWORD, text)
            self.assertNotIn(SECRET, text)

    def test_a_process_with_another_secret_is_kept_out_and_both_sides_say_so_once(self):
        coordinators = ",".join(f"{name}=127.0.0.1:{port}" for name, (role, port) in self.cluster.endpoints().items()
                                if role == "coordinator")
        with tempfile.TemporaryDirectory(prefix="chainring-test-") as directory:
            log = os.path.join(directory, "log")
            process = subprocess.Popen(
                [BINARY, "node", "--name", "stranger", "--port", "0", "--dir", directory, "--logfile", log,
                 "--coordinators", coordinators],
                env={**os.environ, "CHAINRING_PEER_SECRET": "wrong"}, stderr=subprocess.DEVNULL)
            try:
                logs = [os.path.join(self.cluster.directory, name, "log") for name in ("c1", "c2", "c3")]
                refusal = "refused node stranger at"
                wait_for("every coordinator to refuse it", lambda: all(refusal in read(path) for path in logs))
                wait_for("it to say so", lambda: read(log).count("refuses this process") == 3)
                self.assertIn("peer-secret must be the same everywhere", read(log))
                self.assertTrue(all(read(path).count(refusal) == 1 for path in logs))
                self.assertNotIn("wrong\n", read(log))
            finally:
                process.terminate()
                process.wait(20)


if __name__ == "__main__":
    unittest.main()
