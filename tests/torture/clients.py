"""clients.py PLAN: one process of clients under torture. PLAN is JSON, see Plan.

Each client is a thread with a connection of its own, and draws what it calls from its seed. Everything is written down
for the judge (tests/sim/history_file.h), in a file for each generation: the keys change every GENERATION_SECONDS,
so that the history of one key stays short. Beside that each client keeps a ledger: keys that are written once, and a
counter, which are looked at when all is over.

What happened is told on standard output as lines of JSON, see Teller; the end of standard input ends the clients.
"""

import collections
import dataclasses
import json
import os
import random
import select
import sys
import threading
import time

from harness import Client, RedisError
from processes import PASSWORD

GENERATION_SECONDS = 2.0
VALUES, COUNTERS, PAIRS, ORDERS, BRIEFS, LOCKS = 40, 20, 4, 2, 6, 3  # keys of one generation
PIPELINE_MOST = 5
THINK_SECONDS_MOST = 0.02
ANSWER_SECONDS = 15.0  # a router answers within its request timeout, whatever happens
NODE_ANSWER_SECONDS = 1.0
LOCK_TTL_MS = 1500
LOCK_CERTAIN_MS = LOCK_TTL_MS - 100  # since it was asked for: whoever got it has it for so long
BRIEF_TTL_MS = (800, 2500)
EXPIRY_SKEW_MS = 600  # a node hears of the leader's clock now and then only
SLOW_MICROS = 50_000
TELL_SECONDS = 0.25
UNKNOWN = ("TIMEOUT",)


NOT_RUN = object()  # what a reply may say


def keys_of(generation):
    """All keys of a generation that stay, both halves of the pairs among them."""
    names = [f"g{generation}:value:{i}" for i in range(VALUES)] + [f"g{generation}:count:{i}" for i in range(COUNTERS)]
    names += [half for i in range(PAIRS) for half in halves(pair_key(generation, i))]
    return names + [key for i in range(ORDERS) for key in ordered_keys(generation, i)]


def brief_keys(generation):
    """Those whose time runs out."""
    return [f"g{generation}:brief:{i}" for i in range(BRIEFS)]


def pair_key(generation, number):
    return f"g{generation}:pair:{number}"


def halves(pair):
    return ["{%s}left" % pair, "{%s}right" % pair]


def ordered_keys(generation, number):
    """Two of one slot, of which everybody counts up the first before the second."""
    return ["order:{g%d.%d}:%s" % (generation, number, place) for place in ("first", "second")]


def locks_of(generation):
    return [f"lock:g{generation}:{i}" for i in range(LOCKS)]


def ledger_key(client, number):
    return f"ledger:{client}:{number}"


def counter_key(client):
    return f"ledger:{client}:count"


@dataclasses.dataclass
class Plan:
    number: int      # of the process
    seed: int
    origin: float    # time.monotonic() at which times begin
    directory: str   # of the histories
    routers: list    # [host, port] of each client
    nodes: list      # [host, port] of each node, for one client that goes there itself
    lockers: int = 1  # how many of the routers' clients lock, instead of reading and writing


def micros(origin):
    return int((time.monotonic() - origin) * 1_000_000)


def operation_line(client, place, kind, key, called, returned=None, outcome="unknown", argument="-", compare="-",
                   result=None, ttl_ms=None):
    line = (f"op {client} {place} {kind} {key} {argument} {compare} {called} {'-' if returned is None else returned} "
            f"{outcome} {'-' if result is None else result}")
    if ttl_ms is None:
        return line
    return f"{line} {(ttl_ms - EXPIRY_SKEW_MS) * 1000} {(ttl_ms + EXPIRY_SKEW_MS) * 1000}"


def text_of(reply):
    return reply.decode() if isinstance(reply, bytes) else str(reply)


