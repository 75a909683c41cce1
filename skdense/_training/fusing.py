"""Tasks of different fits that train as members of one batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import replace

from .engines import find_group, train_now
from .task import Outcome, TrainingFailure, TrainingTask

# Members of one program, of which each number is compiled anew.
_SIZES = (1, 2, 4, 8, 16, 32, 64)
# Numbers that all members may hold: weights, and what the optimizer keeps of each.
_MOST_WEIGHTS = 2**25
# What compiling takes, and about what a step and a product of two numbers take.
_SECONDS_TO_COMPILE, _SECONDS_OF_STEP, _SECONDS_OF_PRODUCT = 0.5, 1e-5, 2e-11


def train_together(fits: list[list[TrainingTask]]) -> list[list[Outcome]]:
    """Train the tasks of several fits; those of one program as one batch.

    Returns
    -------
    list of lists
        For each fit what `train_now` returns for it alone, with numbers equal to 1e-5.
    """
    outcomes: dict[int, list[Outcome]] = {}
    for numbers in _find_batches(fits):
        if len(numbers) > 1:
            outcomes.update(_train_batch(fits, numbers))
    return [outcomes[n] if n in outcomes else train_now(fits[n]) for n in range(len(fits))]


def _find_batches(fits: list[list[TrainingTask]]) -> Iterator[list[int]]:
    """Yield the numbers of fits that train in one program together."""
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for number, tasks in enumerate(fits):
        alike[_find_kind(tasks, number)].append(number)
    for numbers in alike.values():
        tasks = fits[numbers[0]]
        weights = 3 * len(tasks) * tasks[0].network.n_weights
        most = max(1, min(_SIZES[-1] // len(tasks), _MOST_WEIGHTS // weights))
        for start in range(0, len(numbers), most):
            yield numbers[start : start + most]


def _find_kind(tasks: list[TrainingTask], number: int) -> Hashable:
    """Return what fits have in common that train together: a number of its own where none does."""
    [kind, *others] = {find_group(replace(task, ensemble=None), -1) for task in tasks}
    if others or isinstance(kind, int | TrainingFailure) or any(t.verbose for t in tasks):
        return number
    return kind, len(tasks)


def _train_batch(fits: list[list[TrainingTask]], numbers: list[int]) -> dict[int, list[Outcome]]:
    """Return each fit's outcomes; nothing where what failed may be due to their number."""
    own = [fits[number] for number in numbers]
    # Others that stand for nobody, so that few numbers of members are compiled.
    own += [own[-1]] * _count_missing(own)
    trained = train_now(
        [
            task if task.ensemble is None else replace(task, ensemble=(number, task.ensemble))
            for number, tasks in enumerate(own)
            for task in tasks
        ]
    )
    errors = [one.error if isinstance(one, TrainingFailure) else None for one in trained]
    if errors[0] is not None and all(error is errors[0] for error in errors):
        return {}
    size = len(own[0])
    return {n: trained[i * size : (i + 1) * size] for i, n in enumerate(numbers)}


def _count_missing(fits: list[list[TrainingTask]]) -> int:
    """Return how many fits more make one of the usual sizes, where that costs less than a program.

    A function of the tasks and nothing else: measured times would make results differ.
    """
    [task, *_] = fits[0]
    products = 3 * task.network.n_weights * task.batch_size
    each = _SECONDS_OF_STEP + products * _SECONDS_OF_PRODUCT
    seconds = len(fits[0]) * task.epochs * task.steps_per_epoch * each
    missing = next(size for size in _SIZES if size >= len(fits)) - len(fits)
    return missing if missing * seconds < _SECONDS_TO_COMPILE else 0
