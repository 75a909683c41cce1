"""What it takes to make a matrix of a raw table: mixed columns, and very many texts.

Run ``python benchmarks/tables.py``; ``--help`` tells the rest. The contestants learn the columns of
a table of pandas and encode it: the encoder of KerasTabular*, scikit-learn's OrdinalEncoder beside
numbers that stay as they are, and HistGradientBoosting, which bins the numbers and encodes the
categories, with a single stump. Each runs in processes of its own; memory is what it takes besides
the table. No contestant makes a matrix of indicators.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from statistics import median

from _encoding import MANY_TEXTS, MIXED, PEERS, SKDENSE, time_encoding
from _processes import run_fresh
from _report import format_table
from _sections import Figure, Result, Section, Series, command_line, run_sections
from _timing import in_turns

N_ROWS = 1_000_000
MOST_OF_PEERS, MOST_MEGABYTES = 3.0, 500


def compare(kind: str, options: argparse.Namespace) -> Result:
    """Time and watch processes that encode a table."""
    n_rows = 5_000 if options.quick else N_ROWS
    runs = {
        peer: partial(run_fresh, time_encoding, peer=peer, kind=kind, n_rows=n_rows)
        for peer in (SKDENSE, *PEERS[kind])
    }
    measured = in_turns(runs, options.repeats or (1 if options.quick else 5))
    seconds, memory = (
        {peer: [run[quantity] for run in own] for peer, own in measured.items()}
        for quantity in ("seconds", "megabytes")
    )
    took = {peer: median(own) for peer, own in seconds.items()}
    rows = [
        [peer, f"{took[peer]:.2f}", f"{min(own):.2f}-{max(own):.2f}", f"{median(memory[peer]):.0f}"]
        for peer, own in seconds.items()
    ]
    figures = [
        Figure(f"time / {peer}'s", took[SKDENSE] / took[peer], MOST_OF_PEERS)
        for peer in PEERS[kind]
    ]
    figures.append(Figure("memory, MB", median(memory[SKDENSE]), MOST_MEGABYTES))
    title = f"{n_rows:,} rows, {kind}: learn and encode, medians of {len(seconds[SKDENSE])}"
    table = format_table(["", "seconds", "range", "MB"], rows)
    times: Series = {"encode": seconds}
    return Result(title, "float32", table, times, figures, others={"memory": {"encode": memory}})


SECTIONS: dict[str, Section] = {kind: partial(compare, kind) for kind in (MIXED, MANY_TEXTS)}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    options = command_line(__doc__, list(SECTIONS), "5").parse_args(argv)
    run_sections(options, SECTIONS)


if __name__ == "__main__":
    main()
