"""What bench/failover.py does to a cluster: each incident begins, is over when `done()`, and is undone."""

import dataclasses
import itertools
import signal

from clusters import SLOTS, places_of
from network import Wire

ALL = {"all": set(range(SLOTS))}


@dataclasses.dataclass
class Incident:
    name: str
    begin: object
    undo: object = lambda: None
    done: object = lambda: True
    seconds: float = 0.0  # that it lasts at least
    planned: bool = False  # nobody is missing afterwards
    groups: object = lambda before, after: ALL  # of slots whose clients are watched, by their places before and after


def kill(member):
    return lambda: member.kill(0), member.start


def freeze(member):
    return lambda: member.signal(signal.SIGSTOP), lambda: member.signal(signal.SIGCONT)


def cut(network, host, others=None):
    return lambda: network.around(host, Wire(cut=True), others=others), network.heal


def of_node(name, node, begin, undo=lambda: None, **more):
    return Incident(name, begin, undo, groups=lambda before, after: places_of(node, before), **more)


def new_heads(before, after):
    return {"head": {slot for slot in before if before[slot][0] != after[slot][0]}}


def peers_of(network, host):
    """All but those of the clients."""
    return [other for other in network.hosts[:4] if other is not host]


def of_chainring(network, chainring, number):
    """In the order in which they are played; each is made when its turn comes: the leader may be another by then."""
    def node():
        return chainring.some_node(number)

    def beside_leader():
        return chainring.node_beside(chainring.leader())

    def isolate(host):
        return cut(network, host, peers_of(network, host))

    yield of_node("kill", node(), *kill(node()))
    yield of_node("freeze", node(), *freeze(node()))
    yield of_node("cut host", node(), *cut(network, node().host))
    yield of_node("cut host from its peers", node(), *isolate(node().host))
    yield Incident("kill leader", *kill(chainring.leader()))
    yield Incident("freeze leader", *freeze(chainring.leader()))
    yield of_node("cut leader's host", beside_leader(), *cut(network, beside_leader().host))
    yield stop(node())
    for weight in ("50", "100"):
        yield weigh(chainring, f"n{1 + number % 3}", weight)


def stop(node):
    """It hands over, and ends."""
    life = node.process
    return of_node("stop node (SIGTERM)", node, lambda: node.signal(signal.SIGTERM), node.start,
                   done=lambda: life.poll() is not None)


def weigh(chainring, name, weight):
    return Incident(f"weight to {weight}", lambda: chainring.ask("WEIGHT", name, weight), done=chainring.change_ended,
                    planned=True, groups=new_heads)


def of_redis(network, redis, number):
    """One master after the other: none is taken over twice within twice the time-out, which Redis Cluster refuses."""
    masters = itertools.cycle(redis.masters[number % 3:] + redis.masters[:number % 3])
    victim = next(masters)
    yield of_node("kill", victim, *kill(victim))
    victim = next(masters)
    yield of_node("freeze", victim, *freeze(victim))
    victim = next(masters)
    yield of_node("cut host", victim, *cut(network, victim.host))
    victim = next(masters)
    yield of_node("cut host from its peers", victim, *cut(network, victim.host, peers_of(network, victim.host)),
                  seconds=2 * redis.timeout_ms / 1000)
    victim = next(masters)
    replica = redis.replica_of(victim)
    yield of_node("CLUSTER FAILOVER", victim, lambda: replica.ask("CLUSTER", "FAILOVER"),
                  done=lambda: replica.field("role", "replication") == "master")
