"""A network of nodes on this machine: making it, starting and ending its processes, asking them.

Only processes that were started here are ever ended: a pid counts only while its command line names our configuration.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

# A node that is not answering after this many seconds has failed: opening takes well below one.
START_SECONDS = 60
# An orderly stop flushes the index.
STOP_SECONDS = 30


class NetworkError(Exception):
    """Something that the user can mend; the text says how."""


class Node:
    """One node of the network."""

    def __init__(self, directory, description):
        self.name = description["name"]
        self.role = description["role"]
        self.rpc = description["rpc"]
        self.peer = description["peer"]
        self.config = Path(description["config"])
        self.network = description["network"]
        self.directory = Path(directory) / self.name
        self.log = self.directory / "log"

    @property
    def pid_file(self):
        return self.directory / "pid"

    def pid(self):
        """Its process, if it runs."""
        try:
            pid = int(self.pid_file.read_text())
            command = command_line(pid)
        except (OSError, ValueError):
            return None
        return pid if str(self.config).encode() in command else None

    def start(self, binary):
        """Starts its process; it logs to its own file."""
        if self.pid() is not None:
            return
        for address in (self.rpc_address(), self.network_address()):
            check_free(address)
        command = [str(binary), "node", "run", "--config", str(self.config)]
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.pid_file.write_text(f"{process.pid}\n")

    def end(self, how):
        """Sends a signal and waits until the process is gone."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, how)
        deadline = time.monotonic() + STOP_SECONDS
        while self.pid() is not None and not is_zombie(pid):
            if time.monotonic() > deadline:
                raise NetworkError(f"{self.name} (process {pid}) does not end; see {self.log}")
            time.sleep(0.02)
        reap(pid)
        self.pid_file.unlink(missing_ok=True)

    def stop(self):
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def rpc_address(self):
        host, port = self.rpc.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    def network_address(self):
        _, _, host, _, port = self.network.split("/")[:5]
        return host, int(port)

    def call(self, method, timeout=10, **params):
        """One JSON-RPC call; None if the node does not answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.rpc, data=body, headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                reply = json.load(answer)
        except (OSError, urllib.error.URLError, ValueError):
            return None
        if "error" in reply:
            raise NetworkError(f"{self.name}: {method}: {reply['error']['message']}")
        return reply["result"]

    def status(self):
        """One row of `testnet status`."""
        pid = self.pid()
        answer = self.call("chain_getStatus", timeout=2) if pid is not None else None
        row = {"name": self.name, "role": self.role, "pid": pid, "rpc": self.rpc, "peer": self.peer}
        row["height"] = int(answer["height"]) if answer else None
        row["state"] = answer["state"] if answer else ("stopped" if pid is None else "starting")
        return row

    def height(self):
        answer = self.call("chain_getStatus", timeout=2)
        return int(answer["height"]) if answer else None

    def last_log_lines(self, count=8):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        except OSError:
            return "(no log)"


class Network:
    """All nodes of a directory."""

    def __init__(self, directory):
        self.directory = Path(directory).resolve()
        path = self.directory / "testnet.json"
        try:
            self.description = json.loads(path.read_text())
        except FileNotFoundError:
            raise NetworkError(f"there is no network in {self.directory}; start one with: scripts/testnet up") from None
        self.nodes = [Node(self.directory, node) for node in self.description["nodes"]]
        self.chain = self.description["chain"]

    def node(self, name):
        for node in self.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.nodes)
        raise NetworkError(f"there is no node {name!r}; there are {names}")

    def start(self, binary):
        for node in self.nodes:
            node.start(binary)

    def stop(self):
        # Told all at once, they end together.
        for node in self.nodes:
            pid = node.pid()
            if pid is not None:
                os.kill(pid, signal.SIGTERM)
        for node in self.nodes:
            node.stop()

    def wait_for_height(self, height, nodes=None, seconds=START_SECONDS):
        """Waits until these nodes, or all, have a final block of this height."""
        deadline = time.monotonic() + seconds
        for node in nodes or self.nodes:
            while True:
                reached = node.height()
                if reached is not None and reached >= height:
                    break
                if node.pid() is None or is_zombie(node.pid()):
                    raise NetworkError(f"{node.name} has ended. Its last words:\n{node.last_log_lines()}")
                if time.monotonic() > deadline:
                    raise NetworkError(
                        f"{node.name} is at height {reached} after {seconds} s, not at {height}. "
                        f"Its last words:\n{node.last_log_lines()}"
                    )
                time.sleep(0.05)


def make(binary, directory, validators, observers, base_port, extra=()):
    """Makes the files of a new network."""
    command = [
        str(binary), "testnet", "generate", "--dir", str(Path(directory).resolve()), "--validators", str(validators),
        "--observers", str(observers), "--base-port", str(base_port), *extra,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise NetworkError(result.stderr.strip())
    return Network(directory)


def remove(directory):
    """Removes the files of a network that is down."""
    directory = Path(directory).resolve()
    if (directory / "testnet.json").exists():
        shutil.rmtree(directory)


def check_free(address):
    """Refuses a port that somebody else listens at."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(address)
    except OSError:
        host, port = address
        raise NetworkError(
            f"port {port} on {host} is in use; end what uses it, or choose others with --base-port"
        ) from None
    finally:
        probe.close()


def command_line(pid):
    """A process's arguments. While it is just being started they are empty for a moment."""
    while True:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if command or is_zombie(pid):
            return command.split(b"\0")
        time.sleep(0.001)


def is_zombie(pid):
    """Whether a process has ended and only waits for its parent to notice."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def reap(pid):
    """Notices the end of a child; another's child is its parent's to notice."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
