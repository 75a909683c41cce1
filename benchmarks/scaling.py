"""Time and memory of a fit as rows, features and units grow; CSR and memory-mapped input.

Run ``python benchmarks/scaling.py``; ``--help`` tells the rest. Every fit runs in a process of its
own, in float32, after one of the same architecture on a thousand rows: times have no compiling
in them, and peaks of memory, which include the input, are those above the tiny fit's. Times are
medians of several fits. MLPClassifier fits the same.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from _fit_at_size import NETWORKS, Size, time_fit, write_map
from _peers import MLP, SKDENSE
from _processes import run_fresh
from _report import format_table
from _sections import Figure, Result, Section, command_line, run_sections
from _workloads import joined

MOST_UNEVEN = 1.25  # time per row, the slowest by the fastest, from FEWEST_ROWS on
FEWEST_ROWS = 100_000
MOST_MEMORY = 1.3  # of dense input, which it includes
MOST_OF_DENSE = 0.25  # of what CSR input would take
MOST_OF_MAP = 0.1  # besides pages of files
PEAK, ANONYMOUS = "peak", "anonymous"

ROWS = [Size(10**power, 20, (64, 64), 1024) for power in range(3, 8)]
FEATURES = [Size(20_000, n, (128,)) for n in (10, 30, 100, 300, 1_000, 2_000)]
UNITS = [Size(20_000, 20, (n, n)) for n in (16, 64, 256, 1_024, 2_048)]
SPARSE = [Size(200_000, 1_000, (64,), layout=layout) for layout in ("dense", "CSR")]
MEMORY = [Size(1_000_000, 100, (64,), 1024)]
MAPS = [Size(1_000_000, 250, (64,), 1024, layout="map")]
FULL_MAPS = [Size(1_000_000, 1_000, (64,), 1024, layout="map")]

Found = dict[str, dict[str, dict[str, Any]]]  # by size, then by contestant


def measure(sizes: Sequence[Size], options: argparse.Namespace) -> Found:
    """Let the contestants take turns at each size."""
    found: Found = {}
    for size in sizes:
        run = partial(run_fresh, time_fit, size=asdict(size))
        if size.layout == "map":
            run_fresh(write_map, size=asdict(size))
        found[label(size)] = {
            peer: run(peer=peer, n_times=options.repeats or 3) for peer in NETWORKS
        }
    return found


def label(size: Size) -> str:
    """Return a short name."""
    layout = "" if size.layout == "dense" else f" {size.layout}"
    return f"{size.n_rows:,} x {size.n_features:,}{layout}, units {joined(size.units)}"


def section(name: str, sizes: Sequence[Size], options: argparse.Namespace) -> Result:
    """Measure some sizes, and sum up what counts of them."""
    if options.quick:
        sizes = [quick(size) for size in sizes[:2]]
    elif options.full and sizes is MAPS:
        sizes = FULL_MAPS
    with tempfile.TemporaryDirectory() as own:
        folder = str(options.data or own)
        sizes = [replace(size, folder=folder) for size in sizes]
        found = measure(sizes, options)
    seconds, *others = (
        {
            at: {peer: _list(result[quantity]) for peer, result in peers.items()}
            for at, peers in found.items()
        }
        for quantity in ("seconds", PEAK, ANONYMOUS)
    )
    batches = " or ".join(sorted({str(size.batch_size) for size in sizes}))
    title = f"{name}: float32, batch {batches}, {sizes[0].epochs} epochs, medians of several fits"
    return Result(
        title,
        "float32",
        sizes_table(sizes, found),
        seconds,
        FIGURES[name](sizes, found),
        others=dict(zip((f"megabytes, {PEAK}", f"megabytes, {ANONYMOUS}"), others, strict=True)),
    )


def _list(value: Any) -> list[float]:
    return value if isinstance(value, list) else [value]


def quick(size: Size) -> Size:
    """Return a size that takes no time."""
    return replace(size, n_rows=min(size.n_rows, 2_000), epochs=1)


def sizes_table(sizes: Sequence[Size], found: Found) -> str:
    """Return a line for each contestant at each size."""
    rows = []
    for size in sizes:
        for peer, result in found[label(size)].items():
            fit = median(result["seconds"])
            cells = [f"{label(size)}: {peer}", f"{fit:.3f}"]
            cells.append(f"{min(result['seconds']):.3f}-{max(result['seconds']):.3f}")
            cells.append(f"{1e6 * fit / (size.n_rows * size.epochs):.3f}")
            cells.append(f"{size.workload.gflop / fit:.3g}")
            cells += [f"{result[PEAK]:.0f}", f"{result[ANONYMOUS]:.0f}", f"{size.megabytes:.0f}"]
            rows.append(cells)
    header = ["", "fit, s", "range", "us/row/epoch", "GFLOP/s"]
    return format_table([*header, "peak, MB", "without files", "input, if dense"], rows)


def row_figures(sizes: Sequence[Size], found: Found) -> list[Figure]:
    """Compare the time of a row among the larger tables."""
    each = {
        size.n_rows: median(found[label(size)][SKDENSE]["seconds"]) / size.n_rows
        for size in sizes
        if size.n_rows >= FEWEST_ROWS
    }
    if not each:  # in a quick run
        return peer_figures(sizes, found)
    spread = max(each.values()) / min(each.values())
    name = f"time per row from {min(each):,} to {max(each):,} rows, slowest / fastest"
    return [Figure(name, spread, MOST_UNEVEN), *peer_figures(sizes, found)]


def peer_figures(sizes: Sequence[Size], found: Found) -> list[Figure]:
    """Put the time of a fit in relation to MLPClassifier's."""
    return [
        Figure(
            f"{name}: fit / MLP's",
            median(found[name][SKDENSE]["seconds"]) / median(found[name][MLP]["seconds"]),
        )
        for name in map(label, sizes)
    ]


def memory_figures(
    kind: str, limits: dict[str, float], sizes: Sequence[Size], found: Found
) -> list[Figure]:
    """Put a peak of memory in relation to the input; a limit for each layout."""
    shares = [
        Figure(
            f"{label(size)}: {kind} / dense input",
            found[label(size)][SKDENSE][kind] / size.megabytes,
            limits[size.layout],
        )
        for size in sizes
    ]
    return [*shares, *peer_figures(sizes, found)]


IN_MEMORY = {"dense": MOST_MEMORY, "CSR": MOST_OF_DENSE}
FIGURES = {
    "rows": row_figures,
    "features": peer_figures,
    "units": peer_figures,
    "sparse": partial(memory_figures, PEAK, IN_MEMORY),
    "memory": partial(memory_figures, PEAK, IN_MEMORY),
    "map": partial(memory_figures, ANONYMOUS, {"map": MOST_OF_MAP}),
}
SECTIONS: dict[str, Section] = {
    name: partial(section, name, sizes)
    for name, sizes in (
        ("rows", ROWS),
        ("features", FEATURES),
        ("units", UNITS),
        ("sparse", SPARSE),
        ("memory", MEMORY),
        ("map", MAPS),
    )
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    parser = command_line(__doc__, list(SECTIONS), "3 fits in each process")
    parser.add_argument("--full", action="store_true", help="a map of 4 GB instead of 1 GB")
    parser.add_argument(
        "--data", type=Path, help="folder for the map, to be kept; otherwise a temporary one"
    )
    run_sections(parser.parse_args(argv), SECTIONS)


if __name__ == "__main__":
    main()
