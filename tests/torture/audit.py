"""Looks at what clients wrote: has each generation's histories judged, and counts everything when all is over."""

import os
import random
import subprocess
import threading

from clients import LOCK_TTL_MS, brief_keys, counter_key, keys_of, ledger_key, locks_of, operation_line
from harness import RedisError, wait_for
from long_command import long_strings

JUDGE = os.environ["JUDGE_BINARY"]
AUDITOR = 1_000_000  # its number as a client
BATCH = 500
BASE_BYTES_MOST = 400
PATIENCE_SECONDS = 60
ENDS_SECONDS = 15
LOCKED_SECONDS_MOST = LOCK_TTL_MS / 1000 + 2
GIVEN_UP_SHARE_MOST = 0.005  # of all keys: those that the judge gave up
BASE_COPIES_COMPARED = 20_000
EXPLANATION_MOST = 2000  # characters; the judge tells all, run on the files that are kept


def read_all(cluster, keys, board=None):
    """[(key, value, called, returned)] by GETs through a router, sent again until all are answered."""
    found = []
    for at in range(0, len(keys), BATCH):
        part = keys[at:at + BATCH]

        def ask(part=part):
            called = board.now() if board else 0
            replies = pipeline(cluster, [("GET", key) for key in part])
            if replies is None or any(isinstance(reply, RedisError) for reply in replies):
                return None
            returned = board.now() if board else 0
            return [(key, reply, called, returned) for key, reply in zip(part, replies)]
        found += wait_for("everything to be read", ask, PATIENCE_SECONDS, every=0.2)
    return found


def pipeline(cluster, commands):
    for router in cluster.role("router"):
        try:
            with router.client(timeout=15) as client:
                return client.pipeline(commands)
        except (OSError, RedisError):
            continue
    return None


def base_keys(count):
    """Keys that are there from the beginning and never change, so that there is something to move."""
    return {**{f"base:{i}": b"%d-" % i + b"x" * (i % BASE_BYTES_MOST) for i in range(count)}, **long_strings()}


def fill(cluster, count):
    wanted = list(base_keys(count).items())
    for at in range(0, len(wanted), BATCH):
        commands = [("SET", key, value) for key, value in wanted[at:at + BATCH]]
        wait_for("keys to be written", lambda: set(pipeline(cluster, commands) or ["none"]) == {"OK"}, PATIENCE_SECONDS)


