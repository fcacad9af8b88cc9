#!/usr/bin/env python3
"""Prints what a Redis server's COMMAND INFO says, one line for each command: the golden file redis-7.0-commands.txt.

Usage: redis-cli -p PORT -3 --json COMMAND INFO | record_redis_commands.py
Line:  name arity [flags] first last step [categories] [tips] [key flags, begin, last, step]...
"""
import json
import sys


def line(command):
    name, arity, flags, first, last, step, categories, tips, specs, _ = command
    parts = [name, str(arity), "[%s]" % " ".join(sorted(flags)), "%d %d %d" % (first, last, step),
             "[%s]" % " ".join(sorted(categories)), "[%s]" % " ".join(tips)]
    for spec in specs:
        if spec["begin_search"]["type"] != "index" or spec["find_keys"]["type"] != "range":
            parts.append("[other]")
            continue
        find = spec["find_keys"]["spec"]
        parts.append("[%s, %d, %d, %d]" % (" ".join(spec["flags"]), spec["begin_search"]["spec"]["index"],
                                           find["lastkey"], find["keystep"]))
    return " ".join(parts)


lines = []
for command in json.load(sys.stdin):
    lines.append(line(command))
    lines.extend(line(sub) for sub in command[9])
print("\n".join(sorted(lines)))
