"""Throughput of a local cluster through its router, beside one redis-server, in alternating rounds.

Prints the environment, each side's median with its spread, and the ratio. Both sides get the same redis-benchmark.
"""

import argparse
import csv
import io
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "cluster"))
import machine  # noqa: E402
from harness import Cluster, RedisServer  # noqa: E402

TESTS = "set,get,incr,mset"
PIPELINES = (1, 16)


def run_benchmark(port, requests, pipeline):
    """{test: requests per second}."""
    run = subprocess.run(["redis-benchmark", "-p", str(port), "-t", TESTS, "-n", str(requests), "-c", "50",
                          "-P", str(pipeline), "-r", "100000", "-d", "64", "--csv"],
                         capture_output=True, text=True, timeout=600, check=True)
    return {row["test"]: float(row["rps"]) for row in csv.DictReader(io.StringIO(run.stdout))}


def environment():
    print(f"{machine.describe()}; "
          f"redis-server {RedisServer.version()}, 50 connections, 64-byte values, 100,000 keys")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=200_000)
    options = parser.parse_args()
    environment()
    figures = {}
    with RedisServer() as redis, Cluster() as cluster:
        for round_number in range(1, options.rounds + 1):
            for pipeline in PIPELINES:
                for side, port in (("redis", redis.port), ("chainring", cluster.port)):
                    print(f"round {round_number} of {options.rounds}, pipeline {pipeline}, {side}", file=sys.stderr)
                    requests = options.requests if pipeline > 1 else options.requests // 4
                    for test, rate in run_benchmark(port, requests, pipeline).items():
                        figures.setdefault((pipeline, test), {}).setdefault(side, []).append(rate)
    print(f"{'pipeline':>8}  {'test':<20} {'redis-server':>22} {'chainring, 3 copies':>24} {'ratio':>6}")
    for (pipeline, test), sides in figures.items():
        texts, medians = [], []
        for side in ("redis", "chainring"):
            rates = sides[side]
            medians.append(statistics.median(rates))
            texts.append(f"{medians[-1]:,.0f} ({min(rates):,.0f}-{max(rates):,.0f})")
        print(f"{pipeline:>8}  {test[:20]:<20} {texts[0]:>22} {texts[1]:>24} {medians[1] / medians[0]:>6.2f}")


if __name__ == "__main__":
    main()
