"""MULTI, EXEC and WATCH through the router and straight at a node; what a Redis answers is the measure."""

import os
import random
import signal
import threading
import unittest

from harness import Client, Cluster, RedisError, RedisServer, SharedCluster, alive, wait_for

# Each is one connection. All keys are in one slot.
SCRIPTS = {
    "plain": ["MULTI", "SET {t}a 1", "INCR {t}a", "GET {t}a", "EXEC", "GET {t}a"],
    "empty": ["MULTI", "EXEC", "EXEC", "DISCARD", "UNWATCH"],
    "nested": ["MULTI", "MULTI", "SET {t}a 1", "EXEC"],
    "discard": ["SET {t}a 7", "MULTI", "SET {t}a 1", "DISCARD", "GET {t}a"],
    "unknown": ["MULTI", "NONSENSE {t}a", "SET {t}a 1", "EXEC", "EXEC"],
    "arity": ["MULTI", "GET", "EXEC", "MULTI", "DISCARD x", "EXEC", "MULTI", "EXEC x", "EXEC", "EXEC x"],
    "errors inside": ["SET {t}w word", "MULTI", "INCR {t}w", "SET {t}a 5", "GETEX {t}a EX 0", "EXEC", "GET {t}a"],
    "several keys": ["MULTI", "MSET {t}a 1 {t}b 2", "MGET {t}a {t}b {t}c", "DEL {t}a {t}b", "EXISTS {t}a", "EXEC"],
    "databases": ["MULTI", "SELECT 3", "SET {t}q 1", "SELECT 99", "GET {t}q", "EXEC", "GET {t}q", "SELECT 0",
                  "GET {t}q"],
    "own commands": ["MULTI", "PING", "ECHO hello", "CLIENT SETNAME me", "CLIENT GETNAME", "SET {t}a 1", "EXEC"],
    "watch": ["SET {t}a 1", "WATCH {t}a {t}b", "GET {t}a", "MULTI", "INCR {t}a", "EXEC"],
    "watch, touched": ["WATCH {t}a", "SET {t}a 9", "MULTI", "GET {t}a", "EXEC", "MULTI", "GET {t}a", "EXEC"],
    "watch, touched, RESP3": ["WATCH {t}a", "SET {t}a 9", "MULTI", "GET {t}a", "EXEC"],
    "watch, no change": ["SET {t}a 1", "WATCH {t}a", "SETNX {t}a 2", "MULTI", "GET {t}a", "EXEC"],
    "unwatch": ["WATCH {t}a", "SET {t}a 1", "UNWATCH", "MULTI", "GET {t}a", "EXEC"],
    "unwatch inside": ["WATCH {t}a", "MULTI", "UNWATCH", "SET {t}a 1", "EXEC"],
    "watch inside": ["MULTI", "WATCH {t}a", "SET {t}a 1", "EXEC"],
    "watch, expired": ["SET {t}e 1 PX 1", "DEL {t}x", "WATCH {t}x", "MULTI", "GET {t}x", "EXEC"],
    "touched and failed": ["WATCH {t}a", "SET {t}a 3", "MULTI", "GET", "EXEC"],
    "exec keeps what is watched": ["WATCH {t}a", "EXEC", "SET {t}a 3", "MULTI", "GET {t}a", "EXEC"],
    "reset": ["MULTI", "SET {t}a 1", "RESET", "EXEC"],
}


def plain(reply):
    if isinstance(reply, RedisError):
        return f"-{reply}"
    if isinstance(reply, list):
        return [plain(item) for item in reply]
    return reply


def play(port, name, lines):
    with Client(port) as client:
        client.call("DEL", "{t}a", "{t}b", "{t}c", "{t}w", "{t}q", "{t}e", "{t}x")
        if name.endswith("RESP3"):
            client.call("HELLO", "3")
        return [plain(client.pipeline([line.split()])[0]) for line in lines]


def head_of(cluster, key):
    """The name of the node that heads the key's slot; None while there is none."""
    for name, (role, port) in cluster.endpoints().items():
        if role != "node" or not alive(cluster.pid(name)):
            continue
        try:
            with Client(port) as client:
                # A write that changes nothing: reads are answered by every member of the chain.
                if not isinstance(client.pipeline([("PERSIST", key)])[0], RedisError):
                    return name
        except OSError:
            continue
    return None


def optimistic_increments(port, key, times):
    """As applications do it: read, and write only if nobody else has."""
    retries = 0
    with Client(port) as client:
        for _ in range(times):
            while True:
                client.call("WATCH", key)
                value = int(client.call("GET", key) or 0)
                client.call("MULTI")
                client.call("SET", key, value + 1)
                if client.call("EXEC") is not None:
                    break
                retries += 1
    return retries


