"""Training on the compiled engine: epochs of chunks, and what happens between them."""

from __future__ import annotations

from collections.abc import Iterator

from .._network import Weights
from .callbacks import EpochCallbacks
from .evaluation import Evaluation
from .networks import ENGINE, Networks
from .task import TrainingResult, TrainingTask
from .watching import Watch


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
    watches = [Watch(task, ENGINE) for task in tasks]
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

    Epochs still run several in one call of the program where nothing can change between them:
    each leaves a snapshot of its weights, and early stopping cannot come before its patience has
    run out.
    """

    def __init__(self, task: TrainingTask) -> None:
        self._task = task
        self._networks = Networks([task])
        self._watch = Watch(task, ENGINE)
        self._evaluate = Evaluation(task) if task.validation else None
        self._callbacks: EpochCallbacks | None = None
        if task.callbacks:
            self._callbacks = EpochCallbacks(
                task, self._networks.weights(), self._networks.optimizer_state
            )

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
            optimizer = self._networks.optimizer_state()
            result = self._watch.result(self._networks.weights(), optimizer)
        return self._callbacks.train_ended(result) if self._callbacks else result

    def _run_epochs(self) -> None:
        epochs = self._task.epoch_numbers
        while epochs:
            block = epochs[: self._block_size()]
            if self._run_block(block):
                return
            epochs = epochs[len(block) :]

    def _block_size(self) -> int:
        if self._task.steers_between_epochs:
            return 1
        size = self._networks.epochs_per_call
        if self._task.validation:
            size = max(1, min(size, self._networks.spec.n_snapshots))
        before_stop = self._watch.epochs_before_stop
        return size if before_stop is None else min(size, before_stop)

    def _run_block(self, epochs: range) -> bool:
        """Run some epochs, then look at each; returns whether the last one ends the training."""
        if self._task.listener:
            self._task.listener.epoch_begins()
        if self._callbacks:
            self._callbacks.epoch_begun(epochs[0])
            self._follow_callbacks()
        [history] = self._networks.run(epochs)
        self._watch.epochs_ran(len(epochs))
        stops = False
        for number, epoch in enumerate(epochs):
            logs = {name: values[number] for name, values in history.items()}
            stops = self._look_at(epoch, logs, self._networks.epoch_weights(number))
        return stops

    def _look_at(self, epoch: int, logs: dict[str, float], weights: Weights) -> bool:
        if self._callbacks:
            self._callbacks.model.show(weights)
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
