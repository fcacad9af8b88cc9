"""What the Python programs share: steps that print their progress, checks that say what was expected, the transcript.

A failed check ends the program with status 1 after "FAILED client | step | what: expected ..., got ...".
"""

import json
import os
import sys
import threading
import time
import traceback

TRANSCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "transcript.json")
RETRY_SECONDS = 0.01
LOAD_KEYS = 200


class CheckFailed(Exception):
    pass


def text(value):
    """Bytes as the text they hold, at any depth."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [text(entry) for entry in value]
    return value


class Checks:
    def __init__(self, client):
        self.client = client
        self.step_name = "start"

    def step(self, name, body, *arguments):
        self.step_name = name
        begun = time.monotonic()
        body(*arguments)
        print(f"ok {self.client} | {name} ({1000 * (time.monotonic() - begun):.0f} ms)", flush=True)

    @staticmethod
    def fail(what, expected, got):
        raise CheckFailed(f"{what}: expected {expected}, got {str(got)[:500]}")

    def equal(self, what, got, expected):
        if type(got) is not type(expected) or got != expected:
            self.fail(what, repr(expected)[:500], repr(got))

    def between(self, what, got, least, most):
        if not isinstance(got, int) or not least <= got <= most:
            self.fail(what, f"{least} to {most}", repr(got))

    def refused(self, what, call, error_text):
        """call() must raise an error whose text begins so."""
        try:
            got = call()
        except Exception as error:  # pylint: disable=broad-except  # whichever class the library chose
            if str(error).startswith(error_text):
                return
            got = error
        self.fail(what, f"an error '{error_text}...'", repr(got))

    def eventually(self, what, attempt, errors, seconds=20):
        """Tries while attempt() raises one of errors: for what fails while a connection is made again."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return attempt()
            except errors as error:
                if time.monotonic() > deadline:
                    self.fail(what, f"success within {seconds} s", repr(error))
                threading.Event().wait(RETRY_SECONDS)

    def transcript(self, send):
        """Plays transcript.json; send(words) returns the reply as the library read it."""
        with open(TRANSCRIPT, encoding="utf-8") as file:
            entries = json.load(file)
        for entry in entries:
            what = " ".join(entry["send"])
            if "error" in entry:
                # The libraries cut the code "ERR" off.
                self.refused(what, lambda words=entry["send"]: send(words), entry["error"].removeprefix("ERR "))
            elif "between" in entry:
                self.between(what, send(entry["send"]), *entry["between"])
            else:
                self.equal(what, text(send(entry["send"])), entry["reply"])

    def load(self, set_key, incr, get, read):
        """Sets keys all over the slots to the number of the round, counts in others, and reads everything back, until a
        line arrives on stdin. Nothing may fail, and no reply may be older than what was acknowledged. read(key) may ask
        any copy."""
        told = threading.Event()
        threading.Thread(target=lambda: sys.stdin.readline() and told.set(), daemon=True).start()
        print(f"loading {self.client}", flush=True)
        keys = [f"{self.client}:{i}" for i in range(LOAD_KEYS)]
        number = 0
        while number == 0 or not told.is_set():
            number += 1
            value = b"round %d" % number
            for key in keys:
                self.equal(f"SET of {key}", set_key(key, value), True)
                self.equal(f"GET of {key}", get(key), value)
                self.equal(f"GET of {key} from any copy", read(key), value)
                self.equal(f"INCR of {key}:count", incr(key + ":count"), number)
        for key in keys:
            self.equal("the last value", get(key), b"round %d" % number)
            self.equal("the last count", get(key + ":count"), b"%d" % number)
        print(f"ok {self.client} | load of {number} rounds", flush=True)

    def run(self, body):
        try:
            body(self)
        except CheckFailed as failure:
            print(f"FAILED {self.client} | {self.step_name} | {failure}", flush=True)
            sys.exit(1)
        except Exception:  # pylint: disable=broad-except  # the step's name belongs beside every traceback
            print(f"FAILED {self.client} | {self.step_name} | {traceback.format_exc()}", flush=True)
            sys.exit(1)
        print(f"done {self.client}", flush=True)
