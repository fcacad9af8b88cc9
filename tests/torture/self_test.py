"""The checks of ./dev torture are themselves checked: what is wrong is found, what is right is not complained of."""

import contextlib
import io
import os
import random
import signal
import struct
import subprocess
import tempfile
import time
import unittest
from unittest import mock

import delay
import faults
from audit import BASE_COPIES_COMPARED, Auditor, base_keys
from board import Board
from clients import (LOCK_CERTAIN_MS, Locker, Plan, Recorder, Teller, Worker, brief_keys, counter_key, keys_of,
                     ledger_key, locks_of, operation_line, ordered_keys)
from harness import RedisError, wait_for
from long_command import TIMES_MOST, LongCommand, long_strings, times_for
from network import cut_connections
from places import KEPT_SECONDS, Places
from processes import Server

SECOND = 1_000_000
SEED = 1


class Connection:
    """One end of a cluster that is a dictionary. `locks` are unusual answers to LOCK ACQUIRE and LOCK RELEASE."""

    def __init__(self, data, locks):
        self.data, self.locks = data, locks

    def pipeline(self, commands):
        return [self.lock(*words[1:3]) if words[0] == "LOCK" else self.data.get(words[1]) for words in commands]

    def lock(self, verb, lock):
        return self.locks.get((verb, lock), [1, 1500] if verb == "ACQUIRE" else 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Member:
    def __init__(self, name, data, locks=None):
        self.name, self.data, self.locks = name, data, locks or {}

    def client(self, timeout):
        del timeout
        return Connection(self.data, self.locks)


class Cluster:
    """What routers say, and what each of three nodes holds."""

    def __init__(self, data):
        self.data = data
        self.nodes = [Member(f"n{i}", dict(data)) for i in (1, 2, 3)]
        self.size = len(data)
        self.locks = {}

    def role(self, role):
        return self.nodes if role == "node" else [Member("r1", self.data, self.locks)]

    def status(self):
        return {"copies": 3}

    def ask(self, *words):
        assert words == ("DBSIZE",)
        return self.size


class Fixture(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="chainring-torture-test-")
        self.board = Board(time.monotonic())
        self.said = io.StringIO()

    def tearDown(self):
        for name in os.listdir(self.directory):
            os.unlink(os.path.join(self.directory, name))
        os.rmdir(self.directory)


class Ledger(Fixture):
    """Client 7 wrote 1 to 4: 3 with unknown outcome, 4 was refused; it counted twice, and once perhaps."""
    LEDGER = {"client": 7, "written": 4, "unknown": [3], "refused": [4], "counted": 2, "count_unknown": 1}

    def data(self, **more):
        return {ledger_key(7, 1): b"1", ledger_key(7, 2): b"2", counter_key(7): b"2", **base_keys(2), **more}

    def audit(self, data, spoil=lambda cluster: None, settled=None, base_count=2, locks=()):
        cluster = Cluster({key: value for key, value in data.items() if value is not None})
        spoil(cluster)
        auditor = Auditor(cluster, self.board, self.directory, lambda: 0, SEED)
        auditor.settled.update(settled or {})
        auditor.locks += locks
        with contextlib.redirect_stdout(self.said):
            auditor.check_everything([self.LEDGER], base_count)
        return " ".join(self.board.violations)

    def test_what_was_acknowledged_is_there(self):
        self.assertEqual(self.audit(self.data()), "")

    def test_what_is_unknown_may_be_there(self):
        self.assertEqual(self.audit(self.data(**{ledger_key(7, 3): b"3", counter_key(7): b"3"})), "")

    def test_a_lost_write_is_found(self):
        self.assertIn("ledger:7:2 is None", self.audit(self.data(**{ledger_key(7, 2): None})))
        self.assertEqual(self.board.lost_writes, 1)

    def test_a_lost_key_of_the_beginning_is_found(self):
        self.assertIn("base:1 was", self.audit(self.data(**{"base:1": None})))
        self.assertEqual(self.board.lost_writes, 1)

    def test_a_refused_write_that_happened_is_found(self):
        self.assertIn("was refused and written", self.audit(self.data(**{ledger_key(7, 4): b"4"})))

    def test_a_lost_increment_is_found(self):
        self.assertIn("2 were acknowledged", self.audit(self.data(**{counter_key(7): b"1"})))
        self.assertEqual(self.board.lost_writes, 1)

    def test_an_increment_that_ran_twice_is_found(self):
        self.assertIn("1 are unknown", self.audit(self.data(**{counter_key(7): b"4"})))

    @mock.patch("audit.ENDS_SECONDS", 0)
    def test_a_key_too_many_is_found(self):
        self.assertIn("DBSIZE", self.audit(self.data(), lambda cluster: setattr(cluster, "size", cluster.size + 1)))

    def test_locks_that_everybody_can_have_are_fine(self):
        self.assertEqual(self.audit(self.data(), locks=locks_of(0)), "")

    @mock.patch("audit.LOCKED_SECONDS_MOST", 0)
    def test_a_lock_that_nobody_can_have_is_found(self):
        lock = locks_of(0)[1]
        for answer in (None, RedisError("TIMEOUT")):
            found = self.audit(self.data(), lambda cluster, answer=answer: cluster.locks.update(
                {("ACQUIRE", lock): answer}), locks=locks_of(0))
            self.assertIn(f"1 locks cannot be had 0 s after the last client ended, such as {lock}", found)

    def test_a_lock_that_its_owner_cannot_release_is_found(self):
        found = self.audit(self.data(), lambda cluster: cluster.locks.update({("RELEASE", locks_of(0)[1]): 0}),
                           locks=locks_of(0))
        self.assertIn(f"{locks_of(0)[1]} was granted and released at once, which was told 0", found)

    def test_few_keys_may_be_given_up_by_the_judge(self):
        self.board.judged_keys, self.board.unjudged_keys = 1000, 5
        self.assertEqual(self.audit(self.data()), "")
        self.board.unjudged_keys = 6
        self.assertIn("gave up 6 of 1000 keys", self.audit(self.data()))

    def test_a_copy_that_differs_is_found(self):
        found = self.audit(self.data(), lambda cluster: cluster.nodes[1].data.update({"base:0": b"other"}))
        self.assertIn("base:0 is b'other' at n2", found)

    def test_a_copy_of_what_was_deleted_is_found(self):
        key = keys_of(0)[0]
        found = self.audit(self.data(), lambda cluster: cluster.nodes[1].data.update({key: b"a"}), {key: None})
        self.assertIn(f"{key} is b'a' at n2, and None to routers", found)

    def test_many_keys_of_the_beginning_hide_no_copy_that_differs(self):
        settled, count = {keys_of(0)[0]: b"a"}, BASE_COPIES_COMPARED + 10
        other = {key: b"other" for key in (*settled, ledger_key(7, 2), counter_key(7))}
        found = self.audit({**self.data(), **base_keys(count), **settled},
                           lambda cluster: cluster.nodes[1].data.update(other), settled, count)
        for key in other:
            self.assertIn(f"{key} is b'other' at n2", found)

    @mock.patch("audit.BASE_COPIES_COMPARED", 5)
    def test_which_keys_of_the_beginning_are_compared_is_drawn(self):
        compared = [set(), set()]
        for seed, found in enumerate(compared):
            cluster = Cluster(base_keys(100))
            auditor = Auditor(cluster, self.board, self.directory, lambda: 0, seed)
            cluster.nodes[1].data.update(dict.fromkeys(cluster.data, b"other"))
            self.board.violate = found.add
            auditor.compare_copies(cluster.data, cluster.data)
            self.assertEqual(len(found), 5)
        self.assertNotEqual(*compared)

    def test_a_missing_copy_is_found(self):
        def move_away(cluster):
            cluster.nodes[2].data["base:0"] = RedisError("MOVED 1 10.77.0.1:7401")
        self.assertIn("1 keys are not at 3 nodes", self.audit(self.data(), move_away))


class Generations(Fixture):
    def write(self, lines):
        with open(os.path.join(self.directory, "0.0"), "w", encoding="ascii") as file:
            file.write("".join(line + "\n" for line in lines))

    def judge(self, lines, values):
        """A generation of one client, whose keys are now `values`."""
        self.write(lines)
        auditor = Auditor(Cluster(values), self.board, self.directory, lambda: 1, SEED)
        with contextlib.redirect_stdout(self.said):
            self.assertTrue(auditor.judge_next())
            self.assertFalse(auditor.judge_next())
        return auditor

    def test_what_holds_is_judged_and_thrown_away(self):
        key = keys_of(0)[0]
        auditor = self.judge([operation_line(1, 1, "set", key, 10, 20, "returned", argument="a")], {key: b"a"})
        self.assertEqual(self.board.violations, [])
        self.assertEqual(auditor.settled[key], b"a")
        self.assertEqual(auditor.locks, locks_of(0))
        self.assertEqual(os.listdir(self.directory), [])

    def test_a_lost_write_is_a_violation_and_its_history_is_kept(self):
        self.judge([operation_line(1, 1, "set", keys_of(0)[0], 10, 20, "returned", argument="a")], {})
        self.assertIn("is not linearizable", self.board.violations[0])
        self.assertEqual(sorted(os.listdir(self.directory)), ["0.0", "0.audit"])

    def test_a_key_that_may_yet_change_is_not_compared_at_the_end(self):
        key = keys_of(0)[0]
        auditor = self.judge([operation_line(1, 1, "set", key, 10, argument="a")], {})
        self.assertEqual(self.board.violations, [])
        self.assertIn(key, auditor.unsettled)
        self.assertNotIn(key, auditor.settled)

    def test_a_key_that_ends_is_judged_by_its_time(self):
        key = brief_keys(0)[0]
        told = {"argument": "a", "ttl_ms": 1000}
        for read_after, result, fine in ((0.3, "a", True), (0.3, None, False), (3, None, True), (3, "a", False)):
            self.board.violations.clear()
            self.write([operation_line(1, 1, "set_px", key, 10, 20, "returned", **told),
                        operation_line(1, 2, "get", key, int(read_after * SECOND), int(read_after * SECOND) + 10,
                                       "returned", result=result)])
            auditor = Auditor(Cluster({}), self.board, self.directory, lambda: 1, SEED)
            with contextlib.redirect_stdout(self.said):
                auditor.judge(0, auditor.files(0))
            self.assertEqual(len(self.board.violations), 0 if fine else 1, (read_after, result))

    def test_what_was_sent_behind_may_not_be_seen_first(self):
        first, _ = ordered_keys(0, 0)
        counted = operation_line(1, 1, "incr", first, 10, 20, "returned", result="1")
        self.judge([counted, f"order {first} 1 1 30"], {first: b"1"})
        self.assertEqual(self.board.violations, [])
        self.judge([counted, f"order {first} 1 2 30"], {first: b"1"})
        self.assertIn("what was sent first had happened 1 times", self.board.violations[0])

    def test_what_cannot_be_judged_is_a_violation(self):
        key = keys_of(0)[0]
        self.write([operation_line(client, client, "set", key, 10, 20, "returned", argument=f"v{client}")
                    for client in range(1, 25)] + [operation_line(30, 30, "get", key, 30, 40, "returned", result="x")])
        auditor = Auditor(Cluster({}), self.board, self.directory, lambda: 1, SEED)
        with contextlib.redirect_stdout(self.said):
            auditor.judge(0, auditor.files(0))
        self.assertIn("1 of 1 keys could not be judged", self.board.violations[0])

    def test_a_complaint_of_a_client_is_a_violation(self):
        self.judge(["complaint client 1: no answer"], {})
        self.assertIn("no answer", self.board.violations[0])


class Workers(Fixture):
    """One whose calls are answered by the test."""

    def setUp(self):
        super().setUp()
        plan = Plan(number=0, seed=1, origin=time.monotonic(), directory=self.directory, routers=[["nowhere", 1]],
                    nodes=[])
        self.worker = Worker(plan, 0, Recorder(plan), Teller())
        self.sent = []
        self.worker.exchange = self.exchange

    def exchange(self, calls):
        for call in calls:
            self.sent.append([words[0] for words in call.commands])
            call.answered(10, 20, self.replies.pop(0))
        return True

    def written(self):
        self.worker.recorder.close_before(1)
        with open(os.path.join(self.directory, "0.0"), encoding="ascii") as file:
            return [line.split() for line in file]

    def swap(self, *replies):
        self.replies = list(replies)
        self.worker.swap()
        return [(line[3], line[6], line[9], line[10]) for line in self.written()]

    def test_a_change_of_a_watched_key_is_a_compare_and_set(self):
        self.assertEqual(self.swap(["OK", b"x"], ["OK", "QUEUED", ["OK"]]),
                         [("get", "-", "returned", "x"), ("set_ifeq", "x", "returned", "1")])
        self.assertEqual(self.sent, [["WATCH", "GET"], ["MULTI", "SET", "EXEC"]])

    def test_a_watched_key_that_was_not_there_may_not_be_there_yet(self):
        self.assertEqual(self.swap(["OK", None], ["OK", "QUEUED", ["OK"]])[1], ("set_nx", "-", "returned", "1"))

    def test_a_change_that_was_given_up_has_not_run(self):
        self.assertEqual(self.swap(["OK", b"x"], ["OK", "QUEUED", None])[1], ("set_ifeq", "x", "refused", "-"))

    def test_nothing_is_changed_when_the_watch_failed(self):
        self.assertEqual(self.swap([RedisError("TIMEOUT"), b"x"], ["OK"]), [("get", "-", "returned", "x")])
        self.assertEqual(self.sent[1], ["UNWATCH"])

    def look_in_order(self, at_once, replies):
        draws = iter((0.9, 0.1 if at_once else 0.9))
        with mock.patch.object(self.worker.random, "random", lambda: next(draws)):
            call, = self.worker.in_order()
        call.answered(10, 20, replies)
        return [line for line in self.written() if line[0] == "order"]

    def test_what_two_reads_saw_is_told_in_the_order_of_the_writes(self):
        for at_once, replies in ((True, [[b"4", b"5"]]), (False, [b"4", b"5"])):
            self.assertEqual(self.look_in_order(at_once, replies)[-1][2:], ["5", "4", "20"])

    def test_reads_that_failed_tell_no_order(self):
        for at_once, replies in ((True, [RedisError("TIMEOUT")]), (False, [b"4", RedisError("TIMEOUT")])):
            self.assertEqual(self.look_in_order(at_once, replies), [])


class PlacesKept(Fixture):
    """All four have a place, and n1 to n3 are always to have one. An incident begins at 100 s."""

    def setUp(self):
        super().setUp()
        self.time, self.asked = 100.0, []
        self.nodes = [mock.Mock(down_seconds=lambda: 0.0) for _ in range(4)]
        self.places = Places(self, self.board, ("n1", "n2", "n3"), clock=lambda: self.time)
        self.places.remember(self.status("n1", "n2", "n3", "n4"))

    def ask(self, *words):
        self.asked.append(words)

    def role(self, _):
        return self.nodes

    @staticmethod
    def status(*placed):
        return {"members": [{"name": name, "placed": name in placed} for name in ("n1", "n2", "n3", "n4")]}

    def look(self, *placed, after_seconds, asked=None):
        self.time = 100 + after_seconds
        with contextlib.redirect_stdout(self.said):
            self.places.look(self.status(*placed), self.time if asked is None else asked)
        return " ".join(self.board.violations)

    def end_incident(self, after_seconds):
        self.time = 100 + after_seconds
        self.places.undone()

    def test_who_keeps_a_place_is_not_complained_of(self):
        self.assertEqual(self.look("n1", "n2", "n3", "n4", after_seconds=0.3), "")

    def test_a_place_may_be_lost_after_a_long_absence(self):
        self.assertEqual(self.look("n1", "n3", "n4", after_seconds=KEPT_SECONDS), "")

    def test_a_place_that_is_lost_early_is_a_violation_once(self):
        for _ in range(2):
            self.assertIn("n2 lost a place", self.look("n1", "n3", "n4", after_seconds=KEPT_SECONDS - 0.1))
        self.assertEqual(len(self.board.violations), 1)

    def test_a_place_that_is_lost_long_after_a_short_absence_is_a_violation(self):
        self.end_incident(0.3)
        self.assertIn("for longer than 0.3 s", self.look("n1", "n3", "n4", after_seconds=20))

    def test_a_node_is_away_until_its_next_life(self):
        self.nodes[1].down_seconds = lambda: KEPT_SECONDS
        self.end_incident(0.3)
        self.assertEqual(self.look("n1", "n3", "n4", after_seconds=20), "")

    def test_the_place_of_a_spare_node_counts_as_well(self):
        self.assertIn("n4 lost a place", self.look("n1", "n2", "n3", after_seconds=0.3))

    def test_an_operator_takes_places_away(self):
        self.places.open(("n4",))
        self.assertEqual(self.look("n1", "n2", "n3", after_seconds=0.3), "")

    def test_an_answer_from_before_the_incident_tells_nothing(self):
        self.assertEqual(self.look("n1", "n3", "n4", after_seconds=0.3, asked=99.9), "")

    def test_who_has_no_place_is_put_back(self):
        self.assertEqual(self.places.put_back(self.status("n1", "n3")), ["n2"])
        self.assertEqual(self.asked, [("RING", "ADD", "n2")])


class Lives(Fixture):
    class Here:
        @staticmethod
        def inside(*words):
            return list(words)

    def test_how_long_a_process_was_down_is_measured(self):
        server = Server("sleeper", self.Here, 0, self.directory, lambda _: ["sleep", "1000"])
        server.start()
        self.assertEqual(server.down_seconds(), 0)
        server.kill(0.2)
        wait_for("its next life", lambda: server.tend() or server.is_running())
        server.kill(0)
        server.tend()
        self.assertGreaterEqual(server.down_seconds(), 0.2)
        self.assertLess(server.down_seconds(), 30)
        server.kill(1000)
        server.longest_down_seconds = 0.0
        self.assertGreater(server.down_seconds(), 0)
        os.rmdir(server.directory)


class Lockers(Fixture):
    def told(self, reply, after_ms):
        """What is complained of when a lock was asked for at 10 ms, and a release is answered so."""
        plan = Plan(number=0, seed=SEED, origin=time.monotonic(), directory=self.directory, routers=[["nowhere", 1]],
                    nodes=[])
        locker = Locker(plan, 0, Recorder(plan), Teller())
        with mock.patch.object(locker, "complain") as complain:
            locker.release("lock:g0:0", "owner", 10_000).answered(11_000, 10_000 + after_ms * 1000, [reply])
        return " ".join(call.args[0] for call in complain.call_args_list)

    def test_who_certainly_holds_a_lock_releases_it(self):
        self.assertEqual(self.told(1, LOCK_CERTAIN_MS - 1), "")
        self.assertIn("was told 0", self.told(0, LOCK_CERTAIN_MS - 1))

    def test_who_may_have_lost_it_may_be_told_so(self):
        self.assertEqual(self.told(0, LOCK_CERTAIN_MS), "")

    def test_nothing_else_is_an_answer(self):
        self.assertIn("was told 2", self.told(2, LOCK_CERTAIN_MS))
        self.assertEqual(self.told(RedisError("TIMEOUT"), 1), "")


class Windows(Fixture):
    def setUp(self):
        super().setUp()
        for kind, begun in (("kill node", 10), ("kill router", 20), ("reshard", 30)):
            self.board.open(kind, kind, begun * SECOND)

    def test_an_error_belongs_to_the_incident_in_which_its_call_waited_longest(self):
        self.board.errors += [[18 * SECOND, 21 * SECOND, "TIMEOUT"], [19 * SECOND, 22 * SECOND, "TIMEOUT"]]
        self.assertEqual([len(errors) for errors in self.board.errors_by_window()], [0, 1, 1, 0])
        self.assertEqual((self.board.count_errors(single=True), self.board.count_errors(single=False)), (1, 1))

    def test_a_closed_connection_is_an_error_unless_the_router_died(self):
        self.board.lost += [[11 * SECOND, 12 * SECOND], [21 * SECOND, 22 * SECOND]]
        self.assertEqual([len(errors) for errors in self.board.errors_by_window()], [0, 1, 0, 0])

    def test_a_call_that_had_begun_before_the_router_died_is_lost_by_that(self):
        self.board.lost += [[18 * SECOND, 20 * SECOND + 1000]]
        self.assertEqual(sum(len(errors) for errors in self.board.errors_by_window()), 0)

    def test_an_error_that_comes_in_late_is_told_once(self):
        self.board.errors += [[11 * SECOND, 12 * SECOND, "TIMEOUT"], [21 * SECOND, 22 * SECOND, "TIMEOUT"]]
        self.assertRegex(self.board.late_errors(), "1 more errors in kill node .*\n +TIMEOUT")
        self.assertEqual(self.board.late_errors(), "")

    def test_the_longest_wait_is_told_for_each_kind(self):
        self.board.slow += [[11 * SECOND, 11 * SECOND + 200_000], [12 * SECOND, 12 * SECOND + 300_000]]
        self.assertEqual(self.board.longest_waits_ms(), [0, 300, 0, 0])
        self.assertRegex(self.board.table(), r"kill node +1 +300 +300")


class Incidents(unittest.TestCase):
    def test_a_kind_is_single_or_apart(self):
        self.assertEqual(faults.SINGLE.keys() & faults.APART.keys(), set())
        self.assertLessEqual(faults.RESHAPING, faults.SINGLE.keys())

    def test_who_is_slow_stands_still_now_and_then_and_runs_in_the_end(self):
        process = subprocess.Popen(["sleep", "1000"])
        try:
            with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
                def is_stopped():
                    stat.seek(0)
                    return stat.read().rsplit(")", 1)[1].split()[0] == "T"
                member = mock.Mock(signal=process.send_signal)
                world = faults.World(mock.Mock(), None, random.Random(SEED), [])
                incident = world.slow_down(member, 1)
                wait_for("it to stand still", is_stopped, every=0.001)
                wait_for("it to run", lambda: not is_stopped(), every=0.0001)
                incident.undo()
                self.assertFalse(is_stopped())
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def test_the_connections_of_some_processes_are_cut_both_ways(self):
        listing = ('0 104 10.77.0.1:33514 10.77.0.2:7301 users:(("chainring",pid=71,fd=9))\n'
                   '0 0   10.77.0.1:33530 10.77.0.2:7301 users:(("chainring",pid=7,fd=7))\n'
                   '0 0   10.77.0.1:33540 10.77.0.2:7301 \n')
        self.assertEqual(list(cut_connections(listing, 7301, {7, 8})),
                         ["-A INPUT -s 10.77.0.1 -p tcp --sport 33530 --dport 7301 -j DROP",
                          "-A INPUT -d 10.77.0.1 -p tcp --sport 7301 --dport 33530 -j DROP"])


class LongCommands(unittest.TestCase):
    def test_it_is_as_often_as_it_takes_within_bounds(self):
        self.assertEqual([times_for(3, once) for once in (10, 0.2, 0)], [1, 15, TIMES_MOST])

    def command(self, reply):
        router = mock.MagicMock()
        client = router.client.return_value.__enter__.return_value
        client.pipeline.side_effect = lambda commands: ["OK", *["QUEUED"] * (len(commands) - 2), reply(commands)]
        return LongCommand(mock.Mock(), router, 0, 3)

    def test_its_answer_or_that_nobody_knows_is_fine(self):
        told, wrong = self.command(lambda commands: ["OK", *[7] * (len(commands) - 3)]).judge()
        self.assertIn("answered", told)
        self.assertIsNone(wrong)
        self.assertIsNone(self.command(lambda _: RedisError("TIMEOUT the outcome is unknown")).judge()[1])

    def test_any_other_answer_is_wrong(self):
        for answer in (None, RedisError("ERR"), ["OK", 7, 8], ["OK", 7]):
            self.assertIn("takes long", self.command(lambda _, answer=answer: answer).judge()[1])

    def test_what_it_reads_and_writes_is_among_what_never_changes(self):
        self.assertLessEqual(long_strings().items(), base_keys(0).items())


class Netlink(unittest.TestCase):
    def test_the_number_of_a_packet_is_found_behind_other_attributes(self):
        header = delay.attribute(delay.ATTRIBUTE_PACKET_HEADER, struct.pack("!IHB", 77, 0x0800, 1))
        sent = delay.message(delay.MESSAGE_PACKET, 1, delay.attribute(9, b"abc") + header)
        received = list(delay.messages(sent + sent))
        self.assertEqual([(kind, delay.packet_id(body)) for kind, body in received], [(delay.MESSAGE_PACKET, 77)] * 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
