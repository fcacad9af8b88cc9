"""A command that keeps a node for seconds: a transaction of LCS over two long strings, as often as it takes.

Nothing in it yields, so the head of its slot loses its lease. Sent again it keeps the next head as long, and its client
is told at last that nobody knows what became of it (R13). It writes what was there before, so whether it ran makes no
difference to what is counted at the end.
"""

import math
import threading
import time

from harness import RedisError

PAIRS = 8
STRING_BYTES = 11_000  # 121 million steps for two of them; the product takes 134 million at most
TIMES_MOST = 200
ANSWER_SECONDS = 30.0


def pair(number):
    return "{long:%d}left" % number, "{long:%d}right" % number


def long_strings():
    """All of them; they never change."""
    return {key: bytes(97 + i * i * factor % 26 for i in range(STRING_BYTES))
            for number in range(PAIRS) for factor, key in enumerate(pair(number), start=5)}


def times_for(seconds, once_seconds):
    return min(TIMES_MOST, math.ceil(seconds / max(once_seconds, seconds / TIMES_MOST)))


class LongCommand(threading.Thread):
    """One that is under way from the beginning on."""

    def __init__(self, cluster, router, number, seconds):
        super().__init__(daemon=True)
        self.router, self.keys = router, pair(number)
        begun = time.monotonic()
        cluster.ask("LCS", *self.keys, "LEN")
        self.times = times_for(seconds, time.monotonic() - begun)
        self.answer = None
        self.took_seconds = 0.0
        self.start()

    def run(self):
        begun = time.monotonic()
        unchanged = (self.keys[0], long_strings()[self.keys[0]])
        try:
            with self.router.client(timeout=ANSWER_SECONDS) as client:
                *_, self.answer = client.pipeline([("MULTI",), ("SET", *unchanged),
                                                   *[("LCS", *self.keys, "LEN")] * self.times, ("EXEC",)])
        except OSError as error:
            self.answer = error
        self.took_seconds = time.monotonic() - begun

    def judge(self):
        """(what became of it, what is wrong with that or None), when it is over."""
        self.join()
        answer = self.answer
        if isinstance(answer, list) and len(answer) == self.times + 1 and len(set(answer[1:])) == 1:
            return f"answered after {self.took_seconds:.1f} s", None
        told = f"told after {self.took_seconds:.1f} s: {answer}"
        unknown = isinstance(answer, RedisError) and str(answer).startswith("TIMEOUT")
        return told, None if unknown else f"a command that takes long was {told}"