class Auditor(threading.Thread):
    """Judges generations when all clients have left them; reads every key once more before, and remembers its value."""

    def __init__(self, cluster, board, directory, last_generation, seed):
        super().__init__(daemon=True)
        self.cluster, self.board, self.directory = cluster, board, directory
        self.random = random.Random(seed)
        self.last_generation = last_generation  # a function: all below are complete
        self.settled = {}     # key -> its value, which nothing that is still open can change
        self.unsettled = []
        self.locks = []
        self.places = 0
        self.next = 0
        self.trouble = None
        self.stopping = threading.Event()

    def run(self):
        try:
            while not self.stopping.is_set():
                if not self.judge_next():
                    self.stopping.wait(0.2)
        except Exception as error:
            self.trouble = f"the auditor: {type(error).__name__}: {error}"
            raise

    def files(self, generation):
        return [os.path.join(self.directory, name) for name in sorted(os.listdir(self.directory))
                if name.startswith(f"{generation}.")]

    def judge_next(self):
        """False when none is complete."""
        if self.next >= self.last_generation():
            return False
        generation, self.next = self.next, self.next + 1
        files = self.files(generation)
        if files:
            self.read_once_more(generation, files)
            self.locks += locks_of(generation)
            self.judge(generation, self.files(generation))
        return True

    def read_once_more(self, generation, files):
        unknown = set()
        for path in files:
            with open(path, encoding="utf-8") as file:
                unknown |= {line.split()[4] for line in file if line.startswith("op ") and " unknown " in line}
        with open(os.path.join(self.directory, f"{generation}.audit"), "w", encoding="utf-8") as file:
            brief = brief_keys(generation)
            for key, value, called, returned in read_all(self.cluster, keys_of(generation) + brief, self.board):
                self.places += 1
                result = None if value is None else value.decode()
                file.write(operation_line(AUDITOR, self.places, "get", self.judged_name(key), called, returned,
                                          "returned", result=result) + "\n")
                if key in brief:
                    continue
                if self.judged_name(key) in unknown:
                    self.unsettled.append(key)
                else:
                    self.settled[key] = value

    @staticmethod
    def judged_name(key):
        """Halves of a pair are one counter to the judge."""
        return key[1:key.index("}")] if key.startswith("{") else key

    def judge(self, generation, files):
        run = subprocess.run(["nice", JUDGE, *files], capture_output=True, text=True, check=False)
        *_, last = run.stdout.splitlines() or [""]
        if run.returncode not in (0, 1):
            raise RuntimeError(f"{JUDGE} ended with {run.returncode}: {run.stderr}")
        keys, operations, grants, _, unjudged = (int(part.split()[0]) for part in last.split(", "))
        self.board.judged_keys += keys
        self.board.judged_operations += operations
        self.board.grants += grants
        self.board.unjudged_keys += unjudged
        if run.returncode == 1:
            self.board.violate(f"generation {generation}, {self.directory}/{generation}.*:\n"
                               + run.stdout[:EXPLANATION_MOST])
            return
        for path in files:
            os.unlink(path)

    # ---- when all is over

    def check_everything(self, ledgers, base_count):
        """Everything acknowledged is there, and nothing else; all copies are the same."""
        base = base_keys(base_count)
        certain = {**self.settled, **base}
        values = {key: value for key, value, *_ in read_all(self.cluster, [*certain, *self.unsettled])}
        for key, value in certain.items():
            if values[key] != value:
                self.lost(f"{key} was {value} when nobody wrote it any more, and is {values[key]}")
        for ledger in ledgers:
            values.update(self.check_ledger(ledger))
        self.check_judged()
        self.check_locks()
        self.check_size(sum(value is not None for value in values.values()))
        self.compare_copies(values, base)

    def lost(self, what):
        self.board.lost_writes += 1
        self.board.violate(what)

    def check_ledger(self, ledger):
        client, unknown, refused = ledger["client"], set(ledger["unknown"]), set(ledger["refused"])
        keys = {ledger_key(client, number): number for number in range(1, ledger["written"] + 1)}
        found = {key: value for key, value, *_ in read_all(self.cluster, list(keys))}
        for key, value in found.items():
            if value == str(keys[key]).encode():
                if keys[key] in refused:
                    self.board.violate(f"{key} was refused and written nevertheless")
            elif value is not None or keys[key] not in unknown | refused:
                self.lost(f"{key} is {value}")
        (counter, value, *_), = read_all(self.cluster, [counter_key(client)])
        counted = int(value or 0)
        if counted < ledger["counted"]:
            self.lost(f"{counter} is {counted}, and {ledger['counted']} were acknowledged")
        if counted > ledger["counted"] + ledger["count_unknown"]:
            self.board.violate(f"{counter} is {counted}: {ledger['counted']} were acknowledged, "
                               f"{ledger['count_unknown']} are unknown")
        return {**found, counter: value}

    def check_judged(self):
        board = self.board
        if board.unjudged_keys > GIVEN_UP_SHARE_MOST * board.judged_keys:
            board.violate(f"the judge gave up {board.unjudged_keys} of {board.judged_keys} keys: "
                          "what clients saw of them is not explained")

    def check_locks(self):
        """Whoever was granted one and does not know has held it for long enough: everybody can have it now."""
        waiting = list(self.locks)

        def all_free():
            waiting[:] = [lock for at in range(0, len(waiting), BATCH)
                          for lock in self.not_granted(waiting[at:at + BATCH])]
            return not waiting
        try:
            wait_for("locks to be free", all_free, LOCKED_SECONDS_MOST, every=0.1)
        except AssertionError:
            self.board.violate(f"{len(waiting)} locks cannot be had {LOCKED_SECONDS_MOST} s after the last client "
                               f"ended, such as {waiting[0]}")

    def not_granted(self, locks):
        """Takes them, and gives them back at once."""
        calls = [call for lock in locks for call in (("LOCK", "ACQUIRE", lock, AUDITOR, "TTL", LOCK_TTL_MS),
                                                     ("LOCK", "RELEASE", lock, AUDITOR))]
        replies = pipeline(self.cluster, calls) or len(calls) * [None]
        for lock, granted, released in zip(locks, replies[::2], replies[1::2]):
            if isinstance(granted, list) and released != 1 and not isinstance(released, RedisError):
                self.board.violate(f"{lock} was granted and released at once, which was told {released}")
        return [lock for lock, granted in zip(locks, replies[::2]) if not isinstance(granted, list)]

    def check_size(self, expected):
        sizes = []

        def fits():
            sizes.append(self.cluster.ask("DBSIZE"))
            return sizes[-1] == expected
        try:
            wait_for("all locks and keys to end whose time is over", fits, ENDS_SECONDS)
        except AssertionError:
            self.board.violate(f"DBSIZE is {sizes[-1]}, and {expected} keys can be read")

    def compare_copies(self, values, base):
        """Reads at each node of their slots all keys that were written under faults, also those that are gone, and some
        of those that are there from the beginning."""
        unchanged = sorted(base)
        keys = sorted(values.keys() - base.keys())
        keys += self.random.sample(unchanged, min(len(unchanged), BASE_COPIES_COMPARED))
        copies = dict.fromkeys(keys, 0)
        for node in self.cluster.role("node"):
            for at in range(0, len(keys), BATCH):
                part = keys[at:at + BATCH]
                with node.client(timeout=15) as client:
                    for key, reply in zip(part, client.pipeline([("GET", key) for key in part])):
                        if isinstance(reply, RedisError):
                            continue
                        copies[key] += 1
                        if reply != values[key]:
                            self.board.violate(f"{key} is {reply} at {node.name}, and {values[key]} to routers")
        wanted = self.cluster.status()["copies"]
        short = [key for key in keys if copies[key] != wanted]
        if short:
            self.board.violate(f"{len(short)} keys are not at {wanted} nodes, such as {short[0]} at {copies[short[0]]}")
