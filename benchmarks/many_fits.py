"""A thousand fits in one process: the time of each hundred, memory and threads.

Run ``python benchmarks/many_fits.py``; ``--help`` tells the rest. Ten architectures take turns, at
learning rates, seeds and numbers of rows that differ from fit to fit, as in a search. Each
contestant has a process of its own, and they take turns, a hundred fits each; memory is looked at
after garbage has been collected.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from math import isnan
from statistics import median
from typing import Any

from _data import generate
from _memory import live_threads, resident_megabytes
from _peers import MLP, SKDENSE, mlp_classifier
from _processes import FreshProcess
from _report import format_table
from _sections import Figure, Result, Section, Series, command_line, run_sections

import skdense

ARCHITECTURES = [
    {"units": units, "activation": activation}
    for units in ((8,), (16,), (32,), (12, 12), (24, 12))
    for activation in ("relu", "tanh")
]
MOST_GROWTH = 20  # MB after the first hundred
MOST_OF_SECOND = 1.1
MEMORY, THREADS = "megabytes", "threads"


@dataclass(frozen=True)
class ManyFits:
    """Fits of small networks on small tables."""

    n_hundreds: int = 10
    n_fits: int = 100
    n_rows: int = 250
    n_features: int = 10
    batch_size: int = 12
    epochs: int = 20
    repeats: int = 3

    def __str__(self) -> str:
        return (
            f"{self.n_hundreds} times {self.n_fits} fits of {len(ARCHITECTURES)} architectures, "
            f"{self.n_rows} x {self.n_features} in float32, batch {self.batch_size}, "
            f"{self.epochs} epochs"
        )


def fit_hundred(setting: dict[str, Any], peer: str, number: int) -> dict[str, float]:
    """Fit a hundred networks; returns the time, and memory and threads after it."""
    own = ManyFits(**setting)
    X, y = generate(own.n_rows, own.n_features, 3)
    first = number * own.n_fits
    networks = [NETWORKS[peer](own, i) for i in range(first, first + own.n_fits)]
    started = time.perf_counter()
    for i, network in enumerate(networks):
        n_rows = own.n_rows - i % 3  # as the folds of a cross-validation differ
        network.fit(X[:n_rows], y[:n_rows])
    seconds = time.perf_counter() - started
    if {network.n_iter_ for network in networks} != {own.epochs}:
        raise RuntimeError(f"Every network must run {own.epochs} epochs.")
    del networks, network
    gc.collect()
    return {"seconds": seconds, MEMORY: resident_megabytes(), THREADS: live_threads()}


def _rate(i: int) -> float:
    return 0.001 * (1 + i % 7)


def _skdense(own: ManyFits, i: int) -> Any:
    return skdense.KerasDenseClassifier(
        **ARCHITECTURES[i % len(ARCHITECTURES)],
        batch_size=own.batch_size,
        epochs=own.epochs,
        learning_rate=_rate(i),
        random_state=i,
    )


def _mlp(own: ManyFits, i: int) -> Any:
    architecture = ARCHITECTURES[i % len(ARCHITECTURES)]
    network = mlp_classifier(
        own.epochs,
        own.batch_size,
        hidden_layer_sizes=architecture["units"],
        activation=architecture["activation"],
        learning_rate_init=_rate(i),
    )
    return network.set_params(random_state=i)


NETWORKS: dict[str, Callable[[ManyFits, int], Any]] = {SKDENSE: _skdense, MLP: _mlp}


def compare(setting: ManyFits) -> Result:
    """Let the contestants fit, each repeat in new processes."""
    measured: dict[str, Series] = {}
    for _ in range(setting.repeats):
        for number, found in enumerate(one_run(setting)):
            for peer, values in found.items():
                for quantity, value in values.items():
                    task = measured.setdefault(quantity, {}).setdefault(f"fits {number + 1}", {})
                    task.setdefault(peer, []).append(value)
    seconds = measured.pop("seconds")
    title = f"{setting}, medians of {setting.repeats}"
    table = hundreds_table(setting, seconds, measured)
    found = figures(setting, seconds, measured)
    return Result(title, "float32", table, seconds, found, others=measured)


def one_run(setting: ManyFits) -> list[dict[str, dict[str, float]]]:
    """Return what each contestant measured, for each hundred."""
    with ExitStack() as stack:
        processes = {peer: stack.enter_context(FreshProcess()) for peer in NETWORKS}
        return [
            {
                peer: process.call(fit_hundred, setting=asdict(setting), peer=peer, number=number)
                for peer, process in processes.items()
            }
            for number in range(setting.n_hundreds)
        ]


def hundreds_table(setting: ManyFits, seconds: Series, others: dict[str, Series]) -> str:
    """Return a line for each hundred."""
    rows = []
    for number, (task, times) in enumerate(seconds.items()):
        cells = [f"{number * setting.n_fits + 1}-{(number + 1) * setting.n_fits}"]
        for peer in NETWORKS:
            cells.append(f"{median(times[peer]):.3f}")
            cells.append(f"{min(times[peer]):.3f}-{max(times[peer]):.3f}")
            cells.append(f"{median(others[MEMORY][task][peer]):.1f}")
            cells.append(f"{median(others[THREADS][task][peer]):.0f}")
        rows.append(cells)
    header = [cell for peer in NETWORKS for cell in (f"{peer}, s", "range", "MB", "threads")]
    return format_table(["fits", *header], rows)


def figures(setting: ManyFits, seconds: Series, others: dict[str, Series]) -> list[Figure]:
    """Sum up what grew since the first hundred, which compiles; the first two, beside the peer."""
    tasks = list(seconds)
    first, second, last = tasks[0], tasks[1], tasks[-1]

    def change(quantity: str, peer: str) -> float:
        pairs = zip(others[quantity][last][peer], others[quantity][first][peer], strict=True)
        return median(end - start for end, start in pairs)

    def slowdown(peer: str) -> float:
        pairs = zip(seconds[last][peer], seconds[second][peer], strict=True)
        return median(end / start for end, start in pairs)

    whole = {peer: sum(median(times[peer]) for times in seconds.values()) for peer in NETWORKS}
    found = [
        Figure("last hundred / second hundred", slowdown(SKDENSE), MOST_OF_SECOND),
        Figure("the same of MLP", slowdown(MLP)),
        Figure("threads more than after the first", change(THREADS, SKDENSE)),
        Figure("last hundred / MLP's", median(seconds[last][SKDENSE]) / median(seconds[last][MLP])),
        Figure("all fits, compiling included / MLP's", whole[SKDENSE] / whole[MLP]),
    ]
    if not isnan(growth := change(MEMORY, SKDENSE)):
        found.insert(0, Figure("memory growth after the first hundred, MB", growth, MOST_GROWTH))
        found.insert(1, Figure("the same of MLP, MB", change(MEMORY, MLP)))
    return found


def run_fits(options: argparse.Namespace) -> Result:
    """Compare a thousand fits."""
    quick = {"n_hundreds": 3, "n_fits": 10, "epochs": 2} if options.quick else {}
    repeats = {"repeats": options.repeats} if options.repeats else {}
    return compare(ManyFits(**quick, **repeats))


SECTIONS: dict[str, Section] = {"fits": run_fits}


def main(argv: Sequence[str] | None = None) -> None:
    """Fit a thousand networks."""
    run_sections(command_line(__doc__, list(SECTIONS), "3").parse_args(argv), SECTIONS)


if __name__ == "__main__":
    main()