class Transactions(SharedCluster):
    OPTIONS = ("--nodes", 3)

    def head_of(self, key):
        """The ports of the node that heads the key's slot, and of another one."""
        nodes = {name: port for name, (role, port) in self.cluster.endpoints().items() if role == "node"}
        head = head_of(self.cluster, key)
        return nodes[head], next(port for name, port in nodes.items() if name != head)

    def test_answers_are_those_of_redis(self):
        with RedisServer() as redis:
            node, _ = self.head_of("{t}a")
            for name, lines in SCRIPTS.items():
                expected = play(redis.port, name, lines)
                with self.subTest(name):
                    self.assertEqual(play(self.port, name, lines), expected)
                    self.assertEqual(play(node, name, lines), expected)

    def test_another_client_changes_what_is_watched(self):
        node, _ = self.head_of("{t}a")
        for port in (self.port, node):
            with Client(port) as one, Client(self.port) as other:
                one.call("SET", "{t}a", "before")
                one.call("WATCH", "{t}a")
                other.call("SET", "{t}other", "x")
                self.assertEqual(one.pipeline([("MULTI",), ("GET", "{t}a"), ("EXEC",)])[2], [b"before"])
                one.call("WATCH", "{t}a")
                other.call("SET", "{t}a", "after")
                self.assertIsNone(one.pipeline([("MULTI",), ("SET", "{t}a", "lost"), ("EXEC",)])[2])
                self.assertEqual(one.call("GET", "{t}a"), b"after")

    def test_no_increment_is_lost_among_optimistic_clients(self):
        node, _ = self.head_of("{t}n")
        ports = [self.port, self.port, node, node]
        threads = [threading.Thread(target=optimistic_increments, args=(port, "{t}n", 100)) for port in ports]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        with Client(self.port) as client:
            self.assertEqual(client.call("GET", "{t}n"), b"400")

    def test_a_node_that_does_not_head_the_slot_says_where(self):
        head, other = self.head_of("{t}a")
        with Client(other) as client:
            replies = client.pipeline([("MULTI",), ("SET", "{t}a", 1), ("EXEC",)])
            self.assertRegex(str(replies[1]), rf"^MOVED \d+ [\d.]+:{head}$")
            self.assertTrue(str(replies[2]).startswith("EXECABORT"))
            self.assertRegex(str(client.pipeline([("WATCH", "{t}a")])[0]), "^MOVED ")

    def test_what_is_not_of_one_slot_is_refused(self):
        with Client(self.port) as client:
            for refused, why in ((("SET", "elsewhere", 1), "CROSSSLOT"), (("GET", "lock:x"), "CROSSSLOT"),
                                 (("DBSIZE",), "ERR"), (("FLUSHALL",), "ERR"), (("INFO",), "ERR")):
                replies = client.pipeline([("MULTI",), ("SET", "{t}a", 1), refused, ("EXEC",)])
                self.assertTrue(str(replies[2]).startswith(why), replies)
                self.assertTrue(str(replies[3]).startswith("EXECABORT"), replies)

    def test_a_pipeline_of_ten_thousand_in_one_transaction(self):
        commands = [("MULTI",), *(("INCR", "{t}big") for _ in range(10000)), ("EXEC",)]
        with Client(self.port) as client:
            client.call("DEL", "{t}big")
            self.assertEqual(client.pipeline(commands)[-1], list(range(1, 10001)))


class Transfers(threading.Thread):
    """Moves amounts between accounts of one slot, so that their sum stays what it is."""

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.port, self.random = port, random.Random(seed)
        self.done, self.errors, self.torn = 0, [], []
        self.stopping = threading.Event()

    def run(self):
        with Client(self.port) as client:
            while not self.stopping.is_set():
                one, other = self.random.sample(range(10), 2)
                reply = client.pipeline([("MULTI",), ("DECR", f"{{bank}}{one}"), ("INCR", f"{{bank}}{other}"),
                                         ("EXEC",)])[-1]
                if isinstance(reply, RedisError):
                    self.errors.append(str(reply))
                else:
                    self.done += 1
                reply = client.pipeline([("MULTI",), *(("GET", f"{{bank}}{i}") for i in range(10)), ("EXEC",)])[-1]
                if isinstance(reply, list) and sum(int(value) for value in reply) != 1000:
                    self.torn.append(reply)

    def stop(self):
        self.stopping.set()
        self.join(30)


class KillHead(unittest.TestCase):
    def test_no_half_of_a_transaction_is_ever_seen(self):
        with Cluster("--nodes", 3) as cluster:
            with Client(cluster.port) as client:
                client.call("MSET", *[word for i in range(10) for word in (f"{{bank}}{i}", 100)])
            threads = [Transfers(cluster.port, seed) for seed in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(2):  # of three copies, one remains
                before = [thread.done for thread in threads]
                wait_for("transfers", lambda: all(t.done > b + 100 for t, b in zip(threads, before)), 60)
                head = wait_for("a head", lambda: head_of(cluster, "{bank}0"))
                os.kill(cluster.pid(head), signal.SIGKILL)
            before = [thread.done for thread in threads]
            wait_for("transfers", lambda: all(t.done > b + 100 for t, b in zip(threads, before)), 60)
            for thread in threads:
                thread.stop()
            self.assertEqual([thread.torn for thread in threads], [[]] * 4)
            self.assertEqual([thread.errors for thread in threads], [[]] * 4)
            with Client(cluster.port) as client:
                values = client.call("MGET", *[f"{{bank}}{i}" for i in range(10)])
            self.assertEqual(sum(int(value) for value in values), 1000)


if __name__ == "__main__":
    unittest.main()
