"""redis-py against a router."""

import os
import signal

import redis

from checks import Checks

PORT = int(os.environ["ROUTER_PORT"])
PIPELINE = 10000


def connect(**options):
    return redis.Redis(host="127.0.0.1", port=PORT, **options)


def connecting(checks):
    with connect(db=3, client_name="checks", decode_responses=True) as client:
        checks.equal("PING", client.ping(), True)
        checks.equal("CLIENT GETNAME", client.client_getname(), "checks")
        info = client.info("server")
        checks.equal("INFO", (info["redis_mode"], info["redis_version"]), ("standalone", "7.2.5"))
        checks.equal("db", client.client_info()["db"], 3)
        client.set("where", "db3")
        with connect(decode_responses=True) as zero:
            checks.equal("GET in database 0", zero.get("where"), None)
        checks.equal("DEL in database 3", client.delete("where"), 1)
        checks.equal("CONFIG GET", client.config_get("databases"), {"databases": "16"})
        checks.equal("COMMAND", client.command()["get"]["first_key_pos"], 1)


def play_transcript(checks):
    """On a bare connection: execute_command() would translate the replies."""
    connection = connect().connection_pool.get_connection("SET")

    def send(words):
        connection.send_command(*words)
        return connection.read_response()

    checks.transcript(send)
    connection.disconnect()


def everyday_commands(checks, client):
    checks.equal("SET EX NX", client.set("day", "v", ex=100, nx=True), True)
    checks.equal("SET NX", client.set("day", "v", nx=True), None)
    checks.between("TTL", client.ttl("day"), 90, 100)
    every_byte = bytes(range(256))
    checks.equal("SET of bytes", client.set(every_byte, every_byte), True)
    checks.equal("GET of bytes", client.get(every_byte), every_byte)
    large = b"large value " * 700000
    checks.equal("SET of a large value", client.set("large", large), True)
    checks.equal("GET of a large value", client.get("large") == large, True)
    checks.equal("INCRBYFLOAT", client.incrbyfloat("float", 1.5), 1.5)
    checks.equal("GETEX", client.getex("float", px=90000), b"1.5")
    checks.between("PTTL", client.pttl("float"), 60000, 90000)
    checks.equal("MEMORY USAGE", client.memory_usage("large") > len(large), True)
    checks.equal("DEL", client.delete("large", "day", "float", every_byte), 4)


def many_slots(checks, client):
    entries = {b"slots:%d" % i: b"value %d" % i for i in range(2000)}
    checks.equal("MSET", client.mset(entries), True)
    checks.equal("MGET", client.mget(*entries, "slots:none"), [*entries.values(), None])
    checks.equal("EXISTS", client.exists(*entries), 2000)
    checks.equal("SCAN", sorted(client.scan_iter("slots:*", count=500)), sorted(entries))
    checks.equal("KEYS", len(client.keys("slots:*")), 2000)
    checks.equal("DBSIZE", client.dbsize(), 2000)
    checks.equal("UNLINK", client.unlink(*entries), 2000)
    checks.equal("RANDOMKEY", client.randomkey(), None)
    checks.equal("WAIT for both other copies", client.wait(2, 100), 2)
    checks.refused("RENAME", lambda: client.rename("a", "b"), "CROSSSLOT Keys in request don't hash to the same slot")


