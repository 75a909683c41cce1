"""Training on the compiled engine: epochs of chunks, and what happens between them."""

from __future__ import annotations

from collections.abc import Iterator

from .callbacks import EpochCallbacks
from .evaluation import Evaluation
from .networks import Networks
from .task import TrainingResult, TrainingTask
from .watching import Watch


def train_compiled(tasks: list[TrainingTask]) -> list[TrainingResult]:
    """Train networks of one program as one batch.

    All have equal epochs and steps. A task that acts between epochs comes alone; the others
    run as many epochs in one call of the program as fit.
    """
    networks = Networks(tasks)
    watches = [Watch(task) for task in tasks]
    watched = _WatchedEpochs(networks, watches[0]) if tasks[0].acts_between_epochs else None
    finished = networks.state  # after the epochs that the watches know of
    was_interrupted = False
    try:
        for epochs in _epoch_blocks(tasks[0], 1 if watched else networks.spec.n_steps):
            if watched:
                stops = watched.run(epochs)
            else:
                stops = False
                for watch, logs in zip(watches, networks.run(epochs), strict=True):
                    watch.epochs_ended(epochs, logs)
            finished = networks.state
            if stops:
                break
    except KeyboardInterrupt:
        if not tasks[0].survives_interrupt or watches[0].n_epochs == 0:
            raise
        was_interrupted = True
    networks.state = finished
    results = [
        watch.result("compiled", networks.weights(k), networks.optimizer_state(k), was_interrupted)
        for k, watch in enumerate(watches)
    ]
    return [watched.ended(results[0])] if watched else results


def _epoch_blocks(task: TrainingTask, n_steps: int) -> Iterator[range]:
    """Group the epochs: as many as fit in `n_steps` steps, or one by one."""
    epochs, size = task.epoch_numbers, max(1, n_steps // task.steps_per_epoch)
    for first in range(epochs.start, epochs.stop, size):
        yield range(first, min(first + size, epochs.stop))


class _WatchedEpochs:
    """One network's epochs, one by one, with all that looks at them."""

    def __init__(self, networks: Networks, watch: Watch) -> None:
        [task] = networks.tasks
        self._task, self._networks, self._watch = task, networks, watch
        self._evaluate = Evaluation(task) if task.validation else None
        self._callbacks = EpochCallbacks(task, networks.weights()) if task.callbacks else None
        if self._callbacks:
            self._callbacks.train_begun(networks.optimizer_state())
            self._follow_callbacks()

    def run(self, epochs: range) -> bool:
        """Run one epoch; returns whether it is the last."""
        [epoch] = epochs
        if self._task.listener:
            self._task.listener.epoch_begins()
        if self._callbacks:
            self._callbacks.epoch_begun(epoch)
            self._follow_callbacks()
        [history] = self._networks.run(epochs)
        logs = {name: values[0] for name, values in history.items()}
        if self._callbacks:
            self._callbacks.show(self._networks.weights(), self._networks.optimizer_state())
        logs |= self._validated()
        stops = False
        if self._callbacks:
            stops = self._callbacks.epoch_ended(epoch, logs)
            self._follow_callbacks()
        return self._watch.epoch_ended(epoch, logs, self._networks.weights) or stops

    def _validated(self) -> dict[str, float]:
        if self._evaluate is None:
            return {}
        if self._callbacks:
            self._callbacks.test_begun()
        weights = self._networks.weights()
        logs = self._evaluate(weights)
        if self._callbacks:
            self._callbacks.test_ended(logs)
        if self._task.score is not None:
            logs["val_score"] = self._task.score(weights)
        return logs

    def _follow_callbacks(self) -> None:
        """Take over what callbacks changed on their model."""
        assert self._callbacks is not None
        self._networks.rate = self._callbacks.rate
        changed = self._callbacks.changed_weights()
        if changed is not None:
            self._networks.replace_weights(changed)

    def ended(self, result: TrainingResult) -> TrainingResult:
        """Let callbacks end the training; they may still put other weights in place."""
        return self._callbacks.train_ended(result) if self._callbacks else result
