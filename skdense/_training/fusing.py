"""Tasks of different fits that train as members of one batch."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from joblib import cpu_count

from .._networks.network import Network
from .._networks.widening import join, skeleton
from .engines import find_group, train_now
from .task import Outcome, TrainingFailure, TrainingTask
from .together import ending

# Members of one program, of which each number is compiled anew.
_SIZES = (1, 2, 4, 8, 16, 32, 64)
# Numbers that all members may hold: weights, and what the optimizer keeps of each.
_MOST_WEIGHTS = 2**25
# What compiling takes, and about what a step and a product of two numbers take.
_SECONDS_TO_COMPILE, _SECONDS_OF_STEP, _SECONDS_OF_PRODUCT = 0.5, 1e-5, 2e-11

# What of a program's key follows from widths.
_OF_WIDTHS: dict[str, Any] = {"network": None, "n_steps": 0, "n_snapshots": 0}


class _Batch(NamedTuple):
    """Fits that train in one program together, by their numbers, and the network that it is for."""

    numbers: list[int]
    wide: Network


def train_together(fits: list[list[TrainingTask]]) -> Generator[tuple[int, list[Outcome]]]:
    """Train the tasks of several fits; those of one program as one batch.

    Batches train side by side in threads, where one compiles while another trains.

    Yields
    ------
    number of a fit, and list of outcomes
        What `train_now` returns for it alone, with numbers equal to 1e-5; in an order that is
        the same in every run. While others still train.
    """
    batches = [*_find_batches(fits)]
    batches.sort(key=lambda batch: -sum(_count_seconds(fits[n], batch.wide) for n in batch.numbers))
    left = set(range(len(fits)))
    with _in_threads(partial(_train_batch, fits), batches) as trained:
        for outcomes in trained:
            yield from outcomes.items()
            left -= outcomes.keys()
    for number in sorted(left):
        yield number, train_now(fits[number])


@contextlib.contextmanager
def _in_threads(
    function: Callable[[_Batch], dict[int, list[Outcome]]], batches: list[_Batch]
) -> Iterator[Iterator[dict[int, list[Outcome]]]]:
    """Call a function of each batch; what goes wrong outside ends the trainings, too."""
    end = threading.Event()

    def call(batch: _Batch) -> dict[int, list[Outcome]]:
        ending.set(end)
        return function(batch)

    threads = ThreadPoolExecutor(cpu_count())
    try:
        yield (future.result() for future in [threads.submit(call, batch) for batch in batches])
    except BaseException:
        end.set()
        raise
    finally:
        threads.shutdown(cancel_futures=True)


def _find_batches(fits: list[list[TrainingTask]]) -> Iterator[_Batch]:
    families: dict[Hashable, dict[Network, list[int]]] = defaultdict(dict)
    for number, tasks in enumerate(fits):
        wide = tasks[0].compiled_network
        families[_find_family(tasks, number)].setdefault(wide, []).append(number)
    for key, family in families.items():
        if not isinstance(key, tuple):  # trains by itself, in this thread
            continue
        for batch in _join_networks(fits, family):
            n_tasks = len(fits[batch.numbers[0]])
            most = _MOST_WEIGHTS // (3 * n_tasks * batch.wide.n_weights)
            most = max(1, min(_SIZES[-1] // n_tasks, most))
            for start in range(0, len(batch.numbers), most):
                yield batch._replace(numbers=batch.numbers[start : start + most])


def _find_family(tasks: list[TrainingTask], number: int) -> Hashable:
    """Return what fits have in common that may train together: their own number where nothing."""
    [kind, *others] = {find_group(replace(task, ensemble=None), -1) for task in tasks}
    if others or not isinstance(kind, tuple) or any(task.verbose for task in tasks):
        return number
    spec, *rest = kind
    # All but the widths, and what follows from them.
    return len(tasks), skeleton(spec.network), replace(spec, **_OF_WIDTHS), *rest


def _join_networks(
    fits: list[list[TrainingTask]], family: dict[Network, list[int]]
) -> list[_Batch]:
    """Let wider networks stand for narrower ones, where that takes less time than a program."""
    batches: list[_Batch] = []
    for wide, numbers in sorted(family.items(), key=lambda item: -item[0].n_weights):
        if batches:
            joined = join([batches[-1].wide, wide])
            before = sum(_count_seconds(fits[n], batches[-1].wide) for n in batches[-1].numbers)
            before += sum(_count_seconds(fits[n], wide) for n in numbers)
            together = batches[-1].numbers + numbers
            after = sum(_count_seconds(fits[n], joined) for n in together)
            if after - before < _SECONDS_TO_COMPILE:
                batches[-1] = _Batch(together, joined)
                continue
        batches.append(_Batch(numbers, wide))
    return batches


def _count_seconds(tasks: list[TrainingTask], wide: Network) -> float:
    """Return about how long a fit takes.

    A function of its tasks and nothing else: measured times would make results differ.
    """
    products = 3 * wide.n_weights * tasks[0].batch_size
    each = _SECONDS_OF_STEP + products * _SECONDS_OF_PRODUCT
    return len(tasks) * tasks[0].epochs * tasks[0].steps_per_epoch * each


def _gather_tasks(fits: list[list[TrainingTask]], batch: _Batch) -> list[TrainingTask]:
    """Return the tasks of a batch, with others that stand for nobody.

    These fill it up to one of a few sizes, where that takes less time than a program.
    """
    own = [fits[number] for number in batch.numbers]
    missing = next(size for size in _SIZES if size >= len(own)) - len(own)
    if missing * _count_seconds(own[-1], batch.wide) < _SECONDS_TO_COMPILE:
        own += [own[-1]] * missing
    return [
        replace(task, wide=batch.wide, ensemble=_tell_apart(task, number))
        for number, tasks in enumerate(own)
        for task in tasks
    ]


def _train_batch(fits: list[list[TrainingTask]], batch: _Batch) -> dict[int, list[Outcome]]:
    """Return each fit's outcomes; nothing where what failed may be due to their number."""
    n_tasks = len(fits[batch.numbers[0]])
    trained = train_now(_gather_tasks(fits, batch))
    errors = [one.error if isinstance(one, TrainingFailure) else None for one in trained]
    may_be_many = len(batch.numbers) > 1 and errors[0] is not None
    if may_be_many and all(error is errors[0] for error in errors):
        return {}
    starts = [number * n_tasks for number in range(len(batch.numbers))]
    own = [trained[start : start + n_tasks] for start in starts]
    return dict(zip(batch.numbers, own, strict=True))


def _tell_apart(task: TrainingTask, number: int) -> Hashable:
    return None if task.ensemble is None else (number, task.ensemble)
