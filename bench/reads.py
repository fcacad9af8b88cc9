"""Reads from any member of a chain beside reads from the head alone: one cluster of three nodes and three copies, one
router, whose `read-from` is switched between measurements, so that both sides take turns in one run.

Each client connection sends a batch of pipelined commands, waits for all of their replies, and sends the next. Prints
the environment, and for each load the medians of both sides: requests per second, processor time per request of the
router and of all nodes, and of the busiest node. On a machine with fewer cores than processes, requests per second say
little: what they share is the machine. The busiest node's time says what a cluster of machines can give, one for each
node: while one node has more than its third of the work, the others wait for it.
"""

import argparse
import os
import random
import selectors
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "cluster"))
import machine  # noqa: E402
from harness import Client, Cluster  # noqa: E402

SIDES = ("head", "any")
CONNECTIONS = 50
VALUE = b"x" * 64
GET_REPLY = len(b"$64\r\n") + len(VALUE) + 2
SET_REPLY = len(b"+OK\r\n")
BATCHES = 64  # made in advance, for all connections
KEYS = {"keys of all slots": [f"key:{i}" for i in range(20_000)],
        "keys of one slot": [f"{{hot}}:{i}" for i in range(1_000)]}
NODES = ("n1", "n2", "n3")
ROUTER = "r1"


class Batch:
    def __init__(self, keys, pipeline, reads_percent, draws):
        words = [["GET", draws.choice(keys)] if draws.random() * 100 < reads_percent else
                 ["SET", draws.choice(keys), VALUE] for _ in range(pipeline)]
        self.request = b"".join(Client.encode(one) for one in words)
        self.reply_bytes = sum(GET_REPLY if len(one) == 2 else SET_REPLY for one in words)


class Connection:
    def __init__(self, port, batches, draws):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.batches, self.draws = batches, draws
        self.missing = 0

    def send(self):
        batch = self.draws.choice(self.batches)
        self.missing = batch.reply_bytes
        self.socket.sendall(batch.request)

    def receive(self):
        """Whether the batch is answered."""
        data = self.socket.recv(1 << 16)
        self.missing -= len(data)
        if not data or data[:1] not in b"$+x\r\n:" or self.missing < 0:
            sys.exit(f"bench: not what was asked for: {data[:80]!r}")
        return self.missing == 0


def drive(port, batches, pipeline, seconds, draws):
    """Returns (requests, seconds)."""
    selector = selectors.DefaultSelector()
    connections = [Connection(port, batches, draws) for _ in range(CONNECTIONS)]
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    begun, answered, open_batches = time.monotonic(), 0, CONNECTIONS
    while open_batches:
        for key, _ in selector.select():
            if not key.data.receive():
                continue
            answered += pipeline
            if time.monotonic() - begun < seconds:
                key.data.send()
            else:
                open_batches -= 1
    took = time.monotonic() - begun
    for connection in connections:
        connection.socket.close()
    selector.close()
    return answered, took


def spent(pids):
    return {name: machine.cpu_seconds(pid) for name, pid in pids.items()}


def measure(cluster, pids, side, load, options, draws):
    """One measurement: {figure: value}."""
    keys, pipeline, reads_percent = load
    batches = [Batch(KEYS[keys], pipeline, reads_percent, draws) for _ in range(BATCHES)]
    with cluster.client() as client:
        client.call("CONFIG", "SET", "read-from", side)
    drive(cluster.port, batches, pipeline, options.seconds / 10, draws)  # warms up
    before = spent(pids)
    requests, took = drive(cluster.port, batches, pipeline, options.seconds, draws)
    micros = {name: (after - before[name]) / requests * 1e6 for name, after in spent(pids).items()}
    nodes = [micros[name] for name in NODES]
    return {"requests/s": requests / took, "router us": micros[ROUTER], "nodes us": sum(nodes),
            "busiest us": max(nodes)}


def fill(cluster):
    with cluster.client() as client:
        for keys in KEYS.values():
            for first in range(0, len(keys), 500):
                client.pipeline([["SET", key, VALUE] for key in keys[first:first + 500]])


def report(figures):
    names = ("requests/s", "router us", "nodes us", "busiest us")
    print(f"{'load':<44} {'figure':<11} {'head':>26} {'any':>26} {'any/head':>9}")
    for (keys, pipeline, reads_percent), sides in figures.items():
        load = f"{reads_percent} % reads, {keys}, pipeline {pipeline}"
        for name in names:
            texts, medians = [], []
            for side in SIDES:
                values = [one[name] for one in sides[side]]
                medians.append(statistics.median(values))
                digits = 0 if name == "requests/s" else 2
                texts.append(f"{medians[-1]:,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})")
            print(f"{load:<44} {name:<11} {texts[0]:>26} {texts[1]:>26} {medians[1] / medians[0]:>9.2f}")
            load = ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    options = parser.parse_args()
    loads = [(keys, pipeline, reads) for keys in KEYS for pipeline in (1, 16) for reads in (100, 95)]
    draws = random.Random(1)
    figures = {}
    with Cluster("--nodes", 3, "--copies", 3) as cluster:
        pids = {name: cluster.pid(name) for name in (*NODES, ROUTER)}
        fill(cluster)
        print(f"{machine.describe()}; 3 nodes, 3 copies, 1 router, {CONNECTIONS} connections, {len(VALUE)}-byte "
              f"values, {options.rounds} rounds of {options.seconds:g} s")
        for round_number in range(1, options.rounds + 1):
            for load in loads:
                for side in SIDES if round_number % 2 else SIDES[::-1]:
                    print(f"round {round_number} of {options.rounds}, {load}, {side}", file=sys.stderr)
                    figures.setdefault(load, {}).setdefault(side, []).append(
                        measure(cluster, pids, side, load, options, draws))
    report(figures)


if __name__ == "__main__":
    main()
