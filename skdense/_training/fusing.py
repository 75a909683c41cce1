"""Tasks of different fits that train as members of one batch."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from joblib import cpu_count

from .._networks.network import Network
from .._networks.widening import join, skeleton
from .engines import find_group, train_now
from .task import Outcome, TrainingFailure, TrainingTask
from .together import ending, numpy_errors

# Members of one program, of which each number is compiled anew.
_SIZES = (1, 2, 4, 8, 16, 32, 64)
# Fits of one program that begin while others are still being added.
_ENOUGH = 32
# Numbers that all members may hold: weights, and what the optimizer keeps of each.
_MOST_WEIGHTS = 2**25
# Of the rows of a step, beyond which one network keeps all processors busy: 8 of 128 units on
# 30,000 x 784, in batches of 128, took 1.3 times as long together as one after the other.
_MOST_NUMBERS_OF_STEP = 2**15
# What compiling takes, and about what a step and a product of two numbers take.
_SECONDS_TO_COMPILE, _SECONDS_OF_STEP, _SECONDS_OF_PRODUCT = 0.5, 1e-5, 2e-11

# What of a program's key follows from widths.
_OF_WIDTHS: dict[str, Any] = {"network": None, "n_steps": 0, "n_snapshots": 0}


class _Family(tuple[Any, ...]):
    """What fits have in common that may train together."""

    __slots__ = ()


class Fit(NamedTuple):
    """The tasks of a fit."""

    name: Any
    tasks: list[TrainingTask]


class _Batch(NamedTuple):
    """Fits that train in one program together, and the network that it is for."""

    fits: list[Fit]
    wide: Network


class FusedTrainings:
    """Trainings of many fits, of which those of one program train as one batch.

    Batches train side by side in threads, where one compiles while another trains. One begins as
    soon as there are enough fits for it, while others are still being added.
    """

    def __init__(self) -> None:
        self._families: dict[Hashable, list[Fit]] = defaultdict(list)  # have not begun
        self._begun: deque[tuple[_Batch, Future[list[Outcome]]]] = deque()
        self._end = threading.Event()
        self._threads = ThreadPoolExecutor(cpu_count())

    def add(self, name: Any, tasks: list[TrainingTask]) -> None:
        """Take in the tasks of a fit, which is known by a name from here on."""
        family = _find_family(tasks, name)
        fits = self._families[family]
        fits.append(Fit(name, tasks))
        # Where it takes several programs, it takes the fewest when all fits are known.
        is_full = isinstance(family, _Family) and len(fits) % _ENOUGH == 0
        if is_full and len(batches := _find_batches(fits)) == 1:
            del self._families[family]
            self._begin(batches)

    def results(self) -> Iterator[tuple[Any, list[Outcome]]]:
        """Yield the name of each fit, also of those added meanwhile, and its outcomes.

        They are what `train_now` returns for the fit alone, with numbers equal to 1e-5, and come
        in an order that is the same in every run.
        """
        while self._begun or self._families:
            alone = self._begin_what_is_left()
            while self._begun:
                batch, future = self._begun.popleft()
                yield from _share_out(batch, future.result())
            for fit in alone:
                yield fit.name, train_now(fit.tasks)

    def end(self) -> None:
        """End what trains, and wait until it has."""
        self._end.set()
        self._threads.shutdown(cancel_futures=True)

    def _begin_what_is_left(self) -> list[Fit]:
        """Begin what trains in threads; returns what does not."""
        families, self._families = self._families, defaultdict(list)
        batches: list[_Batch] = []
        alone: list[Fit] = []
        for family, fits in families.items():
            if isinstance(family, _Family):
                batches += _find_batches(fits)
            else:
                alone += fits
        batches.sort(key=lambda b: -sum(_count_seconds(fit.tasks, b.wide) for fit in b.fits))
        self._begin(batches)
        return alone

    def _begin(self, batches: list[_Batch]) -> None:
        for batch in batches:
            future = self._threads.submit(self._train, batch, numpy_errors())
            self._begun.append((batch, future))

    def _train(self, batch: _Batch, errors: dict[str, Any]) -> list[Outcome]:
        ending.set(self._end)
        with np.errstate(**errors):  # of each thread
            return train_now(_gather_tasks(batch))


def _share_out(batch: _Batch, trained: list[Outcome]) -> Iterator[tuple[Any, list[Outcome]]]:
    """Yield each fit's outcomes; those of the fit alone where what failed may be their number."""
    errors = [one.error if isinstance(one, TrainingFailure) else None for one in trained]
    may_be_many = len(batch.fits) > 1 and errors[0] is not None
    has_failed = may_be_many and all(error is errors[0] for error in errors)
    for number, (name, tasks) in enumerate(batch.fits):
        start = number * len(tasks)
        own = trained[start : start + len(tasks)]
        yield name, train_now(tasks) if has_failed else own


