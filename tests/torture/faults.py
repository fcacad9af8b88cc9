"""What goes wrong on purpose: one incident at a time, drawn from a seed.

An incident that takes one node, coordinator, client, connection or change of the ring is *single*: no client of a
router may see an error because of it (docs/consistency.md). Of others (a router dies or is cut off, two nodes die or
are kept from their leases one after the other, all coordinators freeze or are cut off) errors are counted apart; what
was acknowledged counts all the same.
"""

import dataclasses
import signal
import threading

from long_command import PAIRS, LongCommand
from network import Wire
from processes import PORTS

BASE_NODES = ("n1", "n2", "n3")  # always to be in the ring
SPARE = "n4"
STOP_SECONDS_MOST = 40
ASLEEP_SECONDS, AWAKE_SECONDS = 0.099, 0.001  # by turns, of one that is slow
LONG_SECONDS = 3.0  # of a command


@dataclasses.dataclass
class Incident:
    what: str
    seconds: float = 0.0  # before it is undone
    undo: object = lambda: None
    wrong: object = None  # a text: what was seen to be wrong, known when it is undone


class World:
    """What an incident is made of."""

    def __init__(self, network, cluster, random, clients):
        self.network, self.cluster, self.random, self.clients = network, cluster, random, clients
        self.hosts = network.hosts

    def members_in_ring(self):
        status = self.cluster.status() or {"members": []}
        names = [one["name"] for one in status["members"] if one["state"] == "up" and one["placed"]]
        return sorted(set(names)) or list(BASE_NODES)

    def some_node(self):
        return self.cluster.members[self.random.choice(self.members_in_ring())]

    def some_coordinator(self):
        """The leader as often as another."""
        leader = (self.cluster.status() or {}).get("leader")
        if leader and self.random.random() < 0.5:
            return self.cluster.members[leader]
        return self.random.choice(self.cluster.role("coordinator"))

    def freeze(self, what, members, seconds):
        for member in members:
            member.signal(signal.SIGSTOP)

        def thaw():
            for member in members:
                member.signal(signal.SIGCONT)
        return Incident(f"{what} {' '.join(member.name for member in members)}", seconds, thaw)

    def slow_down(self, member, seconds):
        """It runs for a hundredth of the time."""
        over = threading.Event()

        def alternate():
            while not over.is_set():
                member.signal(signal.SIGSTOP)
                over.wait(ASLEEP_SECONDS)
                member.signal(signal.SIGCONT)
                over.wait(AWAKE_SECONDS)
        alternating = threading.Thread(target=alternate, daemon=True)
        alternating.start()

        def undo():
            over.set()
            alternating.join()
        return Incident(f"slow {member.name}", seconds, undo)

    def between(self, a, b, wire, both=True):
        self.network.set({(a, b): wire} | ({(b, a): wire} if both else {}))

    def seconds(self, least, most):
        return round(self.random.uniform(least, most), 2)


def kill_node(world):
    node = world.some_node()
    node.kill(world.seconds(0.2, 2))
    return Incident(f"kill {node.name}")


def lose_node(world):
    """It is away for so long that it loses its place."""
    node = world.some_node()
    node.kill(7)
    return Incident(f"lose {node.name} for 7 s", 7)


def kill_coordinator(world):
    coordinator = world.some_coordinator()
    coordinator.kill(world.seconds(0.2, 3))
    return Incident(f"kill {coordinator.name}")


def stop_coordinator(world):
    """In order: one that leads hands over first."""
    return stop(world.some_coordinator())


def stop(member):
    life = member.process
    member.signal(signal.SIGTERM)
    return Incident(f"stop {member.name}", undo=lambda: life.wait(STOP_SECONDS_MOST))


def kill_router(world):
    router = world.random.choice(world.cluster.role("router"))
    router.kill(0.5)
    return Incident(f"kill {router.name}")


def drain_node(world):
    return stop(world.some_node())


