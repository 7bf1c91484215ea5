"""What scripts/demo tells: its lines, its checks and its data."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from . import build

BOLD, GREEN, RED, DIM, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[2m", "\033[0m")
if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
    BOLD = GREEN = RED = DIM = PLAIN = ""


class Story:
    """Prints what happens, and remembers what was seen to hold."""

    def __init__(self):
        self.claims = []
        self.began = time.monotonic()

    def chapter(self, text):
        print(f"\n{BOLD}{text}{PLAIN}", flush=True)

    def say(self, text):
        print(f"  {text}", flush=True)

    def detail(self, text):
        for line in text.rstrip().splitlines():
            print(f"    {DIM}{line}{PLAIN}", flush=True)

    def check(self, claim, holds, seen=""):
        """Notes whether a claim held, and shows it."""
        self.claims.append((claim, bool(holds)))
        mark = f"{GREEN}✓{PLAIN}" if holds else f"{RED}✗{PLAIN}"
        print(f"  {mark} {claim}{f'  {DIM}{seen}{PLAIN}' if seen else ''}", flush=True)
        return holds

    def end(self):
        """Sums up; the exit status."""
        failed = [claim for claim, holds in self.claims if not holds]
        seconds = time.monotonic() - self.began
        self.chapter(f"{len(self.claims) - len(failed)} of {len(self.claims)} claims were seen to hold, in {seconds:.0f} s")
        for claim in failed:
            print(f"  {RED}✗{PLAIN} {claim}")
        return 1 if failed else 0


class Progress:
    """A line that counts up while something takes its time."""

    def __init__(self, what, total):
        self.what, self.total, self.done = what, total, 0
        self.live = sys.stdout.isatty()
        self.began = time.monotonic()

    def step(self, count=1):
        self.done += count
        if self.live:
            width = 30
            filled = width * self.done // max(self.total, 1)
            bar = "█" * filled + "·" * (width - filled)
            print(f"\r  {bar} {self.done}/{self.total} {self.what}", end="", flush=True)

    def end(self):
        seconds = time.monotonic() - self.began
        start = "\r\033[K" if self.live else ""
        print(f"{start}  {self.done} {self.what} in {seconds:.1f} s", flush=True)


class Cairn:
    """The command line, against one node or none."""

    def __init__(self, binary, rpc=None):
        self.binary, self.rpc = str(binary), rpc

    def run(self, *arguments, rpc=None):
        """Runs a command; its exit status, its JSON and its errors."""
        environment = dict(os.environ)
        url = rpc or self.rpc
        if url:
            environment["CAIRN_RPC"] = url
        command = [self.binary, *map(str, arguments), "--json"]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        try:
            answer = json.loads(result.stdout) if result.stdout.strip() else {}
        except ValueError:
            answer = {}
        return result.returncode, answer, result.stderr.strip()

    def must(self, *arguments, rpc=None):
        """Runs a command that has to succeed; its JSON."""
        status, answer, errors = self.run(*arguments, rpc=rpc)
        if status != 0:
            shown = " ".join(map(str, arguments))
            raise DemoError(f"`cairn {shown}` failed with status {status}: {errors or json.dumps(answer)}")
        return answer

    def show(self, *arguments):
        """Runs a command as a person would; its exit status and what it prints."""
        result = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr


class DemoError(Exception):
    """Something that the demo rests on did not work."""


def split_by_day(source, column, prefix, directory, first=0, days=None):
    """Writes one CSV file a day, each with the header; the files in order, and the readings in each."""
    with open(build.ROOT / "tests" / "data" / source, newline="") as file:
        header, *rows = list(csv.reader(file))
    by_day = {}
    for row in rows:
        by_day.setdefault(row[column][:10].replace("/", "-"), []).append(row)
    chosen = sorted(by_day)[first:None if days is None else first + days]
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for day in chosen:
        path = directory / f"{prefix}-{day}.csv"
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(by_day[day])
        files.append(Path(path))
    return files
