"""Building Cairn, and finding what was built.

CAIRN_PROFILE chooses cargo's profile: release unless it says otherwise. CI says dev, because the tests have built that
already. CARGO_TARGET_DIR is cargo's own and is honoured.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class BuildError(Exception):
    """Cairn could not be built; the text says what to do."""


def profile():
    return os.environ.get("CAIRN_PROFILE", "release")


def target_directory():
    """Where cargo puts what it builds."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    try:
        output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise BuildError("cargo is not installed: see https://rustup.rs") from None
    except subprocess.CalledProcessError as error:
        raise BuildError(f"cargo metadata failed:\n{error.stderr}") from None
    return Path(json.loads(output)["target_directory"])


def binary():
    """The cairn program of the chosen profile, built if it is not up to date."""
    directory = target_directory()
    name = profile()
    path = directory / ("debug" if name == "dev" else name) / "cairn"
    quiet = [] if sys.stderr.isatty() or not path.exists() else ["--quiet"]
    # All of the workspace decides the features of what it depends on, so that tests and this build share it.
    command = ["cargo", "build", "--workspace", "--bin", "cairn", "--locked", "--profile", name, *quiet]
    if not path.exists():
        print(f"Building Cairn ({name}); the first time takes several minutes.", file=sys.stderr, flush=True)
    result = subprocess.run(command, cwd=ROOT, check=False)
    if result.returncode != 0:
        raise BuildError(f"`{' '.join(command)}` failed; what cargo printed above says why")
    return path