def kill_host(world):
    """A node and a coordinator at once, perhaps a head and the leader."""
    host = world.random.choice(world.hosts[1:3])
    victims = [member for member in world.cluster.members.values() if member.host is host]
    for member in victims:
        member.kill(world.seconds(0.2, 2))
    return Incident(f"kill {' '.join(member.name for member in victims)}")


def kill_two_nodes(world):
    """One copy is left, if chains have three."""
    status = world.cluster.status()
    if not status or status["copies"] < 3:
        return Incident("kill two nodes: there are two copies only")
    victims = [world.cluster.members[name] for name in world.random.sample(world.members_in_ring(), 2)]
    for member in victims:
        member.kill(world.seconds(0.2, 2))
    return Incident(f"kill {' '.join(member.name for member in victims)}")


def freeze_node(world):
    return world.freeze("freeze", [world.some_node()], world.seconds(0.2, 3))


def freeze_coordinator(world):
    return world.freeze("freeze", [world.some_coordinator()], world.seconds(0.2, 3))


def freeze_router(world):
    return world.freeze("freeze", [world.random.choice(world.cluster.role("router"))], world.seconds(0.2, 1.5))


def freeze_client(world):
    """A process of several, perhaps with locks, for longer than these last: no fault of the cluster's at all."""
    return world.freeze("freeze", [world.random.choice(world.clients)], world.seconds(0.5, 4))


def freeze_coordinators(world):
    """To the nodes the same as being cut from all of them; they themselves count nobody's time meanwhile."""
    return world.freeze("freeze", world.cluster.role("coordinator"), 2)


def cut_coordinators(world):
    """From all nodes. They go on, and hear each other and the routers: so to both sides all leases run out."""
    world.network.cut_from_port(PORTS["coordinator"], {node.process.pid for node in world.cluster.role("node")})
    return Incident("all nodes cut from the coordinators", 2, world.network.heal)


def slow_node(world):
    return world.slow_down(world.some_node(), world.seconds(1.5, 2.5))


def slow_coordinator(world):
    return world.slow_down(world.some_coordinator(), world.seconds(1.5, 2.5))


def long_command(world):
    """It takes two nodes, one after the other."""
    router = world.random.choice(world.cluster.role("router"))
    command = LongCommand(world.cluster, router, world.random.randrange(PAIRS), LONG_SECONDS)
    incident = Incident(f"{command.times} LCS by {router.name}")

    def end():
        told, incident.wrong = command.judge()
        incident.what += f", {told}"
    incident.undo = end
    return incident


def cut_host(world):
    host = world.random.choice(world.hosts[1:3])
    way = world.random.choice(("cut off", "deaf", "mute"))
    world.network.around(host, Wire(cut=True), inward=way != "mute", outward=way != "deaf")
    return Incident(f"{host.name} {way}", world.seconds(0.5, 4), world.network.heal)


def cut_router_host(world):
    host = world.random.choice((world.hosts[0], world.hosts[3]))
    world.network.around(host, Wire(cut=True))
    return Incident(f"{host.name} cut off", world.seconds(0.5, 3), world.network.heal)


def cut_link(world):
    """Between two members of most chains."""
    a, b = world.random.sample(world.hosts[:3], 2)
    both = world.random.random() < 0.5
    world.between(a, b, Wire(cut=True), both)
    return Incident(f"{a.name} {'and' if both else 'hears nothing of'} {b.name}{' cut' if both else ''}",
                    world.seconds(0.5, 3), world.network.heal)


def break_connections(world):
    a, b = world.random.sample(world.hosts[:3], 2)
    world.between(a, b, Wire(reset=True))
    return Incident(f"connections of {a.name} and {b.name} broken", 0.05, world.network.heal)


def lose_packets(world):
    host, share = world.random.choice(world.hosts[:3]), round(world.random.uniform(0.005, 0.05), 3)
    world.network.around(host, Wire(loss=share))
    return Incident(f"{host.name} loses {100 * share:.1f} % of packets", world.seconds(1, 4), world.network.heal)


