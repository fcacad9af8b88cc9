"""Bad input gets an answer and costs nothing else."""

import os
import random
import socket
import subprocess
import tempfile
import unittest

from harness import BINARY, Client, RedisError, SharedCluster, free_base_port


def rss_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    raise AssertionError("no VmRSS")


class Clients(SharedCluster):
    def setUp(self):
        self.pids = self.cluster.pids()

    def tearDown(self):
        self.assertEqual(self.pids, self.cluster.pids(), "a process died")
        with self.cluster.client() as client:
            self.assertEqual(client.call("SET", "still", "here"), "OK")

    def every_port(self):
        return [port for _, port in self.cluster.endpoints().values()]

    def test_random_bytes(self):
        noise = random.Random(7)
        for port in self.every_port():
            for _ in range(30):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
                    with_start = noise.choice([b"", b"*3\r\n$3\r\nSET\r\n", b"PEER ", b"*-5\r\n", b"$5\r\n"])
                    try:
                        raw.sendall(with_start + noise.randbytes(noise.randrange(1, 4000)) + b"\r\n")
                        raw.shutdown(socket.SHUT_WR)
                        while raw.recv(65536):
                            pass
                    except ConnectionError:
                        pass  # closed on us: also an answer

    def test_a_bulk_of_two_gigabytes_is_refused_at_once(self):
        for port in self.every_port():
            with Client(port) as client:
                client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2147483648\r\n")
                self.assertRegex(str(client.read()), "Protocol error: invalid bulk length")

    def test_a_million_arguments(self):
        with self.cluster.client(timeout=120) as client:
            self.assertEqual(client.call("EXISTS", *["k"] * 1_000_000), 0)
            count = 1024 * 1024 + 1
            client.send(b"*%d\r\n" % count)
            self.assertRegex(str(client.read()), "Protocol error: invalid multibulk length")

    def test_a_client_that_never_reads(self):
        router = self.cluster.pid("r1")
        with self.cluster.client() as client:
            client.call("SET", "big", b"x" * 1_000_000)
            before = rss_kb(router)
            with socket.create_connection(("127.0.0.1", self.cluster.port), timeout=2) as mute:
                try:
                    for _ in range(3000):
                        mute.sendall(Client.encode(("GET", "big")) * 10)
                except (TimeoutError, ConnectionError):
                    pass  # it stops taking our requests, or has closed us
                self.assertEqual(client.call("GET", "still") in (b"here", None), True)
                self.assertLess(rss_kb(router) - before, 600_000)

    def test_unknown_commands_wrong_arity_and_wrong_arguments(self):
        with self.cluster.client() as client:
            for words, text in (
                    (("NOSUCH", "a", "b"), "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
                    (("GET",), "ERR wrong number of arguments for 'get' command"),
                    (("SET", "a", "b", "PX", "x"), "ERR value is not an integer or out of range"),
                    (("SET", "a", "b", "PX", "0"), "ERR invalid expire time in 'set' command"),
                    (("SET", "a", "b", "NX", "XX"), "ERR syntax error"),
                    (("CLIENT", "NOSUCH"), "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
                    (("SELECT", "16"), "ERR DB index is out of range"),
                    (("RENAME", "a", "b"), "CROSSSLOT Keys in request don't hash to the same slot"),
                    (("LOCK", "ACQUIRE", "lock:a", "me", "TTL", "-1"), "ERR"),
                    (("HELLO", "4"), "NOPROTO unsupported protocol version")):
                with self.subTest(words=words):
                    with self.assertRaises(RedisError) as raised:
                        client.call(*words)
                    self.assertTrue(str(raised.exception).startswith(text.rstrip()), str(raised.exception))
            client.call("SET", "text", "abc")
            with self.assertRaisesRegex(RedisError, "not an integer"):
                client.call("INCR", "text")


class Commands(unittest.TestCase):
    def run_binary(self, *words, **options):
        return subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, timeout=60, check=False,
                              **options)

    def test_an_unknown_option_is_used_wrongly(self):
        for words in (("up", "--no-such-option"), ("node", "--nope", "1"), ("frobnicate",), ()):
            run = self.run_binary(*words)
            self.assertEqual(run.returncode, 2, run.stdout + run.stderr)
            self.assertIn("help", run.stdout + run.stderr)

    def test_a_typo_in_a_configuration_file_names_the_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('name = "n1"\n\nhaertbeat-ms = 100\n')
            file.flush()
            run = self.run_binary("node", "--config", file.name)
            self.assertEqual(run.returncode, 2, run.stdout + run.stderr)
            self.assertRegex(run.stdout + run.stderr, r":3\b")
            self.assertIn("haertbeat-ms", run.stdout + run.stderr)

    def test_a_port_in_use(self):
        base = free_base_port()
        with socket.socket() as taken, tempfile.TemporaryDirectory() as directory:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", base + 22))
            taken.listen()
            run = self.run_binary("up", "--port", base, "--dir", directory)
            self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
            self.assertIn(str(base + 22), run.stdout + run.stderr)
            self.assertRegex(run.stdout + run.stderr, "in use")

    def test_a_directory_without_permission(self):
        # Root may write anywhere but into what is no directory, or a file system that refuses.
        for place in ("/proc/chainring-data", "/dev/null/chainring-data"):
            run = self.run_binary("up", "--port", free_base_port(), "--dir", place)
            self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
            self.assertIn(place, run.stdout + run.stderr)

    def test_a_non_loopback_address_needs_a_password(self):
        run = self.run_binary("router", "--name", "r1", "--bind", "0.0.0.0", "--port", free_base_port(),
                              "--coordinators", "c1=127.0.0.1:1")
        self.assertEqual(run.returncode, 2, run.stdout + run.stderr)
        self.assertIn("requirepass", run.stdout + run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
