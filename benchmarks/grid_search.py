"""A grid search by skdense, with and without compiled programs on disk, beside its peers.

Run ``python benchmarks/grid_search.py``; ``--help`` tells the rest. Each search runs in a process
of its own, where TensorFlow has been imported but has not run, so that compiling counts, and
the start of worker processes too. The pipeline hands out float64, in which MLPClassifier then
trains; skdense and Keras choose float32. Scores are the best candidate's mean over the folds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from _peers import MLP, SKDENSE, WRAPPERS
from _processes import CACHE, run_fresh
from _report import times_table
from _search import Search, time_search
from _sections import Figure, Result, Section, command_line, run_sections
from _timing import in_turns

WITHOUT, COLD, WARM = "no disk cache", "cold disk cache", "warm disk cache"
AGAIN = "once more"
DTYPE = "float64"
MOST_OF_MLP = {WITHOUT: 0.7, WARM: 0.5}
MOST_OF_WRAPPERS = 1 / 40


@dataclass(frozen=True)
class Jobs:
    """How a search is spread.

    Attributes
    ----------
    backend : str or None
        Of joblib; None for its default.
    """

    title: str
    n_jobs: int
    backend: str | None = None


ONE_JOB = Jobs("one job", 1)
JOBS = {
    "one-job": ONE_JOB,
    "processes": Jobs("2 processes", 2, "loky"),
    "threads": Jobs("2 threads", 2, "threading"),
    "side-by-side": Jobs("fits side by side", -1, "skdense"),
}

Run = Callable[..., dict[str, Any]]


def contestants(
    search: Search, jobs: Jobs, sample: int | None, caches: Path
) -> dict[str, Callable[[], Any]]:
    """Return what takes turns; the cold cache comes before the warm one."""
    run = partial(
        run_fresh, time_search, search=asdict(search), n_jobs=jobs.n_jobs, backend=jobs.backend
    )
    all_of = partial(run, n_candidates=None)
    found: dict[str, Callable[[], Any]] = {
        f"{SKDENSE}, {WITHOUT}": partial(all_of, peer=SKDENSE, n_times=2),
        f"{SKDENSE}, {COLD}": partial(run_with_cache, all_of, caches, is_new=True),
        f"{SKDENSE}, {WARM}": partial(run_with_cache, all_of, caches, is_new=False),
        MLP: partial(all_of, peer=MLP, n_times=1 if jobs is ONE_JOB else 2),
    }
    if jobs is ONE_JOB:
        found[WRAPPERS] = partial(run_wrappers, search, run, sample)
    return found


def run_with_cache(run: Run, caches: Path, *, is_new: bool) -> Any:
    """Search with programs kept on disk, in a new directory or in the newest one."""
    if is_new:
        tempfile.mkdtemp(dir=caches)
    newest = max(caches.iterdir(), key=lambda path: path.stat().st_ctime_ns)
    result = run(peer=SKDENSE, n_times=1, environment={CACHE: str(newest)})
    if not any(path.is_file() for path in newest.rglob("*")):
        raise RuntimeError(f"skdense must keep its programs in {newest}. Got none.")
    return result


def run_wrappers(search: Search, run: Run, sample: int | None) -> Any:
    """Search by the wrapper of Keras, and scale the time up to all candidates."""
    if sample is None:
        return run(peer=WRAPPERS, n_times=1, n_candidates=None)
    result = run(peer=WRAPPERS, n_times=2, n_candidates=sample)
    # Of the second search, so that what a process does once is not multiplied.
    factor = search.n_fits(search.n_candidates) / search.n_fits(sample)
    return {**result, "seconds": [factor * result["seconds"][1]]}


def compare(search: Search, jobs: Jobs, repeats: int, sample: int | None) -> Result:
    """Time all searches that are spread in one way."""
    if sample is not None and sample >= search.n_candidates:
        sample = None
    with tempfile.TemporaryDirectory() as caches:
        runs = contestants(search, jobs, sample, Path(caches))
        found = in_turns(runs, repeats, {WRAPPERS: 1})
    seconds, scores = {}, {}
    for name, results in found.items():
        shown = name
        if name == WRAPPERS and sample is not None:
            shown = f"{name}, scaled up from {sample} of {search.n_candidates} candidates"
        for number, label in enumerate((shown, f"{name}, {AGAIN}")):
            if len(results[0]["seconds"]) > number:
                seconds[label] = [result["seconds"][number] for result in results]
                scores[label] = results[0]["score"]
    table = times_table("search, s", seconds, scores, digits=2)
    title = f"{jobs.title}: {search}, medians of {repeats}"
    return Result(title, DTYPE, table, {"search": seconds}, figures(jobs, seconds), scores)


def figures(jobs: Jobs, seconds: dict[str, list[float]]) -> list[Figure]:
    """Put the searches of skdense in relation to the others; targets are for one job."""
    took = {name: median(repeats) for name, repeats in seconds.items()}
    found = []
    for cache in (WITHOUT, COLD, WARM):
        at_most = MOST_OF_MLP.get(cache) if jobs is ONE_JOB else None
        ratio = took[f"{SKDENSE}, {cache}"] / took[MLP]
        found.append(Figure(f"search, {cache} / MLP's", ratio, at_most))
    again = took[f"{SKDENSE}, {WITHOUT}, {AGAIN}"]
    found.append(Figure("search once more / MLP's", again / took.get(f"{MLP}, {AGAIN}", took[MLP])))
    for name in took:
        if name.startswith(WRAPPERS):
            ratio = took[f"{SKDENSE}, {WITHOUT}"] / took[name]
            found.append(Figure("search, no disk cache / keras.wrappers'", ratio, MOST_OF_WRAPPERS))
    return found


def quick_search() -> Search:
    """Return a search that takes no time."""
    return Search((4,), (1,), ("relu",), (0.003, 0.01, 0.03), n_folds=2, epochs=2)


def run_jobs(jobs: Jobs, options: argparse.Namespace) -> Result:
    """Compare searches that are spread in one way."""
    search = quick_search() if options.quick else Search()
    return compare(search, jobs, options.repeats or 3, options.keras_candidates or None)


SECTIONS: dict[str, Section] = {name: partial(run_jobs, jobs) for name, jobs in JOBS.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for."""
    parser = command_line(__doc__, list(SECTIONS), "3, and 1 of keras.wrappers")
    parser.add_argument(
        "--keras-candidates",
        type=int,
        default=2,
        help="how many keras.wrappers tries, the time being scaled up to all; 0 for all, which "
        "takes several minutes (default: 2)",
    )
    run_sections(parser.parse_args(argv), SECTIONS)


if __name__ == "__main__":
    main()
