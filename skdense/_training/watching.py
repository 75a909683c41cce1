"""What is kept and decided at the end of each epoch, whichever engine runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, nan

import numpy as np

from .._backend.warnings import warn_caller
from .._networks.network import Weights, are_finite
from .early_stopping import EarlyStopping
from .progress import Progress
from .task import Members, OptimizerState, TrainingResult, TrainingState, TrainingTask


class Watch:
    """The history of what is watched together, its best epoch, and when to stop it.

    Parameters
    ----------
    tasks : list of TrainingTask
        One, or those of an ensemble.
    engine : {"compiled", "keras"}
    rate_in : callable
        From an epoch, counted from 0, to the learning rate of its last step.

    Attributes
    ----------
    last_weights : tuple of Weights
        Of each task after the last epoch that was reported one by one; empty before.
    score : callable or None
        What is watched in place of the validation loss.
    """

    def __init__(
        self, tasks: list[TrainingTask], engine: str, rate_in: Callable[[int], float]
    ) -> None:
        task = tasks[0]
        self._tasks, self._task, self._engine, self._rate_in = tasks, task, engine, rate_in
        self.score = task.score
        self._divergence = ""
        self._logs: list[dict[str, float]] = []
        self.last_weights: Members = ()
        self._progress = Progress(task.verbose, task.epoch_numbers)
        self._monitor = task.monitor
        self._rule, self._best_weights = _resumed_rule(tasks)

    @property
    def n_epochs(self) -> int:
        """Epochs that this training has completed."""
        return len(self._logs)

    @property
    def history(self) -> dict[str, list[float]]:
        """One value per epoch; NaN where a name was missing from an epoch's logs."""
        names = dict.fromkeys(name for logs in self._logs for name in logs)
        return {name: [logs.get(name, nan) for logs in self._logs] for name in names}

    def epochs_ended(self, epochs: range, logs: Mapping[str, list[float]]) -> None:
        """Take note of some epochs, after which nothing is decided."""
        for epoch, loss in zip(epochs, logs["loss"], strict=True):
            self._follow_loss(loss, epoch)
        rows = zip(*logs.values(), strict=True)
        self._logs += [dict(zip(logs, row, strict=True)) for row in rows]

    @property
    def epochs_before_stop(self) -> int | None:
        """How many epochs there will be at least, whatever their scores; None for all."""
        patience = self._rule.patience
        return None if patience is None else max(1, patience - self._rule.n_stalled)

    def epochs_ran(self, n_epochs: int) -> None:
        """Take note that so many epochs ran at once, and are now to be looked at."""
        self._progress.epochs_ran(n_epochs)

    def epoch_ended(self, epoch: int, logs: Mapping[str, float], weights: Members) -> bool:
        """Take note of an epoch, counted from 0; returns whether it is the last."""
        if not self._follow_loss(logs["loss"], epoch):
            return True
        self._logs.append({name: float(value) for name, value in logs.items()})
        self.last_weights = weights
        self._progress.epoch_ended(epoch, logs)
        if self._task.validation is not None:
            is_best = self._rule.follow(float(logs[self._monitor]), epoch + 1)
            if is_best and self._task.stopping is not None:
                self._best_weights = weights
        listener = self._task.listener
        stops = listener is not None and listener.epoch_ended(
            weights[0], self.history, self._best_epoch, self._engine
        )
        return stops or self._rule.has_stalled

    def _follow_loss(self, loss: float, epoch: int) -> bool:
        """Return whether a loss is finite; one that is not ends the training."""
        if isfinite(loss):
            return True
        self._diverge(f"The training loss must stay finite. Got {loss}", epoch)
        return False

    def _diverge(self, message: str, epoch: int) -> None:
        """Remember what went wrong; without weights of a best epoch to keep, it is an error."""
        given, rate = self._task.optimizer.learning_rate, self._rate_in(epoch)
        shown = f"{given:g}" if isinstance(given, float) else given.class_name
        if not isinstance(given, float) or np.float32(given) != np.float32(rate):
            shown += f", by then {rate:g}"
        self._divergence = (
            f"{message} in epoch {epoch + 1} with learning_rate={shown}. Scale the inputs "
            "(StandardScaler), lower learning_rate, set clipnorm=1.0, or check that the loss fits "
            "the target and the output_activation."
        )
        if not self._best_weights:
            self._progress.ended()
            raise ValueError(self._divergence)

    @property
    def _best_epoch(self) -> int:
        is_watched = self._task.validation is not None
        n_epochs = self._task.epoch_numbers.start + self.n_epochs
        return (is_watched and self._rule.best_epoch) or n_epochs

    def results(
        self,
        last_weights: Members,
        optimizers: Sequence[OptimizerState | None],
        *,
        was_interrupted: bool = False,
    ) -> list[TrainingResult]:
        """Sum up the training of each task.

        One that diverged after its best epoch ends there, with a warning, as under
        ``keras.callbacks.EarlyStopping(restore_best_weights=True)``.

        Raises
        ------
        ValueError
            If weights are NaN or infinite and no earlier ones were kept, or if early stopping never
            saw a number other than the worst infinity.
        """
        self._progress.ended()
        if not self._divergence and not all(map(are_finite, last_weights)):  # which no loss shows
            message = "The weights must stay finite. Got NaN or infinity after the last step"
            self._diverge(message, self._task.epoch_numbers.start + self.n_epochs - 1)
        self._require_score()
        if self._divergence and self._best_weights:
            warn_caller(
                f"{self._divergence} Early stopping keeps the weights of epoch {self._best_epoch}."
            )
            last_weights, optimizers = self._best_weights, [None] * len(self._tasks)
        best_weights = self._best_weights or [None] * len(self._tasks)
        return [
            self._result(*own, was_interrupted=was_interrupted)
            for own in zip(last_weights, best_weights, optimizers, strict=True)
        ]

    def _result(
        self,
        last: Weights,
        best: Weights | None,
        optimizer: OptimizerState | None,
        *,
        was_interrupted: bool,
    ) -> TrainingResult:
        state = TrainingState(
            weights=last,
            n_epochs=self._task.epoch_numbers.start + self.n_epochs,
            optimizer=optimizer,
            stopping=self._rule if self._task.validation is not None else None,
            best_weights=best,
        )
        return TrainingResult(
            weights=best or last,
            history=self.history,
            engine=self._engine,
            best_epoch=self._best_epoch,
            state=state,
            was_interrupted=was_interrupted,
        )

    def _require_score(self) -> None:
        worst = -inf if self._rule.greater_is_better else inf
        is_best = self._best_weights and self._rule.best_score != worst
        if self._task.stopping is not None and not is_best:
            came = f"NaN or {worst}" if self._best_weights else "NaN"
            raise ValueError(
                f"early_stopping needs a {self._monitor} that is a number. Got {came} in all "
                f"{self.n_epochs} epochs. Check `scoring` and the loss against the validation rows."
            )


def _resumed_rule(tasks: list[TrainingTask]) -> tuple[EarlyStopping, Members]:
    """Return the rule with what it saw in the training that this one goes on from.

    A rule whose patience had run out gets it anew, or else nothing would go on.
    """
    task = tasks[0]
    rule = task.stopping or EarlyStopping(greater_is_better=task.score is not None)
    before = task.start.stopping if task.start else None
    starts = [own.start for own in tasks] if task.stopping else []
    best = tuple(s.best_weights for s in starts if s and s.best_weights is not None)
    if before is None or (task.stopping and len(best) < len(tasks)):
        return replace(rule), ()
    n_stalled = 0 if before.has_stalled else before.n_stalled
    patience, min_delta = rule.patience, rule.min_delta
    resumed = replace(before, patience=patience, min_delta=min_delta, n_stalled=n_stalled)
    return resumed, best
