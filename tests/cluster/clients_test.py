"""Through the router with the tools that people have: redis-cli and redis-benchmark."""

import random
import subprocess
import unittest

from harness import Client, SharedCluster, run_cli


class Tools(SharedCluster):
    def setUp(self):
        self.assertEqual(run_cli(self.port, "FLUSHALL").stdout, "OK\n")

    def test_redis_cli_answers_as_one_redis(self):
        self.assertEqual(run_cli(self.port, "SET", "a", "1").stdout, "OK\n")
        self.assertEqual(run_cli(self.port, "INCR", "a").stdout, "2\n")
        self.assertEqual(run_cli(self.port, "-3", "GET", "a").stdout, "2\n")
        self.assertEqual(run_cli(self.port, "-n", "3", "GET", "a").stdout, "\n")
        self.assertIn("redis_mode:standalone", run_cli(self.port, "INFO", "server").stdout)
        self.assertIn("cluster support disabled", run_cli(self.port, "CLUSTER", "INFO").stdout)

    def test_hints_have_command_docs(self):
        for command, word in (("set", "milliseconds"), ("getex", "unix-time-seconds"), ("lock", "acquire")):
            docs = run_cli(self.port, "COMMAND", "DOCS", command).stdout
            self.assertIn("summary", docs)
            self.assertIn(word, docs.lower())
        everything = run_cli(self.port, "COMMAND", "DOCS").stdout
        self.assertGreater(len(everything), 10000)

    def test_scan_finds_every_key_once(self):
        keys = {f"key:{i}" for i in range(5000)}
        with Client(self.port) as client:
            self.assertEqual(set(client.pipeline([("SET", key, "v") for key in keys])), {"OK"})
            client.call("SET", "lock:one", "me", "NX", "PX", 600000)
            self.assertEqual(client.call("DBSIZE"), 5001)
            self.assertEqual({key.decode() for key in client.call("KEYS", "key:1*")},
                             {key for key in keys if key.startswith("key:1")})
        found = run_cli(self.port, "--scan").stdout.split()
        self.assertEqual(sorted(found), sorted(keys | {"lock:one"}))
        run_cli(self.port, "DEL", "lock:one")

    def test_pipe_takes_a_million_keys(self):
        feed = "".join(f"SET pipe:{i} value:{i}\r\n" for i in range(1_000_000))
        run = run_cli(self.port, "--pipe", stdin=feed, timeout=300)
        self.assertIn("errors: 0, replies: 1000000", run.stdout)
        with Client(self.port, timeout=60) as client:
            self.assertEqual(client.call("DBSIZE"), 1_000_000)
            sample = random.Random(1).sample(range(1_000_000), 2000)
            values = client.call("MGET", *[f"pipe:{i}" for i in sample])
            self.assertEqual(values, [f"value:{i}".encode() for i in sample])
            self.assertEqual(client.call("FLUSHALL"), "OK")
            self.assertEqual(client.call("DBSIZE"), 0)

    def test_benchmark_runs_without_an_error(self):
        run = subprocess.run(["redis-benchmark", "-p", str(self.port), "-t", "set,get,incr,mset", "-n", "200000",
                              "-c", "50", "-P", "16", "-q"],
                             capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertEqual(run.stderr, "")
        self.assertNotRegex(run.stdout, "(?i)error|warning")
        for name in ("SET", "GET", "INCR", "MSET"):
            self.assertRegex(run.stdout, rf"{name}[^\r\n]*: [\d.]+ requests per second")

    def test_split_commands_keep_the_order_of_keys(self):
        with Client(self.port) as client:
            pairs = [word for i in range(300) for word in (f"m{i}", i)]
            self.assertEqual(client.call("MSET", *pairs), "OK")
            keys = [f"m{i}" for i in range(400)]
            expected = [str(i).encode() for i in range(300)] + [None] * 100
            self.assertEqual(client.call("MGET", *keys), expected)
            self.assertEqual(client.call("EXISTS", *keys), 300)
            self.assertEqual(client.call("DEL", *keys), 300)

    def test_a_pipeline_of_ten_thousand_keeps_its_order(self):
        with Client(self.port) as client:
            replies = client.pipeline([("INCR", f"n{i % 7}") for i in range(10000)])
            expected, count = [], {}
            for i in range(10000):
                count[i % 7] = count.get(i % 7, 0) + 1
                expected.append(count[i % 7])
            self.assertEqual(replies, expected)


if __name__ == "__main__":
    unittest.main(verbosity=2)
