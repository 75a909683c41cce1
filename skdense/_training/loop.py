"""Training on the compiled engine: epochs of chunks, and what happens between them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from .._networks.network import Weights
from .callbacks import EpochCallbacks
from .evaluation import Evaluation
from .networks import ENGINE, Networks
from .task import OptimizerState, TrainingResult, TrainingTask
from .watching import Watch

# How long to run ahead of callbacks that may change what follows: a hundred calls of the program,
# so that these weigh little, and no wait that somebody would notice.
_SECONDS_AHEAD = 0.1


def train_compiled(tasks: list[TrainingTask]) -> list[TrainingResult]:
    """Train networks of one program as one batch.

    All have equal epochs and steps. A task that acts between epochs comes alone.
    """
    if tasks[0].acts_between_epochs:
        [task] = tasks
        return [_WatchedTraining(task).run()]
    return _train_silently(tasks)


def _train_silently(tasks: list[TrainingTask]) -> list[TrainingResult]:
    networks = Networks(tasks)
    rates = [partial(networks.rate_in, member=member) for member in range(len(tasks))]
    watches = [Watch(task, ENGINE, rate_in) for task, rate_in in zip(tasks, rates, strict=True)]
    finished = networks.state  # after the epochs that the watches know of
    was_interrupted = False
    try:
        blocks = _blocks(tasks[0].epoch_numbers, networks.epochs_per_call)
        for epochs, by_member in networks.run_each(blocks):
            for watch, logs in zip(watches, by_member, strict=True):
                watch.epochs_ended(epochs, logs)
            finished = networks.state
    except KeyboardInterrupt:
        if not tasks[0].survives_interrupt or watches[0].n_epochs == 0:
            raise
        was_interrupted = True
    networks.state = finished
    return [
        watch.result(
            networks.weights(member),
            networks.optimizer_state(member),
            was_interrupted=was_interrupted,
        )
        for member, watch in enumerate(watches)
    ]


def _blocks(epochs: range, size: int) -> Iterator[range]:
    # One at a time: somebody who trains until Ctrl-C asks for a billion epochs.
    for first in range(epochs.start, epochs.stop, size):
        yield range(first, min(first + size, epochs.stop))


class _WatchedTraining:
    """One network's training with all that looks at it after each epoch.

    A call of the program takes longer than a short epoch. So epochs run ahead of those who look,
    several in one call, each leaving a snapshot of its weights. Who wants to change what follows,
    or to see more than a snapshot holds, makes the training go back to where they are: by running
    again what led there, which gives the same bits.
    """

    def __init__(self, task: TrainingTask) -> None:
        self._task = task
        self._networks = Networks([task])
        self._watch = Watch(task, ENGINE, self._networks.rate_in)
        self._evaluate = Evaluation(task) if task.validation else None
        self._seen = task.epoch_numbers.start  # the first epoch that nobody has looked at
        self._ran = range(self._seen, self._seen)  # in the last call
        self._n_ahead = 1
        self._logs: dict[str, list[float]] = {}
        self._callbacks = EpochCallbacks(task, self._present) if task.callbacks else None

    def run(self) -> TrainingResult:
        if self._callbacks:
            self._callbacks.train_begun()
            self._follow_callbacks()
        try:
            self._run_epochs()
        except KeyboardInterrupt:
            if not self._task.survives_interrupt or self._watch.last_weights is None:
                raise
            last = self._watch.last_weights
            result = self._watch.result(last, None, was_interrupted=True)
        else:
            result = self._watch.result(*self._present())
        return self._callbacks.train_ended(result) if self._callbacks else result

    def _run_epochs(self) -> None:
        for epoch in self._task.epoch_numbers:
            self._begin(epoch)
            if epoch not in self._ran:
                self._run_ahead(epoch)
            self._seen = epoch + 1
            if self._look_at(epoch):
                return

    def _begin(self, epoch: int) -> None:
        if self._task.listener:
            self._task.listener.epoch_begins()
        if self._callbacks:
            self._callbacks.epoch_begun(epoch)
            self._follow_callbacks()

    def _run_ahead(self, epoch: int) -> None:
        """Run some epochs from this one on."""
        self._ran = range(epoch, min(epoch + self._block_size(), self._task.epoch_numbers.stop))
        started = time.perf_counter()
        [self._logs] = self._networks.run(self._ran)
        is_short = time.perf_counter() - started < _SECONDS_AHEAD / 2
        self._n_ahead = 2 * len(self._ran) if is_short else max(1, len(self._ran) // 2)
        self._watch.epochs_ran(len(self._ran))

    def _block_size(self) -> int:
        size = self._networks.epochs_per_call
        if self._task.needs_snapshots:
            size = max(1, min(size, self._networks.spec.n_snapshots))
        if self._callbacks and self._callbacks.model.is_built:
            return 1
        if self._task.steers_between_epochs:
            size = min(size, self._n_ahead)
        before_stop = self._watch.epochs_before_stop
        return size if before_stop is None else min(size, before_stop)

    def _present(self) -> tuple[Weights, OptimizerState]:
        """Go back to the last epoch that was looked at; returns its weights and optimizer."""
        self._ran = range(self._ran.start, self._seen)
        self._networks.go_back_to(self._ran)
        return self._networks.weights(), self._networks.optimizer_state()

    def _look_at(self, epoch: int) -> bool:
        """Look at an epoch that ran; returns whether it ends the training."""
        number = self._ran.index(epoch)
        logs = {name: values[number] for name, values in self._logs.items()}
        weights = self._networks.epoch_weights(number)
        if self._callbacks:
            self._callbacks.model.update()
        logs |= self._validated(weights)
        stops = False
        if self._callbacks:
            stops = self._callbacks.epoch_ended(epoch, logs)
            self._follow_callbacks()
        return self._watch.epoch_ended(epoch, logs, weights) or stops

    def _validated(self, weights: Weights) -> dict[str, float]:
        if self._evaluate is None:
            return {}
        if self._callbacks:
            self._callbacks.test_begun()
        logs = self._evaluate(weights)
        if self._callbacks:
            self._callbacks.test_ended(logs)
        if self._task.score is not None:
            logs["val_score"] = self._task.score(weights)
        return logs

    def _follow_callbacks(self) -> None:
        """Take over what callbacks changed on their model."""
        assert self._callbacks is not None
        self._networks.rate = self._callbacks.model.rate
        changed = self._callbacks.model.changed_weights()
        if changed is not None:
            self._networks.replace_weights(changed)
