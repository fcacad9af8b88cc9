"""What a run has seen: incidents, what clients saw during each, and what is wrong."""

import bisect
import dataclasses
import statistics
import threading
import time

import faults

SETTLED_SECONDS = 0.6  # clients tell what they saw within less
EXAMPLES_MOST = 5


@dataclasses.dataclass
class Window:
    """An incident, from its beginning until the next one's."""
    kind: str
    what: str
    begun: int              # microseconds, as the clients count
    whole_after: float = 0  # seconds
    ended: int = 1 << 62
    told: int = 0           # of its errors


def examples_of(errors):
    return "".join(f"\n           {text}" for text in sorted(set(errors))[:EXAMPLES_MOST])


class Board:
    """Used by the threads that read the clients, and by the one that judges."""

    def __init__(self, origin):
        self.origin = origin
        self.lock = threading.Lock()
        self.windows = [Window("none", "before the first incident", 0)]
        self.operations = 0
        self.errors, self.slow, self.lost = [], [], []
        self.violations = []
        self.lost_writes = 0
        self.judged_keys = self.judged_operations = self.unjudged_keys = self.grants = 0

    def now(self):
        return int((time.monotonic() - self.origin) * 1_000_000)

    def add_news(self, news):
        with self.lock:
            self.operations += news["operations"]
            self.errors += news["errors"]
            self.slow += news["slow"]
            self.lost += news["lost"]

    def violate(self, what):
        with self.lock:
            self.violations.append(what)
        print(f"[{self.clock()}] VIOLATION: {what}", flush=True)

    def clock(self):
        return f"{time.monotonic() - self.origin:6.1f} s"

    def open(self, kind, what, begun):
        self.windows[-1].ended = begun
        self.windows.append(Window(kind, what, begun))

    # ---- what a window saw

    def longest_waits_ms(self):
        """By window."""
        longest = [0] * len(self.windows)
        for called, returned in self.slow:
            at = self.window_of(called, returned)
            longest[at] = max(longest[at], (returned - called) / 1000)
        return longest

    def errors_by_window(self):
        """Replies that were errors, and connections that the router closed without having died."""
        found = [[] for _ in self.windows]
        for called, returned, text in self.errors:
            found[self.window_of(called, returned)].append(text)
        for called, returned in self.lost:
            if all(self.windows[at].kind != "kill router" for at in self.windows_of(called, returned)):
                found[self.window_of(called, returned)].append("the router closed the connection")
        return found

    def windows_of(self, called, returned):
        """The places of those in which a call was under way."""
        first = bisect.bisect_right(self.windows, called, key=lambda window: window.begun) - 1
        behind = bisect.bisect_left(self.windows, returned, key=lambda window: window.begun)
        return range(first, max(behind, first + 1))

    def window_of(self, called, returned):
        """The place of the one in which a call was under way for longest."""
        def shared(at):
            return min(self.windows[at].ended, returned) - max(self.windows[at].begun, called)
        return max(self.windows_of(called, returned), key=shared)

    def last_line(self):
        window = self.windows[-1]
        with self.lock:
            errors = self.errors_by_window()[-1]
            waited = self.longest_waits_ms()[-1]
            window.told = len(errors)
        return (f"[{self.clock()}] {window.kind + ':':22s} {window.what}; whole after {window.whole_after:.1f} s, "
                f"longest wait {waited:.0f} ms, {len(errors)} errors{examples_of(errors)}")

    # ---- sums

    def count_errors(self, single):
        with self.lock:
            return sum(len(errors) for window, errors in zip(self.windows, self.errors_by_window())
                       if (window.kind not in faults.APART) == single)

    def late_errors(self):
        """Of single incidents: those that came in after the incident's own line, and were not told since."""
        lines = []
        with self.lock:
            for window, errors in zip(self.windows[:-1], self.errors_by_window()):
                if window.kind in faults.APART or len(errors) <= window.told:
                    continue
                more = len(errors) - window.told
                lines.append(f"[{self.clock()}] {more} more errors in {window.kind} ({window.what}), "
                             f"begun at {window.begun / 1e6:.1f} s{examples_of(errors)}")
                window.told = len(errors)
        return "\n".join(lines)

    def progress(self):
        apart = self.count_errors(single=False)
        return (f"[{self.clock()}] {len(self.windows) - 1} incidents, {self.operations} operations, "
                f"{self.judged_operations} judged ({self.judged_keys} keys, {self.unjudged_keys} given up, "
                f"{self.grants} grants of locks), acknowledged writes lost: {self.lost_writes}, "
                f"violations: {len(self.violations)}, errors seen by router clients: {self.count_errors(single=True)} "
                f"({apart} in incidents that take more)")

    def table(self):
        all_errors, all_waits = self.errors_by_window(), self.longest_waits_ms()
        kinds = sorted({window.kind for window in self.windows[1:]}, key=list(faults.ALL).index)
        lines = [f"{'incident':22s} {'count':>5s} {'longest wait, ms':>18s}   {'whole again, s':>16s}   errors",
                 f"{'':22s} {'':5s} {'median':>9s} {'worst':>8s}   {'median':>8s} {'worst':>7s}"]
        for kind in kinds:
            places = [at for at, window in enumerate(self.windows) if window.kind == kind]
            windows = [self.windows[at] for at in places]
            waits = [all_waits[at] for at in places]
            wholes = [window.whole_after for window in windows]
            errors = [error for at in places for error in all_errors[at]]
            lines.append(f"{kind:22s} {len(windows):5d} {statistics.median(waits):9.0f} {max(waits):8.0f}   "
                         f"{statistics.median(wholes):8.1f} {max(wholes):7.1f}   {len(errors)}"
                         f"{' (apart)' if kind in faults.APART else ''}")
            if kind not in faults.APART:  # also those that came in after the window's own line
                lines += [f"    {text}" for text in sorted(set(errors))[:EXAMPLES_MOST]]
        return "\n".join(lines)
