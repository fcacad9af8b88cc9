"""Who has a place in the ring. An absence near --repair-after-ms costs a node its place; nothing shorter may.

A node that was struck ends, is started again, and has the place of its earlier life: when the cluster is whole, nothing
of it is to be seen any more. So one has to look while the incident lasts.
"""

import threading
import time

REPAIR_AFTER_MS = 4000
KEPT_SECONDS = 3.0  # an absence below that, with what it takes to be noticed, is shorter than REPAIR_AFTER_MS
WATCH_SECONDS = 0.2


def placed_in(status):
    return {one["name"] for one in status["members"] if one["placed"]}


class Places:
    """What had a place when the cluster was last whole, and has to keep it. Used by two threads: one watches."""

    def __init__(self, cluster, board, always, clock=time.monotonic):
        self.cluster, self.board, self.clock = cluster, board, clock
        self.always = always  # nodes that are put back when they have no place, as an operator would
        self.lock = threading.Lock()
        self.known = set()
        self.open(())

    def open(self, moved):
        """An incident begins, in which these nodes may get and lose places as the operator wishes."""
        with self.lock:
            self.moved = set(moved)
            self.begun, self.lasted_seconds = self.clock(), None
            for node in self.cluster.role("node"):
                node.longest_down_seconds = 0.0

    def undone(self):
        """Whom the incident took away is there again, or comes with its next life."""
        self.lasted_seconds = self.clock() - self.begun

    def away_seconds(self):
        """No node has been away for longer in this incident."""
        elapsed = self.clock() - self.begun
        if self.lasted_seconds is None:
            return elapsed
        return min(elapsed, self.lasted_seconds + max(node.down_seconds() for node in self.cluster.role("node")))

    def remember(self, status):
        """The cluster is whole."""
        with self.lock:
            self.known = placed_in(status)

    def watch(self, stopping):
        while not stopping.wait(WATCH_SECONDS):
            asked = self.clock()
            status = self.cluster.status()
            if status:
                self.look(status, asked)

    def look(self, status, asked):
        with self.lock:
            lost = self.known - placed_in(status) - self.moved
            away_seconds = self.away_seconds()
            if asked < self.begun or not lost or away_seconds >= KEPT_SECONDS:
                return
            self.known -= lost  # it is told once
        self.board.violate(f"{' '.join(sorted(lost))} lost a place in the ring when nobody had been away for longer "
                           f"than {away_seconds:.1f} s: places are kept for {REPAIR_AFTER_MS / 1000} s")

    def put_back(self, status):
        """Asks for the places of those who are to have one, and have none: they are returned."""
        missing = [name for name in self.always if name not in placed_in(status)]
        for name in missing:
            self.cluster.ask("RING", "ADD", name)
        return missing
