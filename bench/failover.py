"""./dev bench failover: what clients see when something fails, when something is handed over and while slots move, in
Chainring and in Redis Cluster, in the same run and with the same client. Start it by run.sh.

docs/benchmarks.md says what the figures mean.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time

from clusters import SLOTS, Chainring, RedisCluster
from harness import RedisServer
from incidents import ALL, of_chainring, of_redis
from loader import Loader
from network import Network

HOSTS = 5
CLIENTS = 4  # index of their host
STEADY_SECONDS = 1.0        # that are watched before an incident
SETTLED_SECONDS = 3.0       # that are watched after an incident at least ...
QUIET_SECONDS_MOST = 0.2    # ... and until writes are acknowledged in each group again
RECOVERED_SECONDS_MOST = 60
POLL_SECONDS = 0.1
DEFAULT_TIMEOUT_MS, TUNED_TIMEOUT_MS = 15000, 1000
ROUTER_ATTEMPT_MS, NODE_ATTEMPT_MS = 10000, 250
FULL_LOAD_ATTEMPT_MS = 2000
FULL_LOAD_OUTSTANDING = 256
FULL_LOAD_STEADY_SECONDS = 5.0
MOVE_SECONDS_MOST = 3600
VALUE_BYTES = 64


def pause(seconds):
    threading.Event().wait(seconds)


class Results:
    """Rows of figures, one for each system, way, incident and group, with a list of what each round gave."""

    def __init__(self):
        self.rows = {}

    def add(self, key, figures):
        row = self.rows.setdefault(key, {})
        for name, value in figures.items():
            row.setdefault(name, []).append(value)


def milliseconds(micros):
    return f"{micros / 1000:,.0f}" if micros >= 10000 else f"{micros / 1000:.1f}"


class Bench:
    def __init__(self, options, network, directory):
        self.options, self.network, self.directory = options, network, directory
        self.failures, self.moves = Results(), Results()
        self.started = 0

    def fresh_directory(self):
        self.started += 1
        directory = os.path.join(self.directory, str(self.started))
        os.makedirs(directory)
        return directory

    def loaders(self, system, ways, keys, attempt_ms=None):
        """One for each way; not started."""
        made = []
        for number, (way, options) in enumerate(system.ways().items()):
            if way not in ways:
                continue
            attempt = attempt_ms or (ROUTER_ATTEMPT_MS if way == "router" else NODE_ATTEMPT_MS)
            made.append(Loader(way, self.network.hosts[CLIENTS], self.fresh_directory(), number, keys=keys,
                               attempt_ms=attempt, value_bytes=VALUE_BYTES, **options))
        return made

    def write_json(self):
        """What there is so far."""
        if not self.options.json:
            return
        with open(self.options.json, "w", encoding="utf-8") as file:
            json.dump({name: [{"of": key, **row} for key, row in results.rows.items()]
                       for name, results in (("failures", self.failures), ("moves", self.moves))}, file)

    # ---- failures and planned changes

    def play_incidents(self, system, incidents, number):
        system.start()
        try:
            loaders = self.loaders(system, ("router", "nodes"), self.options.keys)
            with contextlib.ExitStack() as running:
                for loader in loaders:
                    running.enter_context(loader).fill()
                for incident in incidents(self.network, system, number):
                    if self.options.incidents and incident.name not in self.options.incidents:
                        continue
                    print(f"  {system.name}: {incident.name}", file=sys.stderr, flush=True)
                    self.play(system, loaders, incident)
        finally:
            self.network.heal()
            system.end()

    def play(self, system, loaders, incident):
        before = system.places()
        for loader in loaders:
            loader.run(rate=self.options.rate // len(loaders))
        pause(STEADY_SECONDS / 2)
        for loader in loaders:
            loader.watch()
        pause(STEADY_SECONDS)
        incident.begin()
        self.wait_until_settled(loaders, incident, before)
        groups = incident.groups(before, system.places() if incident.planned else before)
        reports = [loader.report({**ALL, **groups}) for loader in loaders]
        incident.undo()
        system.wait_until_whole()
        for loader, report in zip(loaders, reports):
            checked = loader.check()
            for group in groups:
                figures = report["groups"][group]
                self.failures.add((system.name, loader.way, incident.name, group), {
                    "gap": figures["gap"], "p99": figures["write_times"]["p99"],
                    "longest": figures["write_times"]["longest"], "failed": figures["failed"],
                    "older": report["groups"]["all"]["older"], "writes": figures["writes"], "lost": checked["lost"],
                    "late": checked["late"],
                    "strange": checked["strange"], "examples": checked["examples"], "kinds": report["failures"]})

    def wait_until_settled(self, loaders, incident, before):
        """Until it is over and the writes of each group are acknowledged again."""
        began = time.monotonic()
        over_at = None
        while time.monotonic() - began < RECOVERED_SECONDS_MOST:
            pause(POLL_SECONDS)
            now = time.monotonic()
            if over_at is None and incident.done() and now - began > incident.seconds:
                over_at = now
            if over_at is not None and now - over_at > SETTLED_SECONDS:
                groups = incident.groups(before, before)
                if all(loader.quiet_seconds(slots) < QUIET_SECONDS_MOST
                       for slots in groups.values() for loader in loaders):
                    return

    # ---- slots that move under full load

    def play_moves(self, system, way):
        system.start()
        try:
            loader = self.loaders(system, (way,), self.options.move_keys,
                                  ROUTER_ATTEMPT_MS if way == "router" else FULL_LOAD_ATTEMPT_MS)[0]
            with loader:
                loader.fill()
                system.prepare_spare()
                loader.run(outstanding=FULL_LOAD_OUTSTANDING)
                pause(1)
                loader.watch()
                pause(FULL_LOAD_STEADY_SECONDS)
                steady = loader.report(ALL)
                self.play_move(system, loader, steady, "add a node", system.begin_add)
                self.play_move(system, loader, steady, "remove it", system.begin_remove)
        finally:
            system.end()

    def play_move(self, system, loader, steady, name, begin):
        print(f"  {system.name}, {loader.way}: {name}", file=sys.stderr, flush=True)
        before = system.places()
        loader.run(outstanding=FULL_LOAD_OUTSTANDING)
        pause(STEADY_SECONDS)
        loader.watch()
        began = time.monotonic()
        move = begin()
        while not move.ended():
            if time.monotonic() - began > MOVE_SECONDS_MOST:
                move.trouble.append("not done in time")
                break
            pause(POLL_SECONDS)
        seconds = time.monotonic() - began
        after = system.places()
        moved = {slot for slot in before if before[slot] != after[slot]}
        copies = sum(len(set(after[slot]) - set(before[slot])) for slot in moved)
        report = loader.report({**ALL, "moved": moved})
        if not report["complete"]:
            move.trouble.append(f"clients' figures are of the first {report['micros'] / 1e6:.0f} s only")
        checked = loader.check()
        of_all, of_moved, of_steady = report["groups"]["all"], report["groups"]["moved"], steady["groups"]["all"]
        self.moves.add((system.name, loader.way, name), {
            "seconds": seconds, "slots": len(moved), "copies": copies,
            "rate": copies * loader.keys / SLOTS * loader.value_bytes / seconds / 1e6,
            "steady": of_steady["writes"] / steady["micros"] * 1e6, "writes": of_all["writes"] / report["micros"] * 1e6,
            "moved_writes": of_moved["writes"] / report["micros"] * 1e6,
            "steady_p99": of_steady["write_times"]["p99"], "p99": of_moved["write_times"]["p99"],
            "longest": of_moved["write_times"]["longest"], "gap": of_moved["gap"], "failed": of_all["failed"],
            "older": of_all["older"], "lost": checked["lost"], "late": checked["late"],
            "strange": checked["strange"], "trouble": move.trouble, "kinds": report["failures"]})

    # ---- what came of it

    def print_failures(self):
        print(f"\nFailures and planned changes: {self.options.rate:,} operations a second, "
              f"{self.options.keys:,} keys of {VALUE_BYTES} bytes.\nTimes in ms, median (worst) of the rounds.\n")
        print_table(("system", "clients at", "incident", "slots", "rounds", "longest gap", "p99", "longest wait",
                     "errors", "lost", "older reads"),
                    [[*key, len(row["gap"]), spread(row["gap"]), spread(row["p99"]), spread(row["longest"]),
                      total(row["failed"]), total(row["lost"]), total(row["older"])]
                     for key, row in self.failures.rows.items()])

    def print_moves(self):
        print(f"\nSlots that move under full load: {self.options.move_keys:,} keys of {VALUE_BYTES} bytes, "
              f"{FULL_LOAD_OUTSTANDING} operations under way.\nTimes in ms, median (worst) of the rounds.\n")
        print_table(("system", "clients at", "change", "rounds", "copies of slots", "seconds", "MB/s",
                     "writes/s before", "meanwhile", "of these on moved slots", "p99 before", "p99", "longest wait",
                     "longest gap", "errors", "lost", "older reads"),
                    [[*key, len(row["seconds"]), middle(row["copies"]), middle(row["seconds"], 1),
                      middle(row["rate"], 1), middle(row["steady"]), middle(row["writes"]), middle(row["moved_writes"]),
                      spread(row["steady_p99"]), spread(row["p99"]), spread(row["longest"]), spread(row["gap"]),
                      total(row["failed"]), total(row["lost"]), total(row["older"])]
                     for key, row in self.moves.rows.items()])
        for key, row in self.moves.rows.items():
            for trouble in sum(row["trouble"], []):
                print(f"\n{', '.join(key)}: {trouble}")


def print_table(columns, rows):
    for cells in (columns, ["---"] * len(columns), *rows):
        print("| " + " | ".join(str(cell) for cell in cells) + " |")


def total(values):
    return f"{sum(values):,}"


def middle(values, digits=0):
    return f"{statistics.median(values):,.{digits}f}"


def spread(values):
    return f"{milliseconds(statistics.median(values))} ({milliseconds(max(values))})"


def fsync_ms(directory):
    """The median of what a small append with fsync costs there."""
    path, times = os.path.join(directory, "fsync"), []
    with open(path, "wb", buffering=0) as file:
        for _ in range(50):
            began = time.monotonic()
            file.write(b"x" * 512)
            os.fsync(file.fileno())
            times.append(time.monotonic() - began)
    os.unlink(path)
    return statistics.median(times) * 1000


def print_environment(directory):
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), "unknown")
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores ({model}), load {os.getloadavg()[0]:.1f}; "
          f"an fsync takes {fsync_ms(directory):.1f} ms; redis-server {RedisServer.version()}; {time.strftime('%F')}",
          flush=True)


def parse_options():
    parser = argparse.ArgumentParser(prog="./dev bench failover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of incidents (default: 20)")
    parser.add_argument("--slow-rounds", type=int, default=None,
                        help="of incidents of Redis Cluster with its default time-out (default: a quarter)")
    parser.add_argument("--move-rounds", type=int, default=3, help="of moving slots (default: 3)")
    parser.add_argument("--rate", type=int, default=4000, help="operations a second around incidents (default: 4000)")
    parser.add_argument("--keys", type=int, default=200_000, help="of each way around incidents (default: 200000)")
    parser.add_argument("--move-keys", type=int, default=1_000_000, help="while slots move (default: 1000000)")
    parser.add_argument("--systems", default="chainring,redis", help="chainring, redis or both (default), by commas")
    parser.add_argument("--incidents", help="only these, by commas; named as in the table")
    parser.add_argument("--quick", action="store_true", help="one round of each, and a tenth of the keys moves")
    parser.add_argument("--json", metavar="FILE", help="where each round's figures go, too")
    parser.add_argument("--logs", metavar="DIR", help="a directory to be made, where all logs are kept")
    options = parser.parse_args()
    options.systems = options.systems.split(",")
    if not set(options.systems) <= {"chainring", "redis"}:
        parser.error("--systems are chainring and redis")
    options.incidents = options.incidents.split(",") if options.incidents else []
    if options.quick:
        options.rounds, options.move_rounds = min(options.rounds, 1), min(options.move_rounds, 1)
        options.move_keys //= 10
    if options.slow_rounds is None:
        options.slow_rounds = (options.rounds + 3) // 4
    return options


def play_all(bench, options):
    network = bench.network

    def chainring():
        return Chainring(network, bench.fresh_directory())

    def redis(timeout_ms):
        return RedisCluster(network, bench.fresh_directory(), timeout_ms)

    for number in range(options.rounds):
        print(f"incidents, round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        if "chainring" in options.systems:
            bench.play_incidents(chainring(), of_chainring, number)
        if "redis" in options.systems:
            bench.play_incidents(redis(TUNED_TIMEOUT_MS), of_redis, number)
            if number < options.slow_rounds:
                bench.play_incidents(redis(DEFAULT_TIMEOUT_MS), of_redis, number)
        bench.write_json()
    for number in range(options.move_rounds):
        print(f"moves, round {number + 1} of {options.move_rounds}", file=sys.stderr, flush=True)
        if "chainring" in options.systems:
            bench.play_moves(chainring(), "router")
            bench.play_moves(chainring(), "nodes")
        if "redis" in options.systems:
            bench.play_moves(redis(DEFAULT_TIMEOUT_MS), "nodes")
        bench.write_json()


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, interrupt)  # the first process of a namespace would not notice it
    directory = options.logs or tempfile.mkdtemp(prefix="chainring-bench-")
    os.makedirs(directory, exist_ok=not options.logs)
    bench, ended = None, False
    try:
        print_environment(directory)
        bench = Bench(options, Network(HOSTS), directory)
        play_all(bench, options)
        ended = True
    finally:
        if bench:
            bench.print_failures()
            bench.print_moves()
            bench.write_json()
        if ended and not options.logs:
            shutil.rmtree(directory)
        else:
            print(f"logs are in {directory}", file=sys.stderr)


if __name__ == "__main__":
    main()