class Recorder:
    """The files of one process. Used by all its threads."""

    def __init__(self, plan):
        self.plan = plan
        self.files = {}
        self.lock = threading.Lock()

    def write(self, generation, line):
        with self.lock:
            if generation not in self.files:
                path = os.path.join(self.plan.directory, f"{generation}.{self.plan.number}")
                self.files[generation] = open(path, "a", encoding="ascii")
            self.files[generation].write(line + "\n")

    def close_before(self, generation):
        with self.lock:
            for number in [number for number in self.files if number < generation]:
                self.files.pop(number).close()


class Teller:
    """What the clients of one process have seen, for whoever started it. Used by all its threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.news = {"operations": 0, "errors": [], "slow": [], "lost": []}

    def note(self, called, returned, replies):
        with self.lock:
            self.news["operations"] += len(replies)
            if returned - called >= SLOW_MICROS:
                self.news["slow"].append([called, returned])
            self.news["errors"] += [[called, returned, str(r)] for r in replies if isinstance(r, RedisError)]

    def note_lost(self, called, returned):
        with self.lock:
            self.news["lost"].append([called, returned])

    def tell(self, **more):
        with self.lock:
            print(json.dumps({**self.news, **more}), flush=True)
            self.reset()


@dataclasses.dataclass
class Call:
    """Commands that are sent together, and what becomes of them."""
    commands: list
    answered: object  # called with (called, returned, replies)
    lost: object      # called with (called): nobody knows


class Caller(threading.Thread):
    """A connection that is made again when it is lost."""

    refusals = ("CLUSTERDOWN", "TRYAGAIN")  # errors that say that the command was not executed

    def __init__(self, plan, number, recorder, teller):
        super().__init__(daemon=True)
        self.plan, self.recorder, self.teller = plan, recorder, teller
        self.id = plan.number * 100 + number
        self.random = random.Random(plan.seed * 1_000_003 + self.id)
        self.stopping = threading.Event()
        self.connection = None
        self.place = 0
        self.generation = 0
        self.trouble = None
        self.seen = {}  # key -> a value that it had lately

    def now(self):
        return micros(self.plan.origin)

    def next_place(self):
        self.place += 1
        return self.place

    def complain(self, text):
        self.recorder.write(self.generation, f"complaint client {self.id}: {text}")

    def connected(self, address, timeout):
        if self.connection is None:
            try:
                self.connection = Client(address[1], timeout, address[0])
                self.connection.call("AUTH", PASSWORD)
            except (OSError, RedisError):
                self.drop()
        return self.connection is not None

    def drop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.generation = int((time.monotonic() - self.plan.origin) / GENERATION_SECONDS)
                self.turn()
        except Exception as error:  # a fault of the test must not look like a client with nothing to say
            self.trouble = f"{type(error).__name__}: {error}"
            raise

    def turn(self):
        raise NotImplementedError

    def outcome(self, reply):
        if not isinstance(reply, RedisError):
            return "returned"
        if not str(reply).startswith(self.refusals + UNKNOWN):
            self.complain(f"an error that no client should see: {reply}")
        return "refused" if str(reply).startswith(self.refusals) else "unknown"

    def some_value(self):
        return f"g{self.generation}:value:{self.skewed(VALUES)}"

    def skewed(self, count):
        """Low numbers more often: keys with much traffic, and keys with little."""
        return int(count * self.random.random() * self.random.random())

    def recorded(self, kind, key, commands, understand, place=None, **about):
        """A call that is written down. Its last reply counts; when that is no error, `understand` makes its result."""
        place, generation = place or self.next_place(), self.generation

        def answered(called, returned, replies):
            outcome, result = self.outcome(replies[-1]), None
            if outcome == "returned":
                result = understand(replies[-1])
            if result is NOT_RUN:
                outcome, result = "refused", None
            self.recorder.write(generation, operation_line(
                self.id, place, kind, key, called, returned if outcome == "returned" else None, outcome, result=result,
                **about))

        def lost(called):
            self.recorder.write(generation, operation_line(self.id, place, kind, key, called, **about))
        return Call(commands, answered, lost)

    def operation(self, kind, key):
        place = self.next_place()
        fresh, compare = f"v{self.id}.{place}", self.seen.get(key, "nothing")
        ttl_ms = self.random.randint(*BRIEF_TTL_MS) if kind in ("set_px", "pexpire") else None
        words = {"set": ("SET", key, fresh), "get": ("GET", key), "incr": ("INCR", key), "getdel": ("GETDEL", key),
                 "del": ("DEL", key), "set_nx": ("SET", key, fresh, "NX"),
                 "set_ifeq": ("SET", key, fresh, "IFEQ", compare), "set_px": ("SET", key, fresh, "PX", ttl_ms),
                 "pexpire": ("PEXPIRE", key, ttl_ms)}[kind]

        def understand(reply):
            if kind in ("set_nx", "set_ifeq"):
                return "0" if reply is None else "1"
            result = None if kind in ("set", "set_px") or reply is None else text_of(reply)
            if kind in ("set", "get"):
                self.remember(key, fresh if kind == "set" else result)
            return result
        return self.recorded(kind, key, [words], understand, place, argument=fresh if fresh in words else "-",
                             compare=compare if kind == "set_ifeq" else "-", ttl_ms=ttl_ms)

    def remember(self, key, value):
        if value is None:
            self.seen.pop(key, None)
            return
        self.seen[key] = value
        if len(self.seen) > 4 * VALUES:
            self.seen.clear()


class RouterCaller(Caller):
    def __init__(self, plan, number, recorder, teller):
        super().__init__(plan, number, recorder, teller)
        self.address = plan.routers[number]
        self.waits_since = None  # since its connection was lost

    def exchange(self, calls):
        """Sends them in one pipeline. Returns whether all were answered."""
        called = self.now()
        waiting = collections.deque(calls)
        try:
            self.connection.send(b"".join(Client.encode(words) for call in calls for words in call.commands))
            while waiting:
                replies = [self.connection.read() for _ in waiting[0].commands]
                returned = self.now()
                call = waiting.popleft()
                call.answered(called, returned, replies)
                self.teller.note(called if self.waits_since is None else self.waits_since, returned, replies)
                self.waits_since = None
        except OSError as error:
            if isinstance(error, TimeoutError):
                self.complain(f"no answer from the router within {ANSWER_SECONDS} s")
            for call in waiting:
                call.lost(called)
            self.teller.note_lost(called, self.now())
            self.waits_since = called if self.waits_since is None else self.waits_since
            self.drop()
            return False
        return True


class Worker(RouterCaller):
    """Reads and writes in pipelines."""

    def __init__(self, plan, number, recorder, teller):
        super().__init__(plan, number, recorder, teller)
        self.ledger = {"client": self.id, "written": 0, "unknown": [], "refused": [], "counted": 0, "count_unknown": 0}

    def turn(self):
        if not self.connected(self.address, ANSWER_SECONDS):
            self.stopping.wait(THINK_SECONDS_MOST)
            return
        if self.random.random() < 0.1:
            self.swap()
        else:
            count = 1 if self.random.random() < 0.5 else self.random.randint(2, PIPELINE_MOST)
            self.exchange([call for _ in range(count) for call in self.draw()])
        self.stopping.wait(self.random.uniform(0, THINK_SECONDS_MOST))

    def draw(self):
        """Calls that go out one behind the other."""
        choice = self.random.random()
        if choice < 0.12:
            return [self.write_ledger()]
        if choice < 0.24:
            return [self.count_ledger()]
        if choice < 0.36:
            return [self.transaction()]
        if choice < 0.42:
            return self.in_order()
        if choice < 0.50:
            kinds = ("set_px", "get", "pexpire", "getdel")
            key = self.random.choice(brief_keys(self.generation))
            return [self.operation(self.random.choices(kinds, (35, 45, 10, 10))[0], key)]
        if choice < 0.68:
            key = f"g{self.generation}:count:{self.skewed(COUNTERS)}"
            return [self.operation(self.random.choices(("incr", "get", "getdel"), (6, 3, 1))[0], key)]
        kinds = ("set", "get", "set_nx", "set_ifeq", "getdel", "del")
        return [self.operation(self.random.choices(kinds, (30, 35, 10, 12, 8, 5))[0], self.some_value())]

    def transaction(self):
        """Both halves of a pair, counted or read in one EXEC: to the judge one counter, and halves may never differ."""
        pair = pair_key(self.generation, self.random.randrange(PAIRS))
        kind = self.random.choice(("incr", "get"))

        def understand(reply):
            if not isinstance(reply, list) or len(reply) != 2 or reply[0] != reply[1]:
                self.complain(f"a transaction on {pair} answered {reply}")
                return None
            return None if reply[0] is None else text_of(reply[0])
        return self.recorded(kind, pair, [("MULTI",), *((kind.upper(), half) for half in halves(pair)), ("EXEC",)],
                             understand)

    def in_order(self):
        """Two keys are counted up, one behind the other, or both looked at: the second may never be ahead."""
        first, second = ordered_keys(self.generation, self.random.randrange(ORDERS))
        if self.random.random() < 0.5:
            return [self.operation("incr", first), self.operation("incr", second)]
        generation, reads = self.generation, [self.operation("get", key) for key in (second, first)]
        at_once = self.random.random() < 0.5
        commands = [("MGET", second, first)] if at_once else [("GET", second), ("GET", first)]

        def answered(called, returned, replies):
            if at_once:
                replies = replies[0] if isinstance(replies[0], list) else 2 * replies
            for read, reply in zip(reads, replies):
                read.answered(called, returned, [reply])
            if not any(isinstance(reply, RedisError) for reply in replies):
                behind, ahead = (int(reply or 0) for reply in replies)
                self.recorder.write(generation, f"order {first} {ahead} {behind} {returned}")

        def lost(called):
            for read in reads:
                read.lost(called)
        return [Call(commands, answered, lost)]

    def swap(self):
        """WATCH and GET, and a change that happens only if the key stayed as it was: to the judge a compare-and-set."""
        key = self.some_value()
        read, seen = self.operation("get", key), []

        def answered(called, returned, replies):
            read.answered(called, returned, replies[1:])
            if not any(isinstance(reply, RedisError) for reply in replies):
                seen.append(replies[1])
        if not self.exchange([Call([("WATCH", key), *read.commands], answered, read.lost)]):
            return
        if not seen:
            self.exchange([Call([("UNWATCH",)], lambda *_: None, lambda _: None)])
            return
        place, value = self.next_place(), seen[0]
        fresh = f"v{self.id}.{place}"
        about = {"argument": fresh} if value is None else {"argument": fresh, "compare": text_of(value)}
        self.exchange([self.recorded(
            "set_nx" if value is None else "set_ifeq", key, [("MULTI",), ("SET", key, fresh), ("EXEC",)],
            lambda reply: NOT_RUN if reply is None else "1", place, **about)])

    def write_ledger(self):
        self.ledger["written"] += 1
        number = self.ledger["written"]

        def answered(_called, _returned, replies):
            outcome = self.outcome(replies[0])
            if outcome != "returned":
                self.ledger[outcome].append(number)
        return Call([("SET", ledger_key(self.id, number), number)], answered,
                    lambda _called: self.ledger["unknown"].append(number))

    def count_ledger(self):
        def answered(_called, _returned, replies):
            outcome = self.outcome(replies[0])
            self.ledger["counted"] += outcome == "returned"
            self.ledger["count_unknown"] += outcome == "unknown"

        def lost(_called):
            self.ledger["count_unknown"] += 1
        return Call([("INCR", counter_key(self.id))], answered, lost)


class Locker(RouterCaller):
    """Takes locks, holds them for a while, and gives most of them back."""

    def turn(self):
        if not self.connected(self.address, ANSWER_SECONDS):
            self.stopping.wait(THINK_SECONDS_MOST)
            return
        generation, owner = self.generation, f"owner{self.id}.{self.next_place()}"
        lock = self.random.choice(locks_of(generation))
        grant = []

        def acquired(called, returned, replies):
            if self.outcome(replies[0]) == "returned" and replies[0] is not None:
                grant.extend([replies[0][0], called, returned])
        self.exchange([Call([("LOCK", "ACQUIRE", lock, owner, "TTL", LOCK_TTL_MS)], acquired, lambda _: None)])
        self.stopping.wait(self.random.uniform(0, THINK_SECONDS_MOST))
        if not grant:
            return
        given_back = "-"
        if self.connection is not None and self.random.random() < 0.9:
            given_back = self.now()
            self.exchange([self.release(lock, owner, grant[1])])
        token, called, returned = grant
        self.recorder.write(generation,
                            f"grant {lock} {owner} {token} {called} {returned} {LOCK_TTL_MS * 1000} {given_back}")


    def release(self, lock, owner, asked_for):
        """Whoever is answered before the lock can have run out has held it."""
        def answered(_called, returned, replies):
            held = returned < asked_for + LOCK_CERTAIN_MS * 1000
            if self.outcome(replies[0]) == "returned" and replies[0] != 1 and (held or replies[0] != 0):
                self.complain(f"{owner} released {lock} {(returned - asked_for) / 1000:.0f} ms after it had asked for "
                              f"it, and was told {replies[0]}")
        return Call([("LOCK", "RELEASE", lock, owner)], answered, lambda _: None)


class NodeClient(Caller):
    """Reads at any node, as clients of a cluster do with replicas, and writes where it is sent to."""

    refusals = (*Caller.refusals, "MOVED")

    def turn(self):
        if self.connection is None or self.random.random() < 0.05:
            self.drop()
            self.connected(self.random.choice(self.plan.nodes), NODE_ANSWER_SECONDS)
        if self.connection is not None:
            kinds = ("get", "set", "set_ifeq", "getdel")
            self.ask(self.operation(self.random.choices(kinds, (70, 15, 10, 5))[0], self.some_value()))
        self.stopping.wait(self.random.uniform(0, THINK_SECONDS_MOST))

    def ask(self, call):
        called = self.now()
        words, = call.commands
        try:
            reply, = self.connection.pipeline([words])
            if str(reply).startswith("MOVED"):
                host, port = str(reply).split()[2].rsplit(":", 1)
                self.drop()
                if self.connected((host, int(port)), NODE_ANSWER_SECONDS):
                    reply, = self.connection.pipeline([words])
        except OSError:
            call.lost(called)
            self.drop()
            return
        call.answered(called, self.now(), [reply])


def main():
    plan = Plan(**json.loads(sys.argv[1]))
    recorder, teller = Recorder(plan), Teller()
    kinds = [Locker] * plan.lockers + [Worker] * (len(plan.routers) - plan.lockers)
    clients = [kind(plan, number, recorder, teller) for number, kind in enumerate(kinds)]
    clients.append(NodeClient(plan, len(clients), recorder, teller))
    for client in clients:
        client.start()

    def tell():
        generation = min(client.generation for client in clients)
        recorder.close_before(generation)  # before it is told that they are whole
        teller.tell(generation=generation, trouble=[client.trouble for client in clients if client.trouble])
    while not select.select([sys.stdin], [], [], TELL_SECONDS)[0]:
        tell()
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(2 * ANSWER_SECONDS)
    recorder.close_before(1 << 62)
    teller.tell(generation=1 << 62, trouble=[client.trouble for client in clients if client.trouble],
                ledgers=[client.ledger for client in clients if isinstance(client, Worker)])


if __name__ == "__main__":
    main()
