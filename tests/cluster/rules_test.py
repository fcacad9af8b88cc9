"""Placement rules: keys that belong together are in one slot, and no key is ever in two."""

import os
import signal
import subprocess
import threading
import unittest

from harness import BINARY, Client, RedisError, SharedCluster, wait_for

BULL = "bull:(*):**"


def slot_at(cluster, node, key):
    with cluster.client(node) as client:
        return client.call("CLUSTER", "KEYSLOT", key)


class Rules(SharedCluster):
    def setUp(self):
        self.client = self.cluster.client()
        self.client.call("FLUSHALL")
        for rule in self.rules():
            self.assertEqual(self.change("REMOVE", rule), 1)

    def tearDown(self):
        self.client.close()

    def rules(self):
        return [rule.decode() for rule in self.client.call("RING", "RULES", "LIST")]

    def change(self, verb, pattern):
        """Its outcome, however often it has to be asked for."""
        def outcome():
            try:
                return (self.client.call("RING", "RULES", verb, pattern),)
            except RedisError as error:
                if str(error).startswith(("TRYAGAIN", "CLUSTERDOWN")):
                    return None
                raise
        return wait_for(f"the outcome of {verb} {pattern}", outcome)[0]

    def cli(self, *words):
        return subprocess.run([BINARY, "rules", *words, "--port", str(self.cluster.port)], capture_output=True,
                              text=True, timeout=60, check=False)

    def test_keys_of_one_tag_are_in_one_slot(self):
        keys = ["bull:q:1", "bull:q:meta"]
        with self.assertRaisesRegex(RedisError, "CROSSSLOT"):
            self.client.call("MSETNX", keys[0], "1", keys[1], "2")
        self.assertEqual(self.change("ADD", BULL), 1)
        self.assertEqual(self.change("ADD", BULL), 0)
        self.assertEqual(self.rules(), [BULL])
        self.assertEqual(self.client.call("MSETNX", keys[0], "1", keys[1], "2"), 1)
        self.assertEqual(self.client.call("RENAME", keys[0], "bull:q:2"), "OK")
        self.assertEqual(self.client.call("MGET", "bull:q:2", keys[1], keys[0]), [b"1", b"2", None])
        self.assertEqual(self.client.call("MULTI"), "OK")
        for command in (("INCR", "bull:q:2"), ("DEL", keys[1])):
            self.assertEqual(self.client.call(*command), "QUEUED")
        self.assertEqual(self.client.call("EXEC"), [2, 1])
        self.client.call("SET", keys[1], "2")
        self.assertEqual(sorted(self.client.call("KEYS", "bull:*")), [b"bull:q:2", b"bull:q:meta"])
        self.assertEqual(self.client.call("DBSIZE"), 2)
        for node in ("n1", "n2", "n3"):
            slots = {slot_at(self.cluster, node, key) for key in (*keys, "q")}
            self.assertEqual(len(slots), 1)
            self.assertEqual(slot_at(self.cluster, node, "bull:{x}:1"), slot_at(self.cluster, node, "x"))

    def test_a_change_is_refused_while_keys_would_move(self):
        self.client.call("SET", "bull:q:1", "old")
        with self.assertRaisesRegex(RedisError, "elsewhere, as 'bull:q:1'"):
            self.change("ADD", BULL)
        self.assertEqual(self.rules(), [])
        self.assertEqual(self.client.call("GET", "bull:q:1"), b"old")
        self.assertEqual(self.client.call("SET", "bull:q:1", "new"), "OK")
        self.assertEqual(self.client.call("DEL", "bull:q:1"), 1)
        self.client.call("SET", "bull:{q}:1", "its place is its own")
        self.assertEqual(self.change("ADD", BULL), 1)
        self.client.call("SET", "bull:q:1", "by the rule")
        with self.assertRaisesRegex(RedisError, "elsewhere, as 'bull:q:1'"):
            self.change("REMOVE", BULL)
        self.assertEqual(self.client.call("GET", "bull:q:1"), b"by the rule")
        self.client.call("DEL", "bull:q:1")
        self.assertEqual(self.change("REMOVE", BULL), 1)
        self.assertEqual(self.change("REMOVE", BULL), 0)
        self.assertEqual(self.client.call("GET", "bull:{q}:1"), b"its place is its own")

    def test_what_is_wrong_with_a_rule_is_said(self):
        with self.assertRaisesRegex(RedisError, "needs one part in parentheses"):
            self.change("ADD", "bull:*")
        with self.assertRaisesRegex(RedisError, "syntax"):
            self.client.call("RING", "RULES", "FORGET", "x")

    def test_lock_keys_stay_locks(self):
        self.assertEqual(self.change("ADD", "(**):end"), 1)
        self.assertEqual(self.client.call("SET", "lock:a:end", "me", "NX", "PX", 60000), "OK")
        self.assertEqual(self.client.call("LOCK", "TOKEN", "lock:a:end", "me") is not None, True)
        self.assertEqual(self.client.call("DEL", "lock:a:end"), 1)

    def test_the_command_line(self):
        added = self.cli("add", BULL)
        self.assertEqual((added.returncode, added.stdout), (0, "added\n"), added.stderr)
        self.assertEqual(self.cli("list").stdout, BULL + "\n")
        self.client.call("SET", "bull:q:1", "v")
        refused = self.cli("remove", BULL)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("chainring rules: there are keys that the rules would place elsewhere", refused.stderr)
        self.client.call("DEL", "bull:q:1")
        self.assertEqual(self.cli("remove", BULL).stdout, "removed\n")
        self.assertEqual(self.cli("list").stdout, "")

    def test_rules_survive_the_coordinators(self):
        self.assertEqual(self.change("ADD", BULL), 1)
        self.client.call("SET", "bull:q:1", "v")
        before = {name: self.cluster.pid(name) for name in ("c1", "c2", "c3")}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        for name, pid in before.items():
            self.cluster.new_pid(name, pid)
        wait_for("a leader", lambda: self.cluster.status() is not None)
        self.assertEqual(self.rules(), [BULL])
        self.assertEqual(self.client.call("GET", "bull:q:1"), b"v")

    def test_no_key_is_lost_or_doubled_while_rules_change_under_load(self):
        """Writers use keys that the rule moves; each remembers what was acknowledged."""
        stop = threading.Event()
        troubles = []

        def write(name):
            key = f"bull:w{name}:n"
            value = 0
            with Client(self.cluster.port, timeout=30) as client:
                while not stop.is_set():
                    try:
                        value += 1
                        client.call("SET", key, value)
                        if client.call("GET", key) != str(value).encode():
                            troubles.append(f"{key} is not {value}")
                        client.call("DEL", key)
                        if client.call("GET", key) is not None:
                            troubles.append(f"{key} is still there")
                    except RedisError as error:
                        if not str(error).startswith("TRYAGAIN"):
                            troubles.append(str(error))
        writers = [threading.Thread(target=write, args=(i,)) for i in range(4)]
        for writer in writers:
            writer.start()
        outcomes = []
        try:
            for _ in range(10):
                for verb in ("ADD", "REMOVE"):
                    try:
                        outcomes.append(self.change(verb, BULL))
                    except RedisError as error:
                        outcomes.append(str(error))
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        self.assertEqual(troubles, [])
        for i in range(4):  # the last word may have been an error
            self.client.call("DEL", f"bull:w{i}:n")
        self.assertEqual(self.client.call("DBSIZE"), 0)
        self.assertTrue(outcomes)


if __name__ == "__main__":
    unittest.main()
