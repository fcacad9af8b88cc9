"""The clusters that bench/failover.py compares, each on the same three hosts: Chainring with three copies, and Redis
Cluster with three masters and a replica of each on another host. A fourth host has the node that is added, a fifth the
clients and Chainring's router.

Each knows the places of a node in the slots' chains, and how to become whole again after an incident.
"""

import os
import subprocess

from harness import RedisError, RedisServer, wait_for
from processes import PASSWORD, Cluster, Server

SLOTS = 16384
WHOLE_SECONDS = 120
MASTER_PORT, REPLICA_PORT = 6379, 6380
REDIS_CLI_SECONDS = 3600
PLACES = ("head", "middle", "tail")


def all_places(client):
    """{slot: [(host, port) of its head, middle, tail]}, as CLUSTER SLOTS tells them."""
    return {slot: [(host.decode(), port) for host, port, *_ in servers]
            for first, last, *servers in client.call("CLUSTER", "SLOTS") for slot in range(first, last + 1)}


def places_of(server, places):
    """{"head": slots, "middle": ...} of one server."""
    found = {}
    for slot, servers in places.items():
        if (server.host.address, server.port) in servers:
            place = PLACES[servers.index((server.host.address, server.port))]
            found.setdefault(place, set()).add(slot)
    return found


class Move:
    """Slots on their way. `ended()` is to be polled; `trouble` says what went wrong."""

    def __init__(self, ended):
        self.ended, self.trouble = ended, []


class Chainring:
    name = "chainring"
    spare = "n4"
    copies = 3

    def __init__(self, network, directory):
        self.network, self.hosts = network, network.hosts
        self.cluster = Cluster(self.hosts, directory, routers=(self.hosts[4],))

    def start(self):
        self.cluster.start(name for name in self.cluster.members if name != self.spare)
        self.wait_until_whole()

    def end(self):
        self.cluster.end()

    def ways(self):
        """{way: options of a Loader}"""
        def addresses(members):
            return [f"{one.host.address}:{one.port}" for one in members]
        nodes = [node for node in self.cluster.role("node") if node.process]
        return {"router": {"servers": addresses(self.cluster.role("router")), "cluster": False, "password": PASSWORD},
                "nodes": {"servers": addresses(nodes), "cluster": True, "password": PASSWORD}}

    def wait_until_whole(self):
        wait_for("the cluster to be whole", self.cluster.is_whole, WHOLE_SECONDS, every=0.1)

    def leader(self):
        return self.cluster.members[self.cluster.status()["leader"]]

    def some_node(self, number):
        """One of those whose host does not carry the leader, another with another number."""
        host = self.leader().host
        nodes = [node for node in self.cluster.role("node")[:3] if node.host is not host]
        return nodes[number % len(nodes)]

    def node_beside(self, coordinator):
        return next(node for node in self.cluster.role("node") if node.host is coordinator.host)

    def places(self):
        with self.some_client() as client:
            return all_places(client)

    def some_client(self):
        return next(node for node in self.cluster.role("node") if node.process.poll() is None).client()

    def ask(self, *words):
        answer = self.cluster.ask("RING", *words)
        if answer is None or isinstance(answer, RedisError):
            raise RuntimeError(f"RING {' '.join(words)}: {answer}")

    # ---- moving slots

    def prepare_spare(self):
        """It registers and idles."""
        self.cluster.start([self.spare])
        self.wait_until_whole()

    def begin_add(self):
        self.ask("ADD", self.spare)
        return Move(self.change_ended)

    def begin_remove(self):
        self.ask("REMOVE", self.spare)
        return Move(self.change_ended)

    def change_ended(self):
        status = self.cluster.status()
        return bool(status) and status["reshard"]["state"] == "idle"


