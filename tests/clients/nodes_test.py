"""Cluster-aware client libraries and tools straight at the nodes: before, during and after slots move."""

import contextlib
import json
import re
import subprocess
import threading
import unittest

from harness import Cluster, RedisError, run_cli, wait_for
from programs import Program

PROGRAMS = {
    "ioredis": ["nodes_ioredis.js"],
    "node-redis, RESP2": ["nodes_node_redis.js", "2"],
    "node-redis, RESP3": ["nodes_node_redis.js", "3"],
    "redis-py": ["nodes_redis_py.py"],
}
NODES = 4
MOVE_SECONDS = 60

CLUSTER = Cluster("--nodes", NODES, "--copies", 3)


def setUpModule():  # pylint: disable=invalid-name  # unittest's name
    CLUSTER.start()


def tearDownModule():  # pylint: disable=invalid-name
    CLUSTER.__exit__(None, None, None)


def node_port(name="n1"):
    return CLUSTER.endpoints()[name][1]


def cluster_tool(*words):
    return subprocess.run(["redis-cli", "--cluster", *words], capture_output=True, text=True, timeout=60, check=False)


def change_ring(*words):
    """Asks at a node, which passes it on."""
    assert run_cli(node_port(), "RING", *words).stdout == "OK\n", words


def wait_until_settled(heads):
    """Until no slot has to move any more, and so many nodes head slots."""
    def settled():
        if json.loads(run_cli(CLUSTER.port, "RING", "RESHARD").stdout)["state"] != "idle":
            return False
        lines = run_cli(node_port(), "CLUSTER", "NODES").stdout.splitlines()
        return sum(1 for line in lines if line.rstrip().split(" connected")[-1]) == heads
    wait_for(f"{heads} nodes to head all slots", settled, MOVE_SECONDS, every=0.1)


class Benchmark(threading.Thread):
    """redis-benchmark --cluster, again and again until told to stop; it goes to every head by itself."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.runs = 0
        self.failure = None

    def run(self):
        while self.failure is None and not (self.stopping.is_set() and self.runs > 0):
            self.failure = benchmark()
            self.runs += 1


def benchmark():
    """None, or what went wrong."""
    command = ["redis-benchmark", "--cluster", "-p", str(node_port()), "-t", "set,get", "-n", "20000", "-r", "100000",
               "-q"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    rates = re.findall(r"[1-9][\d.]* requests per second", run.stdout)
    # It says so when it follows slots that have moved.
    complaints = run.stderr.replace("WARNING: Cluster slots configuration changed, fetching new one...\n", "")
    good = run.returncode == 0 and complaints == "" and len(rates) == 2 and "rror" not in run.stdout
    return None if good else f"status {run.returncode}: {run.stdout[-500:]} {complaints[-500:]}"


class Nodes(unittest.TestCase):
    def play(self, name, what):
        """Starts a client program that checks everything once, or loads until it is told to stop."""
        ports = ",".join(str(port) for role, port in CLUSTER.endpoints().values() if role == "node")
        return Program(*PROGRAMS[name], what, HEADS=str(NODES), NODE_PORTS=ports)

    def check_libraries(self):
        for name in PROGRAMS:
            self.assertEqual(run_cli(CLUSTER.port, "FLUSHALL").stdout, "OK\n")
            with self.subTest(name), self.play(name, "checks") as program:
                program.finish()

    def test_libraries_before_during_and_after_moves(self):
        wait_until_settled(NODES)
        self.check_libraries()
        with contextlib.ExitStack() as stack:
            loads = [stack.enter_context(self.play(name, "load")) for name in PROGRAMS]
            for load in loads:
                load.wait_for_line("loading")
            bench = Benchmark()
            bench.start()
            change_ring("WEIGHT", "n4", "10")
            wait_until_settled(NODES)
            change_ring("WEIGHT", "n4", "100")
            wait_until_settled(NODES)
            bench.stopping.set()
            for load in loads:
                load.tell("stop")
            for load in loads:
                load.finish()
            bench.join()
        self.assertIsNone(bench.failure)
        self.check_libraries()
        with CLUSTER.client() as client:
            self.assertEqual(client.call("FLUSHALL"), "OK")

    def test_redis_cli_follows_slots(self):
        wait_until_settled(NODES)
        names = [f"follow:{i}" for i in range(50)]
        typed = "".join(f"SET {name} {name}\nGET {name}\n" for name in names)
        printed = run_cli(node_port(), "-c", stdin=typed).stdout.splitlines()
        self.assertEqual([line for line in printed if not line.startswith("-> Redirected")],
                         [word for name in names for word in ("OK", name)])
        with CLUSTER.client("n2") as client:
            replies = client.pipeline([("SET", name, name) for name in names])
            moved = [str(reply) for reply in replies if isinstance(reply, RedisError)]
            self.assertTrue(moved)
            for text in moved:
                self.assertRegex(text, r"^MOVED \d+ 127\.0\.0\.1:\d+$")
        run_cli(CLUSTER.port, "DEL", *names)

    def test_redis_cli_cluster_manager(self):
        wait_until_settled(NODES)
        where = f"127.0.0.1:{node_port()}"
        check = cluster_tool("check", where)
        self.assertEqual(check.returncode, 0, check.stdout)
        self.assertIn("[OK] All nodes agree about slots configuration.", check.stdout)
        self.assertIn("[OK] All 16384 slots covered.", check.stdout)
        info = cluster_tool("info", where)
        self.assertIn(f"in {NODES} masters", info.stdout)
        call = cluster_tool("call", where, "PING")
        self.assertEqual(call.stdout.count("PONG"), NODES)

    def test_redis_benchmark(self):
        wait_until_settled(NODES)
        self.assertIsNone(benchmark())


if __name__ == "__main__":
    unittest.main(verbosity=2)
