"""Hosts that are network namespaces, and what goes wrong on the wire between them.

Each host is a namespace with an interface at one bridge; the bridge, and whoever uses this module, is at the address
GATEWAY and is never cut from anybody. Everything is made in the namespaces that run.sh has made for this run alone
(of mounts, the network and processes), so the kernel removes it all when the run ends, however it ends.

A fault is in one direction: what `receiver` gets from `sender`. Loss, cuts and resets are rules of the packet filter;
delay is a queue of packets that delay.py holds, because not every kernel can delay by itself (netem).
"""

import dataclasses
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SUBNET = "10.77.0."
GATEWAY = SUBNET + "254"
BRIDGE = "chainring0"
DELAY_QUEUE = 1
CONNECTION = re.compile(r"(\S+):(\d+)\s+\S+:\d+\s+users:.*\bpid=(\d+)")  # of `ss`, as seen by who dialled


def run(*words, text=None):
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def make_private():
    """Checks that this process has namespaces of its own, and prepares them."""
    if os.getpid() != 1:
        raise RuntimeError("this is not the first process of its own namespaces: start it by in_namespaces.sh")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")  # where `ip netns` keeps its names
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", GATEWAY + "/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


class Host:
    def __init__(self, number):
        self.name = f"h{number}"
        self.address = SUBNET + str(number)
        outside = f"{BRIDGE}.{number}"
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", outside, "master", BRIDGE, "up")
        run(*self.inside("ip", "link", "set", "lo", "up"))
        run(*self.inside("ip", "address", "add", self.address + "/24", "dev", "eth0"))
        run(*self.inside("ip", "link", "set", "eth0", "up"))

    def inside(self, *words):
        """The command that runs `words` on this host; it is one process, not a child of another."""
        return ["ip", "netns", "exec", self.name, *words]


@dataclasses.dataclass(frozen=True)
class Wire:
    """What happens to packets from one host to another."""
    cut: bool = False
    reset: bool = False  # connections are broken as soon as something comes on them; new ones can be made
    loss: float = 0.0  # the share of packets that are lost
    delay_ms: int = 0
    jitter_ms: int = 0  # more delay, at most, drawn for each packet

    def rules(self, sender):
        match = f"-A INPUT -s {sender.address}"
        if self.cut:
            yield f"{match} -j DROP"
        if self.reset:
            yield f"{match} -p tcp --tcp-flags SYN NONE -j REJECT --reject-with tcp-reset"
        if self.loss:
            yield f"{match} -m statistic --mode random --probability {self.loss} -j DROP"
        if self.delay_ms:
            yield f"{match} -j NFQUEUE --queue-num {DELAY_QUEUE} --queue-bypass"


def cut_connections(listing, port, processes):
    """Rules that cut, both ways, those connections to `port` that `ss` lists as these processes'."""
    for line in listing.splitlines():
        found = CONNECTION.search(line)
        if found and int(found[3]) in processes:
            address, own_port, _ = found.groups()
            yield f"-A INPUT -s {address} -p tcp --sport {own_port} --dport {port} -j DROP"
            yield f"-A INPUT -d {address} -p tcp --sport {port} --dport {own_port} -j DROP"


class Network:
    def __init__(self, hosts_count):
        make_private()
        self.hosts = [Host(number) for number in range(1, hosts_count + 1)]
        self.wires = {}  # (receiver, sender) -> Wire
        self.everywhere = []  # rules of all hosts
        self.delayers = {}  # receiver -> process

    def set(self, wires):
        """{(receiver, sender): Wire}"""
        self.wires.update(wires)
        for receiver in {receiver for receiver, _ in wires}:
            self.apply(receiver)

    def around(self, host, wire, inward=True, outward=True, others=None):
        """Sets the wire between one host and all others, or these."""
        others = [other for other in others or self.hosts if other is not host]
        self.set({(host, other): wire for other in others if inward} |
                 {(other, host): wire for other in others if outward})

    def cut_from_port(self, port, processes):
        """Cuts these processes from all who listen on `port`. Others keep their connections to it, and nobody makes a
        new one: a packet does not tell whose it is."""
        self.set_everywhere([f"-A INPUT -p tcp --syn --dport {port} -j DROP"])
        listings = [run(*host.inside("ss", "-tnpH", "state", "established", "dport", "=", f":{port}"))
                    for host in self.hosts]
        self.set_everywhere([*self.everywhere, *(rule for listing in listings
                                                 for rule in cut_connections(listing, port, processes))])

    def set_everywhere(self, rules):
        self.everywhere = rules
        for host in self.hosts:
            self.apply(host)

    def heal(self):
        broken = set(self.hosts) if self.everywhere else {receiver for receiver, _ in self.wires}
        self.wires.clear()
        self.everywhere = []
        for receiver in broken:
            self.apply(receiver)

    def apply(self, receiver):
        """All rules of one host at once. Packets that are held are let go before the queue ends."""
        mine = [(sender, wire) for (to, sender), wire in self.wires.items() if to is receiver]
        delays = {(wire.delay_ms, wire.jitter_ms) for _, wire in mine if wire.delay_ms}
        assert len(delays) <= 1, "one delay for each host"
        if delays and receiver not in self.delayers:
            self.start_delayer(receiver, *delays.pop())
        lines = ["*filter", ":INPUT ACCEPT [0:0]", *self.everywhere,
                 *(rule for sender, wire in mine for rule in wire.rules(sender)), "COMMIT", ""]
        run(*receiver.inside("iptables-restore"), text="\n".join(lines))
        if not any(wire.delay_ms for _, wire in mine):
            self.stop_delayer(receiver)

    def start_delayer(self, receiver, delay_ms, jitter_ms):
        command = [sys.executable, os.path.join(HERE, "delay.py"), str(DELAY_QUEUE), str(delay_ms), str(jitter_ms)]
        process = subprocess.Popen(receiver.inside(*command), stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"packets to {receiver.name} cannot be delayed: the kernel has no packet queue")
        self.delayers[receiver] = process

    def stop_delayer(self, receiver):
        process = self.delayers.pop(receiver, None)
        if process:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
            process.stdout.close()
