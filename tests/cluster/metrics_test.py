"""/metrics and /healthz of every role, read as strictly as Prometheus' text format is written down."""

import http.client
import os
import re
import signal
import unittest

from harness import Cluster, RedisError, SharedCluster, wait_for

HTTP_OFFSET = 1000
DOCS = os.path.join(os.path.dirname(__file__), "../../docs/metrics.md")
# Each metric and who has it, from the page that is generated from the declarations.
DECLARED = re.compile(r"^\| `(chainring_\w+)` \| (\w+) \| ([\w ]*) \| (all|node|router|coordinator) \|", re.MULTILINE)


def get(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


LABEL = r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"([a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\d+(?:\.\d+)?)")


def parse(text):
    """({metric: type}, [(sample name, labels, value)]). Each metric has HELP, TYPE and then all its samples."""
    types, samples, current = {}, [], None
    if not text.endswith("\n"):
        raise AssertionError("the last line does not end")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            if current in types:
                raise AssertionError(f"{current} comes twice")
            types[current] = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name != current or types[name] is not None or kind not in ("counter", "gauge", "histogram"):
                raise AssertionError(line)
            types[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            suffixes = ("_bucket", "_sum", "_count") if types.get(current) == "histogram" else ("",)
            if not match or match.group(1) not in [current + suffix for suffix in suffixes]:
                raise AssertionError(f"not a sample of {current}: {line}")
            labels = dict(re.findall(LABEL, match.group(2) or ""))
            samples.append((match.group(1), labels, float(match.group(7))))
    keys = [(name, tuple(labels.items())) for name, labels, _ in samples]
    if len(set(keys)) != len(keys):
        raise AssertionError("a sample comes twice")
    return types, samples


def value(text, name, **labels):
    """The sum of the samples of this name that have these labels."""
    found = [number for sample, its, number in parse(text)[1] if sample == name and labels.items() <= its.items()]
    if not found:
        raise AssertionError(f"no sample {name} {labels}")
    return sum(found)


class Metrics(SharedCluster):
    def http_port(self, name):
        return self.cluster.endpoints()[name][1] + HTTP_OFFSET

    def metrics(self, name):
        status, headers, text = get(self.http_port(name), "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        return text

    def test_every_role_tells_what_is_declared_of_it_and_nothing_else(self):
        with open(DOCS, encoding="utf-8") as page:
            declared = DECLARED.findall(page.read())
        with self.cluster.client() as client, self.cluster.client("n1") as at_node, self.cluster.client("c1") as at_c1:
            client.call("SET", "key", "value")
            for one in (client, at_node, at_c1):
                one.call("PING")
                self.assertIsInstance(one.pipeline([["GET"]])[0], RedisError)
        leader = next(name for name in ("c1", "c2", "c3")
                      if value(self.metrics(name), "chainring_coordinator_leads") == 1)
        with self.cluster.client(leader) as client:
            self.assertIsInstance(client.pipeline([["GET"]])[0], RedisError)
            client.call("PING")
        head = next(name for name in ("n1", "n2", "n3")
                    if "chainring_node_requests_total{" in self.metrics(name))
        with self.cluster.client(head) as client:
            self.assertIsInstance(client.pipeline([["GET"]])[0], RedisError)
            client.call("PING")
        for role, name in (("router", "r1"), ("node", head), ("coordinator", leader)):
            with self.subTest(role=role):
                wanted = {metric: kind for metric, kind, _, of in declared if of in ("all", role)}
                self.assertEqual(parse(self.metrics(name))[0], wanted)

    def test_what_was_done_is_counted_where_it_was_done(self):
        def routed():
            return sum(value(text, "chainring_node_requests_total", command="set")
                       for text in map(self.metrics, ("n1", "n2", "n3"))
                       if 'chainring_node_requests_total{command="set"}' in text)

        before = routed()
        with self.cluster.client() as client:
            for number in range(100):
                client.call("SET", f"key-{number}", "v" * 100)
            client.call("SET", "lock:metrics", "me", "NX", "PX", "60000")
            router = self.metrics("r1")
            self.assertEqual(value(router, "chainring_clients"), 1)
        self.assertGreaterEqual(value(router, "chainring_commands_total", command="set"), 101)
        self.assertGreaterEqual(value(router, "chainring_command_duration_seconds_count"), 101)
        self.assertEqual(value(router, "chainring_router_slots_served"), 16384)
        self.assertEqual(value(router, "chainring_router_node_link_up"), 3)
        nodes = [self.metrics(name) for name in ("n1", "n2", "n3")]
        self.assertEqual(routed() - before, 100)
        self.assertGreaterEqual(sum(value(text, "chainring_node_keys") for text in nodes), 100)
        self.assertEqual(sum(value(text, "chainring_node_slots", place="head") for text in nodes), 16384)
        self.assertEqual(sum(value(text, "chainring_node_slots", place="follower") for text in nodes), 2 * 16384)
        self.assertEqual(sum(value(text, "chainring_node_records_sent_total") for text in nodes),
                         sum(value(text, "chainring_node_records_applied_total") for text in nodes))
        self.assertTrue(all(value(text, "chainring_node_lease_left_seconds") > 0 for text in nodes))
        coordinators = [self.metrics(name) for name in ("c1", "c2", "c3")]
        leaders = [text for text in coordinators if value(text, "chainring_coordinator_leads") == 1]
        self.assertEqual(len(leaders), 1)
        self.assertEqual(value(leaders[0], "chainring_coordinator_slots", state="served"), 16384)
        self.assertEqual(value(leaders[0], "chainring_coordinator_members", state="up"), 3)
        self.assertGreaterEqual(value(leaders[0], "chainring_coordinator_lock_grants_total"), 1)
        self.assertGreater(value(leaders[0], "chainring_coordinator_disk_sync_duration_seconds_count"), 0)

    def test_only_get_and_head_of_two_pages(self):
        port = self.http_port("r1")
        self.assertEqual(get(port, "/healthz")[::2], (200, "ok\n"))
        status, headers, body = get(port, "/metrics", "HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)
        self.assertEqual(get(port, "/")[0], 404)
        status, headers, _ = get(port, "/metrics", "POST")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))


class Health(unittest.TestCase):
    def test_health_follows_what_can_be_served(self):
        with Cluster("--no-restart") as cluster:
            ports = {name: port + HTTP_OFFSET for name, (_, port) in cluster.endpoints().items()}
            for name, port in ports.items():
                wait_for(f"{name} to be healthy", lambda port=port: get(port, "/healthz")[::2] == (200, "ok\n"))
            for name in ("c1", "c2"):  # the third alone can neither lead nor renew a lease
                os.kill(cluster.pid(name), signal.SIGKILL)

            def reason(name):
                status, _, text = get(ports[name], "/healthz")
                return text if status == 503 else None

            self.assertEqual(wait_for("n1 to lose its lease", lambda: reason("n1")), "this node has no lease\n")
            self.assertEqual(wait_for("c3 to know no leader", lambda: reason("c3")),
                             "this coordinator knows no leader\n")
            self.assertEqual(wait_for("r1 to miss the leader", lambda: reason("r1")),
                             "this router has no link to a leading coordinator\n")


if __name__ == "__main__":
    unittest.main()