def delay_packets(world):
    host, delay = world.random.choice(world.hosts[:3]), world.random.randint(2, 20)
    world.network.around(host, Wire(delay_ms=delay, jitter_ms=delay // 2), outward=False)
    return Incident(f"packets to {host.name} {delay} ms late", world.seconds(1, 4), world.network.heal)


def fill_disk(world):
    return fill_disks(world, [world.some_coordinator()])


def fill_all_disks(world):
    return fill_disks(world, world.cluster.role("coordinator"))


def fill_disks(world, coordinators):
    """They end when they cannot write, and are started again until they can."""
    for coordinator in coordinators:
        world.cluster.disks[coordinator.name].fill()

    def free():
        for coordinator in coordinators:
            world.cluster.disks[coordinator.name].free()
    names = " ".join(coordinator.name for coordinator in coordinators)
    return Incident(f"disk full: {names}", world.seconds(1, 4), free)


def reshard(world):
    """One change of the ring's shape, or of how many copies it keeps."""
    change = draw_change(world)
    answer = world.cluster.ask("RING", *change)
    return Incident(f"{' '.join(change).lower()}: {answer}")


def reshard_and_kill(world):
    """Somebody dies while slots move."""
    change = draw_change(world)
    answer = world.cluster.ask("RING", *change)
    threading.Event().wait(world.seconds(0.05, 0.5))
    victim = world.random.choice((world.some_node, world.some_coordinator))()
    victim.kill(world.seconds(0.2, 2))
    return Incident(f"{' '.join(change).lower()}: {answer}, kill {victim.name}")


def reshard_and_cancel(world):
    """Paused when some has moved, and taken back or gone on with."""
    change = draw_change(world)
    answer = world.cluster.ask("RING", *change)
    threading.Event().wait(world.seconds(0, 0.3))
    world.cluster.ask("RING", "PAUSE")
    end = world.random.choice(("RESUME", "CANCEL"))

    def go_on():
        world.cluster.ask("RING", end)
        world.cluster.ask("RING", "RESUME")
    return Incident(f"{' '.join(change).lower()}: {answer}, pause, {end.lower()}", world.seconds(0.1, 0.5), go_on)


def draw_change(world):
    copies = (world.cluster.status() or {}).get("copies", 3)
    if copies != 3:
        return ("COPIES", "3")
    choice = world.random.random()
    if choice < 0.5:
        return ("REMOVE" if SPARE in world.members_in_ring() else "ADD", SPARE)
    if choice < 0.8:
        return ("WEIGHT", world.random.choice(world.members_in_ring()), str(world.random.choice((50, 100, 200))))
    return ("COPIES", "2")


SINGLE = {"kill node": kill_node, "freeze node": freeze_node, "drain node": drain_node, "lose node": lose_node,
          "slow node": slow_node, "slow coordinator": slow_coordinator, "freeze client": freeze_client,
          "kill coordinator": kill_coordinator, "freeze coordinator": freeze_coordinator, "full disk": fill_disk,
          "stop coordinator": stop_coordinator, "reshard and cancel": reshard_and_cancel,
          "kill host": kill_host, "cut host": cut_host, "cut link": cut_link, "broken connections": break_connections,
          "packet loss": lose_packets, "packet delay": delay_packets, "reshard": reshard,
          "reshard and kill": reshard_and_kill}
APART = {"kill router": kill_router, "freeze router": freeze_router, "cut router's host": cut_router_host,
         "freeze coordinators": freeze_coordinators, "cut coordinators": cut_coordinators,
         "all disks full": fill_all_disks, "kill two nodes": kill_two_nodes, "long command": long_command}
ALL = {**SINGLE, **APART}
RESHAPING = {"reshard", "reshard and cancel", "reshard and kill"}  # whether SPARE has a place is the operator's wish


def deck(random, kinds):
    """All kinds in a drawn order, again and again."""
    while True:
        order = list(kinds)
        random.shuffle(order)
        yield from order
