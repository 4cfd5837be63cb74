#!/usr/bin/env python3
"""Kills one of three live processes, starts it again, and prints what the others noticed when.

Three processes of ten peers each run examples/watch.rs over QUIC on this machine. One is killed
(`kill -9`) and, a while later, started again with the same key: in a network that lets anybody in,
nobody else gets the seats of a process that was killed. The bounds are those of the contract and of
the neighbors' heartbeat; a time beyond its bound ends the script with 1.

Usage: cargo build --release -p peerlet --example watch && python3 docs/kill_and_restart.py
"""
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/examples/watch"
PORT = 7300
HEARTBEAT, MISSES = 1.0, 3          # defaults of `neighbors`
TIMEOUT = 10.0                      # connection.timeout
LINE = re.compile(r"(\d+) (found|lost|undelivered to) 127\.0\.0\.1:(\d+)/(\d+)")


class Process:
    """One live process, with its lines and the times at which they came."""

    def __init__(self, first, port, join, key=None):
        command = [PROGRAM, "live", "-v", "--peers", "30", "--for", "75s", "--shards", "1",
                   "--set", "join=100ms", "--index", f"{first}-{first + 9}",
                   "--bind", f"127.0.0.1:{port}"]
        if join:
            command += ["--join", f"127.0.0.1:{PORT}"]
        if key:
            command += ["--key", key]
        self.port, self.lines = port, []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip()))

    def events(self, what, port, since):
        """When seats of this process noted this about seats behind this port, as (time, seat)."""
        found = []
        for at, line in list(self.lines):
            match = LINE.search(line)
            if at >= since and match and match[2] == what and int(match[3]) == port:
                found.append((at - since, int(match[1])))
        return found


def main():
    if not PROGRAM.exists():
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder) / "victim.key")


def measure(key):
    """Runs the processes and prints the table; the victim has this key in both of its lives."""
    hub = Process(0, PORT, join=False)
    time.sleep(0.5)
    other = Process(10, PORT + 1, join=True)
    victim = Process(20, PORT + 2, join=True, key=key)
    time.sleep(17)
    killed = time.monotonic()
    victim.process.send_signal(signal.SIGKILL)
    time.sleep(16)
    restarted = time.monotonic()
    again = Process(20, PORT + 2, join=True, key=key)
    time.sleep(20)
    failed = False

    def show(what, times, bound):
        nonlocal failed
        late = not times or max(times) > bound
        failed |= late
        shown = f"{min(times):6.2f} to {max(times):6.2f} s" if times else "never"
        print(f"{what:<58} {shown:>18}   at most {bound:.0f} s{'   TOO LATE' if late else ''}")

    survivors = [hub, other]
    until = restarted - killed
    lost = [t for p in survivors for t, _ in p.events("lost", PORT + 2, killed) if t < until]
    told = [t for p in survivors for t, _ in p.events("undelivered to", PORT + 2, killed)
            if t < until]
    found = [t for p in survivors for t, _ in p.events("found", PORT + 2, restarted)]
    inside = {}
    for port in (PORT, PORT + 1):
        for at, seat in again.events("found", port, restarted):
            inside.setdefault(seat, at)
    print(f"{len(lost)} links to killed peers, {len(told)} undelivered messages")
    show("neighbors of killed peers notice, after the kill", lost, MISSES * HEARTBEAT)
    show("the first undelivered message is told, after the kill", told[:1], TIMEOUT + 1)
    show("restarted peers are neighbors again, after the restart", found[:1], 30)
    show(f"{len(inside)} of 10 restarted peers have a neighbor elsewhere", list(inside.values()), 30)
    for process in (other, again, hub):
        process.process.wait()
        process.reader.join()
    print("\nseat 0's table:")
    start = next(i for i, (_, line) in enumerate(hub.lines) if line.startswith("watch: "))
    print("\n".join(line for _, line in hub.lines[start:]))
    sys.exit(1 if failed or len(inside) < 10 else 0)


if __name__ == "__main__":
    main()
