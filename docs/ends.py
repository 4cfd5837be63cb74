#!/usr/bin/env python3
"""Brings runs to a bad end, and prints what each process said last, and its exit code.

Cases that need root (a full disk, a limit of threads) are passed over without it, and counted.

Usage: cargo build --release && cargo test --release -p peerlet --test panics_on_sockets --no-run
       python3 docs/ends.py [CASE ...]
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERLET = ROOT / "target/release/peerlet"
SCENARIO = """peers = 6
for = "{duration}"
join = "500ms"
[measure]
epoch = "1s"
[stack]
bootstrap = {{}}
neighbors = {{}}
{more}"""
CUT = '[events]\nlines = "0-2 2 Network.cut(\'3-5\')\\n"\n'
CASES, PASSED_OVER = [], []


class Process:
    """One process, with the lines of its standard error and output as they come."""

    def __init__(self, name, *arguments, program=PEERLET, env=None, before=None):
        self.name = name
        self.said, self.printed = [], []
        command = [str(part) for part in (program, *arguments)]
        if before:
            command = ["bash", "-c", before + ' exec "$@"', "bash", *command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, **(env or {})})
        self.readers = [threading.Thread(target=self.read, args=pair) for pair in
                        ((self.process.stderr, self.said), (self.process.stdout, self.printed))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.append(line.rstrip())

    def wait_for(self, pattern, seconds=40):
        """The first line on standard error that has this in it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in list(self.said):
                if found := re.search(pattern, line):
                    return found[1] if found.groups() else line
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} never said `{pattern}`: {self.said}")

    def end(self, seconds=120):
        """Waits for its end; gives its row."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = f"killed after {seconds} s"
        for reader in self.readers:
            reader.join()
        lines = self.said + self.printed
        telling = ("error", "missing", "covered", "void", "heard", "suspended", "blocked", "nobody", "stood")
        told = [line for line in lines if any(word in line for word in telling)]
        # What is said again and again, with other times, is shown once.
        once = {re.sub(r"\d", "", line): line for line in reversed(told)}
        shown = [line for line in told if once[re.sub(r"\d", "", line)] is line]
        return self.name, code, " / ".join(dict.fromkeys(shown[:4])) or "(nothing)"


def case(function):
    CASES.append(function)
    return function


def scenario(folder, duration, more=""):
    path = Path(folder) / "run.toml"
    path.write_text(SCENARIO.format(duration=duration, more=more))
    return path


def two(path, *more):
    """Two processes of three peers each, both at their work."""
    first = Process("seat 0's", "live", path, "--index", "0-2", *more)
    at = first.wait_for(r"reached as \w+@(\S+)")
    second = Process("the other", "live", path, "--index", "3-5", "--join", at, *more)
    second.wait_for("time zero is known")
    return first, second


@case
def panic(folder):
    """a handler panics (live, 2 shards; emulated)"""
    found = sorted((ROOT / "target/release/deps").glob("panics_on_sockets-*"), key=os.path.getmtime)
    programs = [path for path in found if os.access(path, os.X_OK) and not path.suffix]
    if not programs:
        return None
    run = lambda *world: Process(world[0], *world, "--peers", "5", "--for", "1h",
                                 program=programs[-1], env={"BOOM": "1"}).end()
    return [run("live", "--shards", "2"), run("emulate")]


@case
def suspended(folder):
    """SIGSTOP for 4 of 10 s (live), for 3 of 8 s (emulated)"""
    rows = []
    for world, duration, pause in (("live", "10s", 4), ("emulate", "8s", 3)):
        one = Process(world, world, scenario(folder, duration))
        time.sleep(3)
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(pause)
        one.process.send_signal(signal.SIGCONT)
        rows.append(one.end())
    return rows


@case
def seat_0_killed(folder):
    """SIGKILL of seat 0's process"""
    first, second = two(scenario(folder, "6s"))
    time.sleep(2)
    first.process.kill()
    return [first.end(), second.end()]