def _find_batches(fits: list[Fit]) -> list[_Batch]:
    """Lay out fits of one family."""
    by_network: dict[Network, list[Fit]] = defaultdict(list)
    for fit in fits:
        by_network[fit.tasks[0].compiled_network].append(fit)
    cut = []
    for batch in _join_networks(by_network):
        most = _count_together(batch.fits[0].tasks, batch.wide)
        starts = range(0, len(batch.fits), most)
        cut += [_Batch(batch.fits[start : start + most], batch.wide) for start in starts]
    return cut


def _count_together(tasks: list[TrainingTask], wide: Network) -> int:
    """Return how many fits of some tasks are to be in a batch at most."""
    numbers_of_step = tasks[0].batch_size * wide.n_inputs
    if numbers_of_step > _MOST_NUMBERS_OF_STEP:
        return 1
    most = _MOST_WEIGHTS // (3 * len(tasks) * wide.n_weights)
    return max(1, min(_SIZES[-1] // len(tasks), most))


def _find_family(tasks: list[TrainingTask], name: Any) -> Hashable:
    """Return what fits have in common that may train together: their own name where nothing."""
    [kind, *others] = {find_group(replace(task, ensemble=None), -1) for task in tasks}
    if others or not isinstance(kind, tuple) or any(task.verbose for task in tasks):
        return name
    spec, *rest = kind
    # All but the widths, and what follows from them.
    return _Family((len(tasks), skeleton(spec.network), replace(spec, **_OF_WIDTHS), *rest))


def _join_networks(by_network: dict[Network, list[Fit]]) -> list[_Batch]:
    """Let wider networks stand for narrower ones, where that takes less time than a program."""
    batches: list[_Batch] = []
    for wide, fits in sorted(by_network.items(), key=lambda item: -item[0].n_weights):
        if batches:
            joined, together = join(batches[-1].wide, wide), batches[-1].fits + fits
            before = sum(_count_seconds(fit.tasks, batches[-1].wide) for fit in batches[-1].fits)
            before += sum(_count_seconds(fit.tasks, wide) for fit in fits)
            after = sum(_count_seconds(fit.tasks, joined) for fit in together)
            if after - before < _SECONDS_TO_COMPILE:
                batches[-1] = _Batch(together, joined)
                continue
        batches.append(_Batch(fits, wide))
    return batches


def _count_seconds(tasks: list[TrainingTask], wide: Network) -> float:
    """Return about how long a fit takes.

    A function of its tasks and nothing else: measured times would make results differ.
    """
    products = 3 * wide.n_weights * tasks[0].batch_size
    each = _SECONDS_OF_STEP + products * _SECONDS_OF_PRODUCT
    return len(tasks) * tasks[0].epochs * tasks[0].steps_per_epoch * each


def _gather_tasks(batch: _Batch) -> list[TrainingTask]:
    """Return the tasks of a batch, with others that stand for nobody.

    These fill it up to one of a few sizes, where that takes less time than a program.
    """
    own = [fit.tasks for fit in batch.fits]
    missing = next(size for size in _SIZES if size >= len(own)) - len(own)
    if missing * _count_seconds(own[-1], batch.wide) < _SECONDS_TO_COMPILE:
        own += [own[-1]] * missing
    return [
        replace(task, wide=batch.wide, ensemble=_tell_apart(task, number))
        for number, tasks in enumerate(own)
        for task in tasks
    ]


def _tell_apart(task: TrainingTask, number: int) -> Hashable:
    return None if task.ensemble is None else (number, task.ensemble)
