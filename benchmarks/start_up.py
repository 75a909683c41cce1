"""What fresh processes take to import, to fit for the first time, and to unpickle and predict.

Run ``python benchmarks/start_up.py``; ``--help`` tells the rest. Every figure is of processes that
do nothing else, one contestant after the other, medians over the repeats. skdense imports
TensorFlow at its first fit; that has a column of its own, so that a first fit, here, begins where
TensorFlow has been imported but has not run. "another's first" is the first fit of another
architecture in the same process, where TensorFlow has run. Keras imports TensorFlow at once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from _peers import KERAS, MLP, SKDENSE, SKORCH
from _processes import CACHE, FreshProcess, run_fresh
from _report import format_table
from _sections import Figure, Result, Section, command_line, run_sections
from _skorch_peer import IS_INSTALLED
from _starting import time_first_fit, time_import, time_prediction, write_fitted
from _timing import in_turns
from _workloads import WORKLOADS, Workload

WITHOUT, COLD, WARM = SKDENSE, f"{SKDENSE}, cold disk cache", f"{SKDENSE}, warm disk cache"
MOST_EXTRA = {WITHOUT: 0.6, WARM: 0.3}  # seconds over a later fit
FIRST_EXTRA, OTHER_EXTRA, WHOLE = DERIVED = "first - later", "another's - later", "start to fitted"
PEERS = [MLP, KERAS, *([SKORCH] if IS_INSTALLED else [])]

Measured = dict[str, list[dict[str, float]]]  # by contestant, for each repeat


def compare_imports(options: argparse.Namespace) -> Result:
    """Time what users of each contestant import."""
    runs = {peer: partial(run_fresh, time_import, peer=peer) for peer in (SKDENSE, *PEERS)}
    measured = in_turns(runs, repeats(options))
    took = medians(measured, "import")
    figures = [Figure(f"import / that of {name}", took[SKDENSE] / took[name]) for name in PEERS]
    return result("import, in seconds", measured, figures)


def compare_first_fits(workload: Workload, options: argparse.Namespace) -> Result:
    """Time first fits, without and with compiled programs on disk."""
    if options.quick:
        workload = replace(workload, n_rows=300, epochs=1)
    run = partial(run_fresh, time_first_fit, workload=asdict(workload))
    with tempfile.TemporaryDirectory() as caches:
        runs: dict[str, Callable[[], Any]] = {
            WITHOUT: partial(run, peer=SKDENSE),
            COLD: partial(run_with_cache, run, Path(caches), is_new=True),
            WARM: partial(run_with_cache, run, Path(caches), is_new=False),
            **{peer: partial(run, peer=peer) for peer in PEERS},
        }
        measured = in_turns(runs, repeats(options))
    for measurements in measured.values():
        for seconds in measurements:
            seconds[FIRST_EXTRA] = seconds["first fit"] - seconds["later fit"]
            seconds[OTHER_EXTRA] = seconds["another's first"] - seconds["later fit"]
            seconds[WHOLE] = sum(
                seconds[phase] for phase in ("import", "TensorFlow's import", "first fit")
            )
    return result(f"{workload}, in seconds", measured, first_fit_figures(measured))


def first_fit_figures(measured: Measured) -> list[Figure]:
    """Sum up what the first fit costs."""
    first, another = medians(measured, FIRST_EXTRA), medians(measured, OTHER_EXTRA)
    whole = medians(measured, WHOLE)
    ours = (WITHOUT, COLD, WARM)
    return [
        *(Figure(f"{name}: {FIRST_EXTRA}, s", first[name], MOST_EXTRA.get(name)) for name in ours),
        *(Figure(f"{name}: {OTHER_EXTRA}, s", another[name]) for name in ours),
        Figure(f"{FIRST_EXTRA} / that of {KERAS}", first[WITHOUT] / first[KERAS]),
        *(Figure(f"{WHOLE} / that of {name}", whole[WITHOUT] / whole[name]) for name in PEERS),
    ]


def run_with_cache(run: Callable[..., Any], caches: Path, *, is_new: bool) -> Any:
    """Fit with programs kept on disk, in a new directory or in the newest one."""
    if is_new:
        tempfile.mkdtemp(dir=caches)
    newest = max(caches.iterdir(), key=lambda path: path.stat().st_ctime_ns)
    measured = run(peer=SKDENSE, environment={CACHE: str(newest)})
    if not any(path.is_file() for path in newest.rglob("*")):
        raise RuntimeError(f"skdense must keep its programs in {newest}. Got none.")
    return measured


def compare_predictions(options: argparse.Namespace) -> Result:
    """Time reading a fitted network and predicting a row; "process" is from start to end."""
    workload = WORKLOADS[1]
    if options.quick:
        workload = replace(workload, n_rows=300, epochs=1)
    row = workload.rows()[0][0].tolist()
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        with FreshProcess() as process:
            for peer in (SKDENSE, *PEERS):
                file = str(Path(folder) / (f"{peer}.keras" if peer == KERAS else f"{peer}.pkl"))
                process.call(write_fitted, peer=peer, workload=asdict(workload), file=file)
                runs[peer] = partial(timed_prediction, peer, file, row)
        measured = in_turns(runs, repeats(options))
    process = medians(measured, "process")
    figures = [
        Figure("loads TensorFlow", medians(measured, "loads TensorFlow")[SKDENSE], 0),
        *(Figure(f"process / that of {name}", process[SKDENSE] / process[name]) for name in PEERS),
    ]
    return result(f"unpickle and predict one row: {workload}, in seconds", measured, figures)


def timed_prediction(peer: str, file: str, row: list[float]) -> dict[str, float]:
    """Time the process as a whole too."""
    started = time.perf_counter()
    measured: dict[str, float] = run_fresh(time_prediction, peer=peer, file=file, row=row)
    return {**measured, "process": time.perf_counter() - started}


def repeats(options: argparse.Namespace) -> int:
    """Return how many processes each contestant gets."""
    return options.repeats or (1 if options.quick else 5)


def medians(measured: Measured, phase: str) -> dict[str, float]:
    """Return the median of a phase for each contestant."""
    return {name: median(run[phase] for run in runs) for name, runs in measured.items()}


def result(title: str, measured: Measured, figures: list[Figure]) -> Result:
    """Return a line for each contestant, with a column for each phase."""
    phases = list(measured[SKDENSE][0])
    by_phase = {
        phase: {name: [run[phase] for run in runs] for name, runs in measured.items()}
        for phase in phases
    }
    rows = [[name, *(cell(phase, by_phase[phase][name]) for phase in phases)] for name in measured]
    count = len(measured[SKDENSE])
    title = f"{title}, medians of {count} processes (and the range)"
    loaded = {phase: by_phase.pop(phase) for phase in phases if phase.startswith("loads")}
    return Result(
        title, "float32", format_table(["", *phases], rows), by_phase, figures, others=loaded
    )


def cell(phase: str, values: list[float]) -> str:
    """Return the median, and the range of what is not derived."""
    shown = f"{median(values):.2f}"
    return shown if phase in DERIVED else f"{shown} ({min(values):.2f}-{max(values):.2f})"


SECTIONS: dict[str, Section] = {
    "import": compare_imports,
    **{workload.name: partial(compare_first_fits, workload) for workload in WORKLOADS},
    "predict": compare_predictions,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    options = command_line(__doc__, list(SECTIONS), "5").parse_args(argv)
    if not IS_INSTALLED:
        print("skorch is left out: it needs `pip install skorch torch`")
    run_sections(options, SECTIONS)


if __name__ == "__main__":
    main()