@case
def other_killed(folder):
    """SIGKILL of the other process"""
    first, second = two(scenario(folder, "6s"))
    time.sleep(2)
    second.process.kill()
    return [first.end(), second.end()]


@case
def interrupted(folder):
    """SIGINT of the other process"""
    first, second = two(scenario(folder, "6s"))
    time.sleep(2)
    second.process.send_signal(signal.SIGINT)
    return [first.end(), second.end()]


@case
def cut(folder):
    """cut off from 2 s to the end of 5 s"""
    first, second = two(scenario(folder, "5s", CUT))
    return [first.end(), second.end()]


@case
def full_disk(folder):
    """a run folder, and a key, on a full disk"""
    if os.geteuid() != 0:
        return None
    disk = Path(folder) / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", disk], check=True)
    try:
        (disk / "fill").write_bytes(b"x" * 4096)
        path = scenario(folder, "1s")
        return [Process("sim -o", "sim", path, "-q", "-o", disk / "run").end(),
                Process("live --key", "live", path, "--key", disk / "key").end()]
    finally:
        subprocess.run(["umount", disk], check=True)


@case
def threads(folder):
    """a limit of 3 threads (another user)"""
    if os.geteuid() != 0:
        return None
    path, user = scenario(folder, "1s"), "ulimit -u 3; set -- setpriv --reuid=65534 --clear-groups \"$@\";"
    os.chmod(folder, 0o755)
    return [Process("sim --threads 8", "sim", path, "--threads", "8", "-q", before=user).end(),
            Process("live", "live", path, before=user).end(),
            Process("emulate", "emulate", path, before=user).end()]


@case
def descriptors(folder):
    """a limit of 64 descriptors"""
    path = scenario(folder, "1s")
    return [Process("emulate --peers 200", "emulate", path, "--peers", "200",
                    before="ulimit -n 64;").end()]


@case
def unspecified(folder):
    """bound to 0.0.0.0, and nobody comes"""
    arguments = ["live", scenario(folder, "2s"), "--index", "0-2", "--start-within", "1s",
                 "--bind", "0.0.0.0:0"]
    return [Process("seat 0's", *arguments).end(),
            Process("with --advertise", *arguments, "--advertise", "127.0.0.1").end()]


@case
def families(folder):
    """an IPv4 socket joins an IPv6 address"""
    return [Process("the other", "live", scenario(folder, "2s"), "--index", "3-5", "--join",
                    "[::1]:7310", "--start-within", "1s").end()]


@case
def names(folder):
    """a name that has no address within --start-within"""
    return [Process("the other", "live", scenario(folder, "2s"), "--index", "3-5", "--join",
                    "nosuch.invalid:7000", "--start-within", "2s").end()]


@case
def another_scenario(folder):
    """processes with different seeds"""
    path = scenario(folder, "2s")
    first = Process("seat 0's", "live", path, "--index", "0-2", "--seed", "1", "--start-within",
                    "5s")
    at = first.wait_for(r"reached as \w+@(\S+)")
    second = Process("the other", "live", path, "--index", "3-5", "--seed", "2", "--join", at)
    return [second.end(), first.end()]


def main():
    if not PEERLET.exists():
        sys.exit(__doc__)
    wanted = sys.argv[1:]
    print("| case | process | exit code | what it said |\n|---|---|---|---|")
    for function in CASES:
        if wanted and function.__name__ not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows = function(folder)
        if rows is None:
            PASSED_OVER.append(function.__name__)
            continue
        for name, code, said in rows:
            print(f"| {function.__doc__} | {name} | {code} | {said.replace('|', chr(92) + '|')} |",
                  flush=True)
    print(f"\n{len(PASSED_OVER)} cases passed over: {', '.join(PASSED_OVER) or 'none'}")


if __name__ == "__main__":
    main()