def pipelines(checks, client):
    pipeline = client.pipeline(transaction=False)
    expected = []
    for i in range(0, PIPELINE, 4):
        pipeline.set(f"p:{i}", f"value {i}").get(f"p:{i}").incr("p:count").incr(f"p:{i}")
        expected += [True, b"value %d" % i, i // 4 + 1, "value is not an integer or out of range"]
    replies = pipeline.execute(raise_on_error=False)
    got = [str(reply) if isinstance(reply, redis.ResponseError) else reply for reply in replies]
    checks.equal("how many replies", len(got), PIPELINE)
    for i, (reply, wanted) in enumerate(zip(got, expected)):
        checks.equal(f"reply {i}", reply, wanted)
    checks.equal("FLUSHALL", client.flushall(), True)


def transactions(checks, client):
    """redis-py wraps every pipeline in MULTI and EXEC unless told otherwise."""
    checks.equal("EXEC", client.pipeline().set("{tx}:a", 1).incr("{tx}:a").get("{tx}:b").execute(), [True, 2, None])
    with client.pipeline() as pipeline:
        pipeline.watch("{tx}:a")
        checks.equal("GET while watching", pipeline.get("{tx}:a"), b"2")
        client.set("{tx}:a", "changed")
        pipeline.multi()
        pipeline.set("{tx}:b", "no")
        try:
            checks.fail("EXEC after a change", "WatchError", pipeline.execute())
        except redis.WatchError:
            checks.equal("nothing was set", client.get("{tx}:b"), None)

    def increment(pipeline):
        count = int(pipeline.get("{tx}:count") or 0)
        pipeline.multi()
        pipeline.set("{tx}:count", count + 1)

    checks.equal("transaction()", client.transaction(increment, "{tx}:count"), [True])
    checks.equal("its effect", client.get("{tx}:count"), b"1")
    long = client.pipeline()
    for _ in range(PIPELINE):
        long.incr("{tx}:count")
    checks.equal("EXEC of 10000", long.execute(), list(range(2, PIPELINE + 2)))
    checks.equal("DEL", client.delete("{tx}:a", "{tx}:count"), 2)


def locks(checks, client):
    run = client.execute_command
    checks.equal("SET NX PX", client.set("lock:set", "mine", px=30000, nx=True), True)
    checks.equal("SET NX PX when held", client.set("lock:set", "other", px=30000, nx=True), None)
    checks.between("PTTL", client.pttl("lock:set"), 20000, 30000)
    checks.equal("DELIFEQ by another", run("DELIFEQ", "lock:set", "other"), 0)
    checks.equal("DELIFEQ", run("DELIFEQ", "lock:set", "mine"), 1)
    token, validity = run("LOCK", "ACQUIRE", "lock:native", "me", "TTL", 30000)
    checks.between("validity", validity, 20000, 30000)
    checks.equal("ACQUIRE when held", run("LOCK", "ACQUIRE", "lock:native", "you", "TTL", 30000), None)
    checks.equal("TOKEN", run("LOCK", "TOKEN", "lock:native", "me"), token)
    checks.equal("RENEW keeps the token", run("LOCK", "RENEW", "lock:native", "me", "TTL", 30000)[0], token)
    checks.equal("RELEASE by another", run("LOCK", "RELEASE", "lock:native", "you"), 0)
    checks.equal("RELEASE", run("LOCK", "RELEASE", "lock:native", "me"), 1)
    following = run("LOCK", "ACQUIRE", "lock:native", "you", "TTL", 30000)[0]
    checks.equal("the next token is greater", following > token, True)
    checks.equal("RELEASE", run("LOCK", "RELEASE", "lock:native", "you"), 1)


def killed_connection(checks):
    with connect(db=2, single_connection_client=True) as client, connect() as other:
        client.set("kept", "value")
        number = client.client_id()
        checks.equal("CLIENT KILL", other.client_kill_filter(_id=number), 1)
        value = checks.eventually("GET", lambda: client.get("kept"), redis.ConnectionError)
        checks.equal("GET in the same database", value, b"value")
        checks.equal("another connection", client.client_id() > number, True)
        checks.equal("DEL", client.delete("kept"), 1)


def killed_router(checks):
    with connect(db=2) as client:
        client.set("kept", "value")
        with open(os.environ["ROUTER_PID_FILE"], encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        value = checks.eventually("GET", lambda: client.get("kept"), redis.ConnectionError)
        checks.equal("GET in the same database", value, b"value")
        checks.equal("writes", client.append("kept", " on"), 8)
        checks.equal("DEL", client.delete("kept"), 1)


def all_steps(checks):
    client = connect()
    checks.step("connect", connecting, checks)
    checks.step("every command on strings", play_transcript, checks)
    checks.step("everyday commands", everyday_commands, checks, client)
    checks.step("keys in many slots", many_slots, checks, client)
    checks.step("pipelines of 10000", pipelines, checks, client)
    checks.step("transactions", transactions, checks, client)
    checks.step("locks", locks, checks, client)
    checks.step("connection killed", killed_connection, checks)
    checks.step("router killed", killed_router, checks)


Checks("redis-py").run(all_steps)
