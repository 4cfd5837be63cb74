#!/usr/bin/env python3
"""Recomputes a run's digest from its event trace (events.jsonl), independently of the simulator.

Usage: python3 docs/digest.py RUN/events.jsonl
"""
import json
import sys

KINDS = {"deliver": 1, "timer": 2, "command": 3, "start": 4, "stop": 5, "crash": 6,
         "undelivered": 7, "wake": 8, "writable": 9, "pause": 10, "resume": 11, "tamper": 12,
         "closure": 13}
# What part of a call an event is.
PARTS = {"question": 1, "answer": 2, "no_answer": 3}


def fold(a, b):
    """Multiplies two 64-bit words, keyed by digits of pi, and folds the product onto itself."""
    product = (a ^ 0x243F6A8885A308D3) * (b ^ 0x13198A2E03707344)
    return (product >> 64) ^ (product & 0xFFFF_FFFF_FFFF_FFFF)


def digest(lines):
    seats = {}
    for line in map(json.loads, lines):
        if "seats" in line:
            total = 0
            for seat in range(line["seats"]):
                total = fold(total, seats.get(seat, 0))
            for word in line["drops"] + line["bytes"] + line["measures"]:
                total = fold(total, word)
            return f"{total:016x}"
        part = next((part for part in PARTS if part in line), None)
        what = line["source"] << 32 | line["round"] << 8 | KINDS[line["kind"]]
        whose = PARTS.get(part, 0) << 48 | line.get("port", 0) << 32 | line["life"]
        seat = fold(seats.get(line["seat"], 0) ^ line["time"], what)
        seat = fold(seat ^ line["seq"], whose)
        if part is not None:
            seat = fold(seat, line[part])
        seats[line["seat"]] = seat
    sys.exit("the trace has no last line: the run was interrupted")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1]) as trace:
        print(digest(trace))
