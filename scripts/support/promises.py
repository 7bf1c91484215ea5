"""What Cairn promises, and the command that shows each.

A promise is a figure that a command prints as a line `figure NAME VALUE`, and a bound that it must keep. Several promises
may rest on one command, which then runs once.
"""

import operator
import re
from dataclasses import dataclass

# How a figure is compared with its bound.
COMPARISONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq}


@dataclass(frozen=True)
class Promise:
    """One promise. `size` is what the environment says of how much the command does: what CI has time for, and what a
    machine that may take hours is asked for."""

    name: str
    words: str
    figure: str
    comparison: str
    bound: float
    command: str
    # Whether the figure depends on what else the machine does. CI tells it; only the others turn CI red.
    is_timed: bool = False
    quick: str = ""
    slow: str = ""
    quick_arguments: str = ""

    def goal(self):
        return f"{self.words} ({self.comparison} {self.bound:g})"

    def command_line(self, is_quick):
        size, arguments = (self.quick, self.quick_arguments) if is_quick else (self.slow, "")
        return f"{size} {self.command} {arguments}".strip()

    def holds(self, figure):
        return figure is not None and COMPARISONS[self.comparison](figure, self.bound)


def test(target, filter_="", one_thread=False):
    """The command that runs tests so that their figures are seen."""
    threads = " --test-threads=1" if one_thread else ""
    return f"cargo test --workspace --locked --{target} -- --nocapture{threads}{' ' + filter_ if filter_ else ''}"


SIMULATION = dict(
    command=test("bin cairn", "simulation"), quick="CAIRN_SIM_SEEDS=20000", slow="CAIRN_SIM_SEEDS=200000",
)
CRASH = dict(
    command=test("test crash"), quick="CAIRN_CRASH_POINTS=50000", slow="CAIRN_CRASH_POINTS=1000000",
)
CHAOS = dict(
    command=test("test chaos", one_thread=True),
    quick="CAIRN_CHAOS_KILLS=100 CAIRN_CHAOS_OPERATIONS=100000",
    slow="CAIRN_CHAOS_KILLS=1000 CAIRN_CHAOS_OPERATIONS=1000000",
)
INPUTS = dict(
    command=test("test fuzz"), quick="CAIRN_HOSTILE_INPUTS=10000000", slow="CAIRN_HOSTILE_INPUTS=1000000000",
)
ATTACKS = dict(
    command=test("test hostile", one_thread=True), quick="CAIRN_HOSTILE_SECONDS=3", slow="CAIRN_HOSTILE_SECONDS=60",
)
# In CI one of them, another one after every commit: its build takes a minute or two.
CANARIES = dict(command="scripts/canaries", quick_arguments="--sample 1")

PROMISES = [
    Promise("simulation-seeds", "whole networks simulated, each from a seed", "simulation_seeds", ">=", 20_000, **SIMULATION),
    Promise("no-fork", "violations of an invariant in them", "simulation_violations", "==", 0, **SIMULATION),
    Promise("forks-are-found", "planted forks that went unnoticed", "forks_missed", "==", 0, **SIMULATION),
    Promise(
        "no-backup-signs-twice", "sign states restored from a backup that signed twice", "restored_backups_signing_twice",
        "==", 0, **SIMULATION,
    ),
    Promise("crash-points", "crash points tried", "crash_points", ">=", 50_000, **CRASH),
    Promise("nothing-lost", "acknowledged and lost at a crash", "crash_lost", "==", 0, **CRASH),
    Promise("nothing-signed-twice", "places signed twice after a crash", "signed_twice", "==", 0, **CRASH),
    Promise("bit-flips", "flipped bits whose damage was served", "bit_flips_served", "==", 0, **CRASH),
    Promise("kills", "nodes killed with SIGKILL", "kills", ">=", 100, **CHAOS),
    Promise("index-damage", "damaged index files from which something wrong was served", "index_damages_served", "==", 0, **CRASH),
    Promise("operations", "operations seen by the black-box checker", "chaos_operations", ">=", 100_000, **CHAOS),
    Promise("no-anomaly", "anomalies that it saw", "chaos_anomalies", "==", 0, **CHAOS),
    Promise("vote-after-kill", "longest time until a killed node votes again, in s", "vote_after_kill_seconds", "<=", 10, is_timed=True, **CHAOS),
    Promise("gap-one-dead", "longest pause between blocks while one of four is down, in s", "gap_one_dead_seconds", "<=", 5, is_timed=True, **CHAOS),
    Promise(
        "finality-one-dead", "p99 of finality with one of four dead, to that undisturbed", "finality_p99_ratio_one_dead",
        "<=", 2, is_timed=True, **CHAOS,
    ),
    Promise("hostile-inputs", "hostile inputs to every decoder, the rules, proofs and RPC", "hostile_inputs", ">=", 10_000_000, **INPUTS),
    Promise("no-input-fails", "inputs that made something panic, hang or disagree", "hostile_input_failures", "==", 0, **INPUTS),
    Promise("input-memory", "memory that they cost at most, in MB", "hostile_input_growth_mb", "<=", 64, **INPUTS),
    Promise("attack-throughput", "honest throughput under attack, to that undisturbed", "hostile_throughput_ratio", ">=", 0.5, is_timed=True, **ATTACKS),
    Promise("attack-memory", "memory that an attacked node grows by, in MB", "hostile_memory_growth_mb", "<=", 64, is_timed=True, **ATTACKS),
    Promise("attacks-repelled", "attacks that were not repelled", "hostile_failures", "==", 0, **ATTACKS),
    Promise("canaries", "planted bugs that were not found", "canaries_missed", "==", 0, **CANARIES),
]


def figures(output):
    """The figures in what a command printed; of one that is printed several times the last counts."""
    return {name: float(value) for name, value in re.findall(r"^figure (\w+) (-?[\d.]+)\s*$", output, flags=re.MULTILINE)}
