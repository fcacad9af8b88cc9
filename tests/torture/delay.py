"""delay.py QUEUE DELAY-MS JITTER-MS: holds each packet of a netfilter queue for DELAY-MS and up to JITTER-MS more.

Says "ready" when packets are taken. SIGTERM lets go what is held and ends it. Speaks the kernel's netlink messages
(linux/netfilter/nfnetlink_queue.h) itself: numbers of the payload are big endian, those of netlink the machine's.
"""

import heapq
import random
import select
import signal
import socket
import struct
import sys
import time

NETLINK_NETFILTER = 12
SUBSYSTEM_QUEUE = 3
MESSAGE_PACKET, MESSAGE_VERDICT, MESSAGE_CONFIG = (SUBSYSTEM_QUEUE << 8 | kind for kind in range(3))
NLMSG_ERROR = 2
FLAG_REQUEST, FLAG_ACK = 1, 4
CONFIG_COMMAND, CONFIG_PARAMS, CONFIG_LENGTH_MAX = 1, 2, 3
COMMAND_BIND = 1
COPY_META = 1  # the packets themselves stay in the kernel
ATTRIBUTE_PACKET_HEADER, ATTRIBUTE_VERDICT = 1, 2
ACCEPT = 1
HELD_MAX = 65536
RECEIVE_BUFFER_BYTES = 8 << 20

HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
FAMILY = struct.Struct("!BBH")    # family, version, queue


def attribute(kind, payload):
    padding = -len(payload) % 4
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * padding


def message(kind, queue, payload, flags=FLAG_REQUEST):
    body = FAMILY.pack(socket.AF_UNSPEC, 0, queue) + payload
    return HEADER.pack(HEADER.size + len(body), kind, flags, 0, 0) + body


def messages(data):
    """(type, what follows the header) of each message."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, *_ = HEADER.unpack_from(data, at)
        yield kind, data[at + HEADER.size:at + length]
        at += length + -length % 4


def packet_id(body):
    at = FAMILY.size
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if kind == ATTRIBUTE_PACKET_HEADER:
            return struct.unpack_from("!I", body, at + 4)[0]
        at += length + -length % 4
    raise ValueError("a packet without a header")


class Queue:
    def __init__(self, number):
        self.number = number
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self.socket.bind((0, 0))
        self.configure(CONFIG_COMMAND, struct.pack("!BBH", COMMAND_BIND, 0, socket.AF_INET))
        self.configure(CONFIG_PARAMS, struct.pack("!IB", 0, COPY_META))
        self.configure(CONFIG_LENGTH_MAX, struct.pack("!I", HELD_MAX))

    def configure(self, kind, payload):
        self.socket.send(message(MESSAGE_CONFIG, self.number, attribute(kind, payload), FLAG_REQUEST | FLAG_ACK))
        for answer, body in messages(self.socket.recv(65536)):
            error = struct.unpack_from("=i", body)[0] if answer == NLMSG_ERROR else 0
            if error:
                raise OSError(-error, "the kernel refuses a packet queue")

    def receive(self):
        try:
            data = self.socket.recv(65536)
        except OSError:  # ENOBUFS: more packets than fit; the network lost them
            return []
        return [packet_id(body) for kind, body in messages(data) if kind == MESSAGE_PACKET]

    def accept(self, number):
        verdict = attribute(ATTRIBUTE_VERDICT, struct.pack("!II", ACCEPT, number))
        self.socket.send(message(MESSAGE_VERDICT, self.number, verdict))


def main():
    number, delay_ms, jitter_ms = (int(word) for word in sys.argv[1:])
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    queue = Queue(number)
    print("ready", flush=True)
    held = []  # (when it goes, its id)
    while not ending:
        wait = max(0.0, held[0][0] - time.monotonic()) if held else 0.1
        if select.select([queue.socket], [], [], wait)[0]:
            now = time.monotonic()
            for packet in queue.receive():
                heapq.heappush(held, (now + (delay_ms + random.uniform(0, jitter_ms)) / 1000, packet))
        while held and held[0][0] <= time.monotonic():
            queue.accept(heapq.heappop(held)[1])
    for _, packet in sorted(held):
        queue.accept(packet)


if __name__ == "__main__":
    main()
