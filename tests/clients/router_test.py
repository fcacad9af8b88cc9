"""Client libraries and tools against a router: one cluster for all of them."""

import json
import os
import re
import subprocess
import unittest

from harness import Client, Cluster, run_cli
from programs import FOLDER, Program

TRANSCRIPT = os.path.join(FOLDER, "transcript.json")
# Commands on keys that name none: the programs try them beside the transcript.
NOT_IN_TRANSCRIPT = {"keys", "randomkey", "scan", "wait"}

CLUSTER = Cluster("--routers", 5)  # one for each library, which kills it


def setUpModule():  # pylint: disable=invalid-name  # unittest's name
    CLUSTER.start()


def tearDownModule():  # pylint: disable=invalid-name
    CLUSTER.__exit__(None, None, None)


class Libraries(unittest.TestCase):
    def play(self, router, program, *arguments):
        """The program kills the router once and takes its keys away."""
        self.assertEqual(run_cli(CLUSTER.port, "FLUSHALL").stdout, "OK\n")
        pid = CLUSTER.pid(router)
        with Program(program, *arguments, ROUTER_PORT=str(CLUSTER.endpoints()[router][1]), TRANSCRIPT=TRANSCRIPT,
                     ROUTER_PID_FILE=os.path.join(CLUSTER.directory, router, "pid")) as run:
            run.finish()
        self.assertNotEqual(CLUSTER.pid(router), pid)
        with CLUSTER.client() as client:
            self.assertEqual(client.call("DBSIZE"), 0)

    def test_ioredis(self):
        self.play("r1", "router_ioredis.js")

    def test_node_redis_resp2(self):
        self.play("r2", "router_node_redis.js", "2")

    def test_node_redis_resp3(self):
        self.play("r3", "router_node_redis.js", "3")

    def test_redis_py(self):
        self.play("r4", "router_redis_py.py")

    def test_hiredis(self):
        self.play("r5", os.environ["HIREDIS_BINARY"])

    def test_the_transcript_has_every_command_on_strings_and_keys(self):
        with open(TRANSCRIPT, encoding="utf-8") as file:
            played = {entry["send"][0].lower() for entry in json.load(file)}
        docs = json.loads(run_cli(CLUSTER.port, "--json", "COMMAND", "DOCS").stdout)
        commands = {name for name, entry in docs.items() if entry["group"] in ("string", "generic")}
        self.assertGreaterEqual(len(commands), 40)
        self.assertEqual(commands - played - NOT_IN_TRANSCRIPT, set())


class RedisCli(unittest.TestCase):
    """What redis-cli can do beside single commands; tests/cluster/clients_test.py has those, --pipe and --scan."""

    @classmethod
    def setUpClass(cls):
        with CLUSTER.client() as client:
            for i in range(300):
                assert client.call("SET", f"cli:{i}", "x" * (i + 1)) == "OK"

    @classmethod
    def tearDownClass(cls):
        assert run_cli(CLUSTER.port, "FLUSHALL").stdout == "OK\n"

    def test_bigkeys(self):
        printed = run_cli(CLUSTER.port, "--bigkeys").stdout
        self.assertIn("Sampled 300 keys in the keyspace!", printed)
        self.assertIn("Biggest string found '\"cli:299\"' has 300 bytes", printed)

    def test_memkeys(self):
        printed = run_cli(CLUSTER.port, "--memkeys").stdout
        self.assertIn("Sampled 300 keys in the keyspace!", printed)
        self.assertRegex(printed, r"Biggest string found '\"cli:2\d\d\"' has [345]\d\d bytes")

    def test_scan_with_a_pattern(self):
        printed = run_cli(CLUSTER.port, "--scan", "--pattern", "cli:29?").stdout
        self.assertEqual(sorted(printed.split()), [f"cli:{i}" for i in range(290, 300)])

    def test_stat(self):
        """It never ends by itself, and writes to a pipe when its buffer is full."""
        with subprocess.Popen(["redis-cli", "-p", str(CLUSTER.port), "--stat", "-i", "0.001"], stdout=subprocess.PIPE,
                              text=True) as stat:
            rows = [stat.stdout.readline() for _ in range(5)]
            stat.kill()
        keys, memory, clients = rows[2].split()[:3]
        self.assertEqual((keys, clients), ("300", "1"))
        self.assertRegex(memory, r"^[\d.]+[KM]$")

    def test_latency(self):
        least, most, average, samples = run_cli(CLUSTER.port, "--latency", "--raw", "-i", "0.3").stdout.split()
        self.assertGreater(int(samples), 5)
        self.assertLessEqual(float(least), float(average))
        self.assertLessEqual(float(average), float(most))

    def test_a_session_typed_at_it(self):
        printed = run_cli(CLUSTER.port, stdin="SELECT 5\nSET typed \"a b\"\nGET typed\nNONSENSE 1\nDEL typed\n").stdout
        self.assertEqual(printed.splitlines(), [
            "OK", "OK", "a b", "ERR unknown command 'NONSENSE', with args beginning with: '1' ", "", "1"])

    def test_forms_of_output_and_input(self):
        self.assertEqual(run_cli(CLUSTER.port, "--json", "MGET", "cli:0", "cli:none").stdout, '["x",null]\n')
        self.assertEqual(run_cli(CLUSTER.port, "--csv", "MGET", "cli:0", "cli:none").stdout, '"x",NULL\n')
        self.assertEqual(run_cli(CLUSTER.port, "-r", "3", "STRLEN", "cli:7").stdout, "8\n8\n8\n")
        self.assertEqual(run_cli(CLUSTER.port, "-x", "SET", "cli:piped", stdin="from a pipe").stdout, "OK\n")
        self.assertEqual(run_cli(CLUSTER.port, "GETDEL", "cli:piped").stdout, "from a pipe\n")

    def test_help_of_every_command_comes_from_the_server(self):
        printed = run_cli(CLUSTER.port, "help", "DELIFEQ").stdout
        self.assertIn("Deletes a key when it holds this string.", printed)


class RedisBenchmark(unittest.TestCase):
    TESTS = ("ping_inline", "ping_mbulk", "set", "get", "incr", "mset")

    def run_benchmark(self, *options):
        command = ["redis-benchmark", "-p", str(CLUSTER.port), "-n", "5000", "-q", *options]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        self.assertNotRegex(run.stdout, "(?i)error|warning")
        return len(re.findall(r"[1-9][\d.]* requests per second", run.stdout))

    def tearDown(self):
        with CLUSTER.client() as client:
            self.assertEqual(client.call("FLUSHALL"), "OK")

    def test_one_request_at_a_time(self):
        self.assertEqual(self.run_benchmark("-t", ",".join(self.TESTS)), len(self.TESTS))

    def test_pipelines_random_keys_and_resp3(self):
        options = ["-P", "100", "-r", "100000", "-3", "-d", "100", "--threads", "2"]
        self.assertEqual(self.run_benchmark("-t", "set,get", *options), 2)
        with CLUSTER.client() as client:
            self.assertGreater(client.call("DBSIZE"), 3000)

    def test_a_command_of_ones_own(self):
        self.assertEqual(self.run_benchmark("-r", "1000", "SET", "own:__rand_int__", "v", "EX", "100"), 1)
        with Client(CLUSTER.port) as client:
            keys = client.call("KEYS", "own:*")
            self.assertGreater(len(keys), 900)
            self.assertGreater(client.call("TTL", keys[0]), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
