"""Planted bugs, and whether the tests that should find them do.

A canary is a patch in tests/canaries: its first lines say in words what is planted and which command must find it, then
comes the difference. It is applied to a copy of the sources below the target directory, never to the sources
themselves, and built in a target directory of the copy's own, so nothing of it can reach a program that somebody runs.
What was built of other people's crates is linked into that directory; our own crates are built there a second time.

Why not one target directory: cargo names what it builds of a workspace by the place within it, so a copy's crates would
take the place of the real ones.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from . import build

DIRECTORY = Path("tests/canaries")
# A build of all our crates takes two minutes on two quiet cores, the longest test another one.
SECONDS_MAX = 1_200
# What is shown of a command that did not do what it should.
LINES_SHOWN = 30


class CanaryError(Exception):
    """A canary cannot be tried; the text says why."""


class Canary:
    """One planted bug: what the head of its patch says."""

    def __init__(self, name, text):
        self.name = name
        head = re.split(r"^(?:diff --git|--- a/)", text, maxsplit=1, flags=re.MULTILINE)[0]
        self.words = " ".join(head.split("\n\n")[0].split())
        fields = dict(re.findall(r"^(Found by|Says): (.+)$", head, flags=re.MULTILINE))
        if len(fields) != 2 or not self.words:
            raise CanaryError(f"{name}: the head must say what is planted, 'Found by: COMMAND' and 'Says: PATTERN'")
        self.command = shlex.split(fields["Found by"])
        self.says = fields["Says"]

    def without_running(self):
        """The same command, only building: up to what is meant for the tests themselves."""
        end = self.command.index("--") if "--" in self.command else len(self.command)
        return [*(word for word in self.command[:end] if "=" not in word or word.startswith("-")), "--no-run"]


def read_all():
    """All canaries, by name."""
    patches = sorted((build.ROOT / DIRECTORY).glob("*.patch"))
    return [Canary(path.stem, path.read_text()) for path in patches]


def sample(canaries, count):
    """Some of them: other ones after every commit, the same for one commit."""
    head = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=build.ROOT, capture_output=True, text=True)
    turn = int(head.stdout) if head.returncode == 0 else 0
    start = turn * count % max(len(canaries), 1)
    return [canaries[(start + step) % len(canaries)] for step in range(min(count, len(canaries)))]


class Cage:
    """A copy of the sources, in which canaries are let loose."""

    def __init__(self):
        directory = build.target_directory() / "canaries"
        self.tree, self.target = directory / "tree", directory / "target"
        self.tree.mkdir(parents=True, exist_ok=True)
        link_what_is_not_ours(build.target_directory() / "debug", self.target / "debug")
        self.refresh()

    def refresh(self):
        """Makes the copy equal to the sources; what is equal already keeps its time, so that cargo builds it once."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=build.ROOT, check=True, capture_output=True, text=True,
        ).stdout
        wanted = {Path(name) for name in listed.split("\0") if name and (build.ROOT / name).is_file()}
        there = {path.relative_to(self.tree) for path in self.tree.rglob("*") if path.is_file()}
        for extra in there - wanted:
            (self.tree / extra).unlink()
        for name in wanted:
            source, copy = build.ROOT / name, self.tree / name
            bytes_ = source.read_bytes()
            if not copy.exists() or copy.read_bytes() != bytes_:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(bytes_)
                copy.chmod(source.stat().st_mode & 0o777)

    def apply(self, canary):
        patch = build.ROOT / DIRECTORY / f"{canary.name}.patch"
        # Git must not take the copy for a part of the repository around it: it would leave these files alone.
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(self.tree.parent)}
        result = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", str(patch)], cwd=self.tree, env=environment, capture_output=True, text=True
        )
        if result.returncode != 0:
            raise CanaryError(f"{canary.name}: the patch does not fit the sources any more:\n{result.stderr}")

    def run(self, command):
        settings = dict(word.split("=", 1) for word in command if re.match(r"[A-Z_]+=", word))
        words = [word for word in command if not re.match(r"[A-Z_]+=", word)]
        environment = {**os.environ, "CARGO_TARGET_DIR": str(self.target), "RUST_BACKTRACE": "0", **settings}
        return subprocess.run(
            words, cwd=self.tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=SECONDS_MAX, check=False,
        )


def is_caught(cage, canary):
    """Lets one canary loose. Whether it was caught, and in how many seconds; the last lines if it was not.

    Raises CanaryError if the planted bug does not even compile: then nothing was shown.
    """
    cage.refresh()
    cage.apply(canary)
    try:
        built = cage.run(canary.without_running())
        if built.returncode != 0:
            raise CanaryError(f"{canary.name}: it does not build:\n{last_lines(built.stdout)}")
        started = time.monotonic()
        result = cage.run(canary.command)
        seconds = time.monotonic() - started
    finally:
        cage.refresh()
    caught = result.returncode != 0 and re.search(canary.says, result.stdout) is not None
    return caught, seconds, "" if caught else last_lines(result.stdout)


def link_what_is_not_ours(source, copy):
    """Gives the cage's target directory what was built of other people's crates since it was last there, so that only ours
    are built again.

    Files that cargo writes to are copied, the large ones are links.
    """
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=build.ROOT, check=True, capture_output=True, text=True
    ).stdout
    ours = set()
    for package in json.loads(metadata)["packages"]:
        names = [package["name"], *(target["name"] for target in package["targets"])]
        ours.update(form for name in names for form in (name, name.replace("-", "_"), "lib" + name.replace("-", "_")))

    def is_ours(name):
        return name.rpartition("-")[0] in ours

    for part in (".fingerprint", "build", "deps"):
        if not (source / part).is_dir():
            continue
        there = set(os.listdir(copy / part)) if (copy / part).is_dir() else set()
        take = os.link if part == "deps" else shutil.copy2
        for name in os.listdir(source / part):
            if is_ours(name) or name in there:
                continue
            (copy / part).mkdir(parents=True, exist_ok=True)
            if (source / part / name).is_dir():
                shutil.copytree(source / part / name, copy / part / name, copy_function=take)
            else:
                take(source / part / name, copy / part / name)


def last_lines(text):
    return "\n".join(text.splitlines()[-LINES_SHOWN:])
