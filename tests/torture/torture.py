"""./dev torture: a cluster of real processes on hosts that are network namespaces, clients that write down what they
see, and one incident after another. Start it by run.sh.

Exits 1 when anything acknowledged was lost, a history cannot be explained, a client of a router saw an error that it
should not see, a process ended by itself, or the cluster did not become whole again; then logs and histories are kept.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import faults
from audit import Auditor, fill
from board import SETTLED_SECONDS, Board
from clients import Plan
from harness import wait_for
from network import HERE, Network
from places import REPAIR_AFTER_MS, Places
from processes import Cluster

HOSTS = 4
CLIENT_PROCESSES = 3
CLIENTS_EACH = 4  # on routers; one more goes to nodes itself
WHOLE_SECONDS = 90
PROGRESS_SECONDS = 60
TEND_SECONDS = 0.05
ENDING_SECONDS = 60
JUDGED_SECONDS = 600


class ClientProcess:
    """One process of clients, and the thread that reads what it tells."""

    def __init__(self, plan, board):
        self.name = f"clients {plan.number}"
        self.board = board
        self.complete_below = 0  # generations
        self.trouble = []
        self.ledgers = None
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "clients.py"), json.dumps(vars(plan))],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            news = json.loads(line)
            self.board.add_news(news)
            self.trouble = news["trouble"]
            self.ledgers = news.get("ledgers")
            self.complete_below = news["generation"]
        if self.ledgers is None:
            self.trouble = self.trouble or ["a process of clients ended"]

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(ENDING_SECONDS)
        self.reader.join(ENDING_SECONDS)


class Torture:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.random = random.Random(options.seed)
        self.network = Network(HOSTS)
        hosts = self.network.hosts
        self.cluster = Cluster(hosts, directory, routers=(hosts[0], hosts[3]), small_disks=True,
                               group=("--repair-after-ms", str(REPAIR_AFTER_MS)))
        self.clients = []
        self.world = faults.World(self.network, self.cluster, self.random, self.clients)
        self.board = Board(time.monotonic())
        self.places = Places(self.cluster, self.board, faults.BASE_NODES)
        self.auditor = None
        self.stopping = threading.Event()
        self.tender = threading.Thread(target=self.tend, daemon=True)
        self.watcher = threading.Thread(target=self.places.watch, args=(self.stopping,), daemon=True)

    def tend(self):
        while not self.stopping.wait(TEND_SECONDS):
            for member in self.cluster.members.values():
                wrong = member.tend() if member.process else None
                if wrong:
                    self.board.violate(wrong)

    def run(self):
        self.start()
        until = time.monotonic() + self.options.minutes * 60
        told_at = time.monotonic()
        for kind in faults.deck(self.random, self.options.kinds):
            if time.monotonic() > until:
                self.finish()
                break
            if not self.incident(kind):
                break
            if time.monotonic() - told_at > PROGRESS_SECONDS:
                told_at = time.monotonic()
                print(self.board.progress(), flush=True)
        self.tell_all()
        return 1 if self.board.violations or self.board.count_errors(single=True) else 0

    def tell_all(self):
        print(self.board.table())
        print(self.board.progress(), flush=True)

    def start(self):
        self.cluster.start(name for name in self.cluster.members if name != faults.SPARE)
        self.tender.start()
        wait_for("a table", lambda: (self.cluster.status() or {"slots": {}})["slots"].get("served") == 16384,
                 WHOLE_SECONDS)
        self.cluster.start([faults.SPARE])
        self.places.remember(wait_for("a whole cluster", self.cluster.is_whole, WHOLE_SECONDS))
        fill(self.cluster, self.options.keys)
        histories = os.path.join(self.directory, "histories")
        os.makedirs(histories)
        routers = [[router.host.address, router.port] for router in self.cluster.role("router")]
        nodes = [[node.host.address, node.port] for node in self.cluster.role("node")]
        self.board.origin = time.monotonic()
        for number in range(CLIENT_PROCESSES):
            plan = Plan(number=number, seed=self.options.seed, origin=self.board.origin, directory=histories,
                        routers=[routers[client % len(routers)] for client in range(CLIENTS_EACH)], nodes=nodes)
            self.clients.append(ClientProcess(plan, self.board))
        self.auditor = Auditor(self.cluster, self.board, histories,
                               lambda: min(client.complete_below for client in self.clients), self.options.seed)
        self.auditor.start()
        self.watcher.start()
        wait_for("clients at work", lambda: self.board.operations > 100, WHOLE_SECONDS)

    def incident(self, kind):
        """False when there is no point in going on."""
        begun = time.monotonic()
        self.board.open(kind, kind, self.board.now())
        window = self.board.windows[-1]
        self.places.open({faults.SPARE} if kind in faults.RESHAPING else ())
        incident = faults.ALL[kind](self.world)
        window.what = incident.what
        self.stopping.wait(incident.seconds)
        incident.undo()
        undone = time.monotonic()
        self.places.undone()
        window.what = incident.what
        if incident.wrong:
            self.board.violate(incident.wrong)
        whole = self.wait_until_whole(window)
        window.whole_after = time.monotonic() - undone
        self.stopping.wait(max(SETTLED_SECONDS, self.options.pause - (time.monotonic() - begun)))
        print(self.board.last_line(), flush=True)
        if late := self.board.late_errors():
            print(late, flush=True)
        if not whole:
            self.board.violate(f"not whole again {WHOLE_SECONDS} s after {kind}: {window.what}: "
                               f"{json.dumps(self.cluster.status())}")
            return False
        for trouble in (*(text for client in self.clients for text in client.trouble), self.auditor.trouble):
            if trouble:
                raise RuntimeError(trouble)
        return True

    def wait_until_whole(self, window):
        """Puts nodes back into the ring that lost their place, as an operator would."""
        put_back = set()

        def whole():
            status = self.cluster.is_whole()
            if not status:
                return False
            missing = self.places.put_back(status)
            put_back.update(missing)
            if not missing:
                self.places.remember(status)
            return not missing
        try:
            return wait_for("the cluster to be whole", whole, WHOLE_SECONDS, every=0.1)
        except AssertionError:
            return False
        finally:
            window.what += "".join(f", {name} put back" for name in sorted(put_back))

    def finish(self):
        for client in self.clients:
            client.stop()
        wait_for("everything to be judged", lambda: self.auditor.next >= self.generations() or self.auditor.trouble,
                 JUDGED_SECONDS)
        self.auditor.stopping.set()
        self.auditor.join(ENDING_SECONDS)
        if self.auditor.trouble:
            raise RuntimeError(self.auditor.trouble)
        self.auditor.check_everything([ledger for client in self.clients for ledger in client.ledgers],
                                      self.options.keys)

    def generations(self):
        """How many there were: a history of each is on disk until it is judged."""
        left = [int(name.split(".")[0]) for name in os.listdir(self.auditor.directory)]
        return max(left, default=-1) + 1 if any(number >= self.auditor.next for number in left) else 0


def parse_options():
    parser = argparse.ArgumentParser(prog="./dev torture", description="Real processes under faults.")
    parser.add_argument("--minutes", type=float, default=5, help="how long incidents are made (default: 5)")
    parser.add_argument("--seed", type=int, default=None, help="draws the incidents and what clients call")
    parser.add_argument("--kinds", default=",".join(faults.ALL),
                        help="kinds of incidents, separated by commas; all are: " + ", ".join(faults.ALL))
    parser.add_argument("--keys", type=int, default=50_000, help="how many keys are there from the beginning")
    parser.add_argument("--pause", type=float, default=0, metavar="SECONDS", help="least time between two incidents")
    parser.add_argument("--keep", action="store_true", help="keep logs and histories in any case")
    options = parser.parse_args()
    options.kinds = options.kinds.split(",")
    unknown = [kind for kind in options.kinds if kind not in faults.ALL]
    if unknown:
        parser.error(f"there is no kind of incident {unknown[0]!r}")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1, 1 << 31)
    return options


def main():
    def interrupt(*_):
        for number in (signal.SIGTERM, signal.SIGINT):  # once is enough
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    options = parse_options()
    directory = tempfile.mkdtemp(prefix="chainring-torture-")
    print(f"seed {options.seed}, {options.minutes} minutes, logs and histories in {directory}", flush=True)
    torture, status = Torture(options, directory), 1
    try:
        status = torture.run()
    except KeyboardInterrupt:
        print("interrupted")
        torture.tell_all()
    finally:
        torture.stopping.set()
        torture.cluster.end()
        if status == 0 and not options.keep:
            shutil.rmtree(directory)
        else:
            print(f"kept: {directory}; again: ./dev torture --minutes {options.minutes} --seed {options.seed}",
                  flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
