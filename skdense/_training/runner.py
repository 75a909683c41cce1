"""Training on the compiled engine: blocks of epochs, and those who look at what they left.

A call of the program takes longer than a short epoch. So epochs run several in one call, each
leaving a snapshot of its weights where somebody looks at them. Early stopping cannot come before
its patience has run out, and callbacks are run ahead of: who wants to change what follows, or to
see more than a snapshot holds, makes the training go back to where they are, by running again
what led there, which gives the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import numpy as np

from .._networks.network import Weights
from .callbacks import EpochCallbacks
from .evaluation import Evaluation
from .networks import ENGINE, Logs, Networks
from .task import Members, OptimizerState, Outcome, TrainingFailure, TrainingTask
from .watching import Watch

Value = TypeVar("Value")

# How long to run ahead of callbacks that may change what follows: a hundred calls of the program,
# so that these weigh little, and no wait that somebody would notice.
_SECONDS_AHEAD = 0.1


def train_compiled(tasks: list[TrainingTask]) -> list[Outcome]:
    """Train networks of one program as one batch, of equal epochs and steps.

    A task with callbacks or a listener comes alone.
    """
    return _Runner(tasks).run()


class _Watched:
    """What is watched together: one network, or the members of an ensemble.

    Attributes
    ----------
    members : list of int
        Their numbers in the batch.
    outcomes : list of Outcome
        One for each member; empty while they train.
    """

    def __init__(self, tasks: list[TrainingTask], members: list[int], networks: Networks) -> None:
        self.members = members
        self.outcomes: list[Outcome] = []
        self._networks = networks
        own = [tasks[member] for member in members]
        self.watch = Watch(own, ENGINE, partial(networks.rate_in, member=members[0]))
        self.evaluate = Evaluation(own) if own[0].validation else None

    def logs(self, by_member: list[Logs]) -> Logs:
        """Return the mean of the members' logs."""
        own = [by_member[member] for member in self.members]
        if len(own) == 1:
            return own[0]
        return {name: np.mean([logs[name] for logs in own], axis=0).tolist() for name in own[0]}

    def weights(self) -> Members:
        return self._networks.weights(self.members)

    def epoch_weights(self, number: int) -> Members:
        return self._networks.epoch_weights(number, self.members)

    def optimizers(self) -> list[OptimizerState | None]:
        return [self._networks.optimizer_state(member) for member in self.members]

    def fail(self, error: Exception) -> None:
        self.outcomes = [TrainingFailure(error)] * len(self.members)

    def end(self, last: Members, optimizers: list[OptimizerState | None], **how: bool) -> None:
        """Sum up the training, with these weights and optimizers at its end."""
        try:
            self.outcomes = [*self.watch.results(last, optimizers, **how)]
        except ValueError as error:
            self.fail(error)


