"""Searches over many architectures and columns: skdense, its fits side by side, and MLPClassifier.

And over rates of a large network, whose fits gain nothing by that.
Run ``python benchmarks/searches.py``; ``--help`` tells the rest. Each search runs in a process of
its own, where TensorFlow has been imported but has not run, so that compiling counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from statistics import median

from _peers import MLP
from _processes import run_fresh
from _report import format_table, times_table
from _searching import (
    PLAIN,
    SIDE_BY_SIDE,
    count_architectures,
    time_large,
    time_selection,
    time_widths,
)
from _sections import Figure, Result, Section, command_line, run_sections
from _timing import in_turns, paired_ratio

DTYPE = "float64"


def compare_widths(options: argparse.Namespace) -> Result:
    """Search over widths, most of which differ."""
    work = {"n_candidates": 60, "n_folds": 5, "n_rows": 1_000, "n_columns": 20, "widest": 256}
    if options.quick:
        work = {"n_candidates": 4, "n_folds": 2, "n_rows": 60, "n_columns": 4, "widest": 12}
    contestants = (PLAIN, SIDE_BY_SIDE, MLP)
    runs = {peer: partial(run_fresh, time_widths, peer=peer, **work) for peer in contestants}
    found = in_turns(runs, options.repeats or 1)
    seconds = {peer: [result["seconds"] for result in found[peer]] for peer in contestants}
    scores = {peer: found[peer][0]["score"] for peer in contestants}
    took = {peer: median(own) for peer, own in seconds.items()}
    figures = [
        Figure("side by side / plain", took[SIDE_BY_SIDE] / took[PLAIN]),
        Figure("side by side / MLP's", took[SIDE_BY_SIDE] / took[MLP]),
        Figure("programs, plain", found[PLAIN][0]["programs"]),
        Figure("programs, side by side", found[SIDE_BY_SIDE][0]["programs"]),
    ]
    title = (
        f"random search: {work['n_candidates']} candidates x {work['n_folds']} folds of "
        f"{work['n_rows']} x {work['n_columns']}, 4 to {work['widest']} units"
    )
    table = times_table("search, s", seconds, scores, digits=2)
    return Result(title, DTYPE, table, {"search": seconds}, figures, scores)


def compare_selections(options: argparse.Namespace) -> Result:
    """Leave out columns one by one, and choose some one by one."""
    work = {"n_rows": 500, "n_columns": 30, "n_kept": 5}
    if options.quick:
        work = {"n_rows": 60, "n_columns": 4, "n_kept": 2}
    runs = {peer: partial(run_fresh, time_selection, peer=peer, **work) for peer in (PLAIN, MLP)}
    found = in_turns(runs, options.repeats or 1)
    tasks = [*found[PLAIN][0]]
    seconds = {
        task: {peer: [result[task] for result in found[peer]] for peer in runs} for task in tasks
    }
    took = {task: {peer: median(own) for peer, own in seconds[task].items()} for task in tasks}
    rows = [[task, *(f"{took[task][peer]:.2f}" for peer in runs)] for task in tasks]
    figures = [Figure(f"{task} / MLP's", took[task][PLAIN] / took[task][MLP]) for task in tasks]
    title = f"selection of columns, {work['n_columns']} of {work['n_rows']} rows, in seconds"
    return Result(title, DTYPE, format_table(["", *runs], rows), seconds, figures)


def compare_large(options: argparse.Namespace) -> Result:
    """Search over a network as large as MNIST's, of which one fit keeps all processors busy."""
    work = {"n_rows": 60_000, "n_columns": 784, "units": 128, "epochs": 2}
    if options.quick:
        work = {"n_rows": 200, "n_columns": 8, "units": 4, "epochs": 1}
    runs = {
        peer: partial(run_fresh, time_large, peer=peer, **work) for peer in (PLAIN, SIDE_BY_SIDE)
    }
    found = in_turns(runs, options.repeats or (1 if options.quick else 3))
    seconds = {peer: [result["seconds"] for result in found[peer]] for peer in runs}
    scores = {peer: found[peer][0]["score"] for peer in runs}
    ratio = paired_ratio(seconds[SIDE_BY_SIDE], seconds[PLAIN])
    title = f"4 rates x 2 folds of {work['n_rows']:,} x {work['n_columns']}, {work['units']} units"
    table = times_table("search, s", seconds, scores, digits=2)
    figures = [Figure("side by side / plain", ratio, at_most=1.05)]
    return Result(title, "float32", table, {"search": seconds}, figures, scores)


def compare_architectures(options: argparse.Namespace) -> Result:
    """Fit more architectures in one process than the system has room for at once."""
    number, deepest = (10, 1) if options.quick else (1_000, 6)
    found = run_fresh(count_architectures, n_architectures=number, deepest=deepest)
    tenths = found["seconds"]
    rows = [
        [f"{number}", f"{seconds:.1f}", f"{grown:.0f}"]
        for number, (seconds, grown) in enumerate(zip(tenths, found["grown"], strict=True), start=1)
    ]
    figures = [
        Figure("last tenth / second tenth", tenths[-1] / tenths[1], at_most=1.3),
        Figure("memory at the end / at half", found["grown"][-1] / found["grown"][4], at_most=1.2),
        Figure("programs", found["programs"]),
    ]
    title = f"{number} architectures in one process"
    table = format_table(["tenth", "s", "memory grown, MB"], rows)
    return Result(title, DTYPE, table, {"fits": {PLAIN: tenths}}, figures)


SECTIONS: dict[str, Section] = {
    "widths": compare_widths,
    "columns": compare_selections,
    "large": compare_large,
    "architectures": compare_architectures,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    parser = command_line(str(__doc__), list(SECTIONS), "1")
    run_sections(parser.parse_args(argv), SECTIONS)


if __name__ == "__main__":
    main()
