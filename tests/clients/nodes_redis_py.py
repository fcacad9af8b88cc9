"""redis-py's RedisCluster against nodes; its argument is "checks" or "load"."""

import logging
import os
import sys

from redis.cluster import ClusterNode, RedisCluster

from checks import Checks

PORTS = [int(port) for port in os.environ["NODE_PORTS"].split(",")]
HEADS = int(os.environ["HEADS"])
PIPELINE = 10000

logging.disable(logging.ERROR)  # the library's own record of each MOVED that it follows


def connect(**options):
    return RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", PORTS[0])], **options)


def connecting(checks, cluster):
    checks.equal("PING", cluster.ping(target_nodes=RedisCluster.ALL_NODES), True)
    checks.equal("nodes with slots", len(cluster.get_primaries()), HEADS)
    info = cluster.cluster_info(target_nodes=cluster.get_primaries()[0])
    checks.equal("CLUSTER INFO", (info["cluster_state"], info["cluster_slots_assigned"]), ("ok", "16384"))
    checks.equal("KEYSLOT", cluster.cluster_keyslot("somekey"), 11058)
    nodes = cluster.cluster_nodes()
    slots = sum(int(last) - int(first) + 1 for node in nodes.values()
                for first, last in [(part[0], part[-1]) for part in node["slots"]])
    checks.equal("slots in CLUSTER NODES", slots, 16384)


def play_transcript(checks, cluster):
    """On a bare connection to the slot's node: execute_command() would translate the replies."""
    node = cluster.get_node_from_key("{t}:a")
    connection = node.redis_connection.connection_pool.get_connection("SET")

    def send(words):
        connection.send_command(*words)
        return connection.read_response()

    checks.transcript(send)
    connection.disconnect()


def many_slots(checks, cluster):
    entries = {b"redis-py:%d" % i: b"value %d" % i for i in range(2000)}
    checks.equal("MSET, slot by slot", set(cluster.mset_nonatomic(entries)), {True})
    checks.equal("MGET, slot by slot", cluster.mget_nonatomic(*entries), list(entries.values()))
    for key, value in list(entries.items())[:200]:
        checks.equal("GET", cluster.get(key), value)
    checks.equal("SCAN of all nodes", sorted(set(cluster.scan_iter("redis-py:*", count=500))), sorted(entries))
    checks.equal("EXISTS", cluster.exists(*entries), 2000)
    checks.equal("DEL", cluster.delete(*entries), 2000)
    checks.refused("RENAME", lambda: cluster.rename("a", "b"), "RENAME - all keys must map to the same key slot")


def pipelines(checks, cluster):
    """Over all slots: redis-py makes a pipeline for each node of it."""
    pipeline = cluster.pipeline()
    expected = []
    for i in range(0, PIPELINE, 2):
        pipeline.set(f"redis-py:{i % 1000}", f"value {i}").get(f"redis-py:{i % 1000}")
        expected += [True, b"value %d" % i]
    replies = pipeline.execute()
    checks.equal("how many replies", len(replies), PIPELINE)
    for i, (reply, wanted) in enumerate(zip(replies, expected)):
        checks.equal(f"reply {i}", reply, wanted)
    checks.equal("DEL", cluster.delete(*[f"redis-py:{i}" for i in range(0, 1000, 2)]), 500)


def replicas(checks, cluster):
    """A value that was acknowledged is what every member of the chain gives."""
    reader = connect(read_from_replicas=True)
    for i in range(500):
        checks.equal("SET", cluster.set(f"redis-py:r{i % 50}", i), True)
        checks.equal("GET from any copy", reader.get(f"redis-py:r{i % 50}"), b"%d" % i)
    checks.equal("DEL", cluster.delete(*[f"redis-py:r{i}" for i in range(50)]), 50)
    reader.close()


def locks(checks, cluster):
    name = "lock:redis-py cluster"
    checks.equal("SET NX PX", cluster.set(name, "mine", px=30000, nx=True), True)
    checks.equal("SET NX PX when held", cluster.set(name, "other", px=30000, nx=True), None)
    checks.equal("GET", cluster.get(name), b"mine")
    checks.equal("DELIFEQ by another", cluster.execute_command("DELIFEQ", name, "other"), 0)
    checks.equal("DELIFEQ", cluster.execute_command("DELIFEQ", name, "mine"), 1)
    node = {"target_nodes": RedisCluster.RANDOM}
    token, _ = cluster.execute_command("LOCK", "ACQUIRE", name, "me", "TTL", 30000, **node)
    checks.equal("TOKEN", cluster.execute_command("LOCK", "TOKEN", name, "me", **node), token)
    checks.equal("RELEASE", cluster.execute_command("LOCK", "RELEASE", name, "me", **node), 1)


def all_steps(checks):
    cluster = connect()
    if sys.argv[1] == "load":
        # Not from replicas: after MOVED this version of the library may look for a replica beyond the end of its list.
        checks.step("load", checks.load, cluster.set, cluster.incr, cluster.get, cluster.get)
        return
    checks.step("connect", connecting, checks, cluster)
    checks.step("every command on strings", play_transcript, checks, cluster)
    checks.step("keys in many slots", many_slots, checks, cluster)
    checks.step("pipelines of 10000", pipelines, checks, cluster)
    checks.step("reads at replicas", replicas, checks, cluster)
    checks.step("locks", locks, checks, cluster)


Checks("redis-py cluster").run(all_steps)