class _Runner:
    """Trains the members of one program; `run` is called once."""

    def __init__(self, tasks: list[TrainingTask]) -> None:
        self._task = tasks[0]
        self._networks = Networks(tasks)
        self._parts = _group_by_ensemble(tasks, self._networks)
        self._decides = self._task.steers_between_epochs or any(task.stopping for task in tasks)
        self._seen = self._task.epoch_numbers.start  # the first epoch that nobody has looked at
        self._begun = -1
        self._ran = range(self._seen, self._seen)  # in the last block
        self._n_ahead = 1
        self._callbacks: EpochCallbacks | None = None
        if self._task.callbacks:
            self._callbacks = EpochCallbacks(self._task, self._present)

    @property
    def _training(self) -> list[_Watched]:
        return [part for part in self._parts if not part.outcomes]

    def run(self) -> list[Outcome]:
        if self._callbacks:
            self._callbacks.train_begun()
            self._follow_callbacks()
        finished = self._networks.state  # after the epochs that the watches know of
        started = time.perf_counter()
        try:
            for block, logs in self._networks.run_each(
                self._blocks(), are_known_ahead=not self._decides
            ):
                self._ran = block
                self._pace(time.perf_counter() - started)
                self._look_at_block(logs)
                finished, started = self._networks.state, time.perf_counter()
        except KeyboardInterrupt:
            if not self._survives_interrupt():
                raise
            self._networks.state = finished
            self._end_interrupted()
        for part in self._training:
            part.end(part.weights(), part.optimizers())
        return self._outcomes()

    def _outcomes(self) -> list[Outcome]:
        by_member = {
            member: outcome
            for part in self._parts
            for member, outcome in zip(part.members, part.outcomes, strict=True)
        }
        outcomes = [by_member[member] for member in range(len(by_member))]
        for part in self._parts:
            part.outcomes = []  # or else an error and the frames of its traceback hold each other
        if self._callbacks and not isinstance(outcomes[0], TrainingFailure):
            return [self._callbacks.train_ended(outcomes[0])]
        return outcomes

    def _blocks(self) -> Iterator[range]:
        # One at a time: somebody who trains until Ctrl-C asks for a billion epochs.
        epochs = self._task.epoch_numbers
        while epochs and self._training:
            self._begin(epochs[0])
            block = epochs[: self._block_size()]
            yield block
            epochs = epochs[self._seen - epochs.start if self._decides else len(block) :]

    def _block_size(self) -> int:
        size = self._networks.epochs_per_call
        if self._task.needs_snapshots:
            size = max(1, min(size, self._networks.spec.n_snapshots))
        if self._callbacks and self._callbacks.model.is_built:
            return 1
        if self._task.steers_between_epochs:
            size = min(size, self._n_ahead)
        before_stop = [part.watch.epochs_before_stop for part in self._training]
        return min([size, *(number for number in before_stop if number is not None)])

    def _pace(self, seconds: float) -> None:
        """Take note of how long a block took."""
        n_epochs = len(self._ran)
        is_short = seconds < _SECONDS_AHEAD / 2
        self._n_ahead = 2 * n_epochs if is_short else max(1, n_epochs // 2)

    def _begin(self, epoch: int) -> None:
        if epoch == self._begun:  # before the training went back to it
            return
        self._begun = epoch
        if self._task.listener:
            self._task.listener.epoch_begins()
        if self._callbacks:
            self._callbacks.epoch_begun(epoch)
            self._follow_callbacks()

    def _look_at_block(self, logs: list[Logs]) -> None:
        """Look at the epochs that ran, until somebody makes the training go back."""
        if not self._task.acts_between_epochs:
            for part in self._training:
                _attempt(part, partial(part.watch.epochs_ended, self._ran, part.logs(logs)))
            return
        by_part = [(part, part.logs(logs)) for part in self._training]
        for part, _ in by_part:
            part.watch.epochs_ran(len(self._ran))
        block = self._ran
        for number, epoch in enumerate(block):
            if not self._training:
                return
            self._begin(epoch)
            if epoch not in self._ran:
                return
            self._seen = epoch + 1
            for part, own in by_part:
                if not part.outcomes:
                    at = {name: values[number] for name, values in own.items()}
                    self._look_at_epoch(part, epoch, at)

    def _look_at_epoch(self, part: _Watched, epoch: int, logs: dict[str, float]) -> None:
        number = self._ran.index(epoch)
        weights = part.epoch_weights(number)
        is_last = _attempt(part, partial(self._ends, part, epoch, logs, weights))
        if not is_last or part.outcomes:
            return
        if len(self._parts) == 1:
            part.end(*self._state_of(part))
        elif number + 1 == len(self._ran):
            part.end(part.weights(), part.optimizers())
        else:  # it diverged, and has its best weights at most
            part.end(weights, [None] * len(weights))

    def _ends(self, part: _Watched, epoch: int, logs: dict[str, float], weights: Members) -> bool:
        """Have everybody look at an epoch; returns whether it is the last."""
        if self._callbacks:
            self._callbacks.model.update()
        logs |= self._validated(part, weights)
        stops = False
        if self._callbacks:
            stops = self._callbacks.epoch_ended(epoch, logs)
            self._follow_callbacks()
        return part.watch.epoch_ended(epoch, logs, weights) or stops

    def _validated(self, part: _Watched, weights: Members) -> dict[str, float]:
        if part.evaluate is None:
            return {}
        if self._callbacks:
            self._callbacks.test_begun()
        logs = part.evaluate(weights)
        if self._callbacks:
            self._callbacks.test_ended(logs)
        score = part.watch.score
        return logs if score is None else logs | {"val_score": score(weights)}

    def _state_of(self, part: _Watched) -> tuple[Members, list[OptimizerState | None]]:
        """Go back to the last epoch that was looked at; returns weights and optimizers there."""
        self._ran = range(self._ran.start, self._seen)
        self._networks.go_back_to(self._ran)
        return part.weights(), part.optimizers()

    def _present(self) -> tuple[Weights, OptimizerState, float | None]:
        """Go back to what callbacks are to see, with the rate that a named schedule is at."""
        [weights], [optimizer] = self._state_of(self._parts[0])
        assert optimizer is not None
        has_begun = self._task.schedule is not None and self._ran
        return weights, optimizer, self._networks.rate_in(self._seen - 1) if has_begun else None

    def _survives_interrupt(self) -> bool:
        has_epochs = all(part.watch.n_epochs for part in self._training)
        return self._task.survives_interrupt and has_epochs

    def _end_interrupted(self) -> None:
        """End what still trains, as it was after its last whole epoch."""
        for part in self._training:
            if self._task.acts_between_epochs:
                last = part.watch.last_weights
                part.end(last, [None] * len(last), was_interrupted=True)
            else:
                part.end(part.weights(), part.optimizers(), was_interrupted=True)

    def _follow_callbacks(self) -> None:
        """Take over what callbacks changed on their model."""
        assert self._callbacks is not None
        self._networks.rate = self._callbacks.model.rate
        changed = self._callbacks.model.changed_weights()
        if changed is not None:
            self._networks.replace_weights(changed)


def _group_by_ensemble(tasks: list[TrainingTask], networks: Networks) -> list[_Watched]:
    members: dict[object, list[int]] = {}
    for member, task in enumerate(tasks):
        key = ("alone", member) if task.ensemble is None else ("ensemble", task.ensemble)
        members.setdefault(key, []).append(member)
    return [_Watched(tasks, own, networks) for own in members.values()]


def _attempt(part: _Watched, look: Callable[[], Value]) -> Value | None:
    """Call what may find a fault with a part, which then ends, while the others go on."""
    try:
        return look()
    except Exception as error:
        part.fail(error)
        return None