class RedisCluster:
    spare = "m4"
    copies = 2

    def __init__(self, network, directory, node_timeout_ms):
        self.name = f"redis cluster, {node_timeout_ms / 1000:g} s"
        self.hosts, self.directory, self.timeout_ms = network.hosts, directory, node_timeout_ms
        self.masters = [self.server(f"m{i + 1}", host, MASTER_PORT) for i, host in enumerate(self.hosts[:3])]
        self.replicas = [self.server(f"s{i + 1}", self.hosts[(i + 1) % 3], REPLICA_PORT) for i in range(3)]
        self.added = []  # the fourth master, and its replica

    def server(self, name, host, port):
        return RedisNode(name, host, port, self.directory, self.timeout_ms)

    def start(self):
        for server in (*self.masters, *self.replicas):
            server.start()
        for server in (*self.masters, *self.replicas):
            server.wait_until_up()
        self.manage("create", *(master.address for master in self.masters), "--cluster-yes")
        for master, replica in zip(self.masters, self.replicas):
            self.add_replica(replica, master)
        self.wait_until_whole()

    def add_replica(self, replica, master):
        self.manage("add-node", replica.address, master.address, "--cluster-slave", "--cluster-master-id", master.id())

    def end(self):
        for server in self.servers():
            if server.process:
                server.kill(0)

    def servers(self):
        return [*self.masters, *self.replicas, *self.added]

    @staticmethod
    def manage(*words):
        """redis-cli --cluster ...; raises with what it says when it fails."""
        done = subprocess.run(["redis-cli", "--cluster", *words], capture_output=True, text=True, check=False,
                              timeout=REDIS_CLI_SECONDS, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"redis-cli --cluster {' '.join(words)}: {(done.stdout + done.stderr).strip()[-300:]}")

    def ways(self):
        return {"nodes": {"servers": [server.address for server in self.masters], "cluster": True}}

    def wait_until_whole(self):
        wait_for("Redis Cluster to be whole", self.is_whole, WHOLE_SECONDS, every=0.2)

    def is_whole(self):
        """Hands back what was taken over, so that each incident finds the same places."""
        try:
            asked = False
            for master in self.masters:
                if master.field("role", "replication") == "slave":
                    if master.field("master_link_status", "replication") == "up":
                        master.ask("CLUSTER", "FAILOVER")
                    asked = True
            whole = not asked and all(server.field("cluster_state") == "ok" for server in self.servers())
            return whole and all(replica.field("master_link_status", "replication") == "up"
                                 for replica in self.replicas) and self.heads_are_masters()
        except (OSError, RedisError):
            return False

    def heads_are_masters(self):
        """As every server sees it."""
        wanted = {(master.host.address, master.port) for master in self.masters + self.added[:1]}
        for server in self.servers():
            with server.client() as client:
                seen = all_places(client)
            if {servers[0] for servers in seen.values()} - wanted or any(len(one) < 2 for one in seen.values()):
                return False
        return True

    def some_node(self, number):
        return self.masters[number % 3]

    def replica_of(self, master):
        return self.replicas[self.masters.index(master)]

    def places(self):
        with self.masters[0].client() as client:
            return all_places(client)

    # ---- moving slots

    def prepare_spare(self):
        """The processes run; joining them to the cluster is part of adding them."""
        self.added = [self.server(self.spare, self.hosts[3], MASTER_PORT),
                      self.server("s4", self.hosts[0], REPLICA_PORT + 1)]
        for server in self.added:
            server.start()
            server.wait_until_up()

    def begin_add(self):
        master, replica = self.added
        self.manage("add-node", master.address, self.masters[0].address)
        wait_for("everybody to know the new master", lambda: self.all_know(master), WHOLE_SECONDS)
        self.add_replica(replica, master)
        wait_for("everybody to know the new replica", lambda: self.all_know(replica), WHOLE_SECONDS)
        return Reshard(self.directory, [("all", master, SLOTS // 4)])

    def begin_remove(self):
        master = self.added[0]
        count = len(places_of(master, self.places())["head"])
        each = count // 3
        return Reshard(self.directory, [(master.id(), self.masters[0], each), (master.id(), self.masters[1], each),
                                        (master.id(), self.masters[2], count - 2 * each)])

    def all_know(self, server):
        name = server.id()
        for other in (*self.masters, *self.replicas):
            with other.client() as client:
                if name not in client.call("CLUSTER", "NODES").decode():
                    return False
        return True


class RedisNode(Server):
    def __init__(self, name, host, port, directory, timeout_ms):
        super().__init__(name, host, port, directory, lambda own: [
            "redis-server", "--port", str(port), "--bind", host.address, "--protected-mode", "no", "--save", "",
            "--appendonly", "no", "--dir", own, "--cluster-enabled", "yes", "--cluster-node-timeout", str(timeout_ms),
            "--repl-diskless-sync-delay", "0"])
        self.command = host.inside("bash", "-c", 'exec -a redis-server "$0" "$@"', RedisServer.PROGRAM,
                                   *self.command[self.command.index("redis-server") + 1:])
        self.address = f"{host.address}:{port}"

    def wait_until_up(self):
        def answers():
            try:
                return self.ask("PING") == "PONG"
            except (OSError, RedisError):
                return False
        wait_for(f"{self.name} to answer", answers, WHOLE_SECONDS)

    def ask(self, *words):
        with self.client() as client:
            return client.call(*words)

    def id(self):
        return self.ask("CLUSTER", "MYID").decode()

    def field(self, name, section=None):
        """Of CLUSTER INFO, or of a section of INFO."""
        text = self.ask("INFO", section) if section else self.ask("CLUSTER", "INFO")
        return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line).get(name)


class Reshard(Move):
    """redis-cli --cluster reshard, once for each (from, to, count)."""

    def __init__(self, directory, steps):
        super().__init__(self.has_ended)
        self.directory, self.steps, self.process = directory, list(steps), None
        self.next_step()

    def next_step(self):
        source, master, count = self.steps.pop(0)
        with open(os.path.join(self.directory, "reshard.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["redis-cli", "--cluster", "reshard", master.address, "--cluster-from", source, "--cluster-to",
                 master.id(), "--cluster-slots", str(count), "--cluster-yes"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def has_ended(self):
        status = self.process.poll()
        if status is None:
            return False
        if status != 0:
            self.trouble.append(f"redis-cli --cluster reshard ended with {status}")
        if not self.steps:
            return True
        self.next_step()
        return False
