"""Keras callbacks, and the Keras model that they see in place of the compiled program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from .._backend.keras_objects import KerasObject, as_keras_loss
from .._backend.loading import load_keras
from .._backend.private_attributes import traces_batches
from .._networks.keras_view import (
    build_model,
    build_optimizer,
    get_weights,
    kernel_penalty,
    set_weights,
    view_in_own_units,
)
from .._networks.network import Weights
from .losses import PinballLoss
from .metrics import as_keras_metric
from .optimizers import copy_slots_to_keras
from .stand_in import ModelStandIn
from .task import OptimizerState, TrainingResult, TrainingTask

Present = tuple[Weights, OptimizerState, float | None]

_BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)
# They reach into the training loop or the optimizer of keras.Model.fit itself.
_INSIDE_KERAS = ("BackupAndRestore", "SwapEMAWeights")
# Whose batch hooks do nothing, always or at some setting, by package and class. A loss that is
# not finite ends every training with an error, without TerminateOnNaN.
_IDLE: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("keras", "Callback"): lambda callback: True,
    ("keras", "TerminateOnNaN"): lambda callback: True,
    ("keras", "ModelCheckpoint"): lambda callback: callback.save_freq == "epoch",
    ("keras", "TensorBoard"): lambda callback: (
        callback.update_freq == "epoch"
        and not (traces_batches(callback) or callback.write_steps_per_second)
    ),
    ("mlflow", "MlflowCallback"): lambda callback: callback.log_every_n_steps is None,
    ("wandb", "WandbMetricsLogger"): lambda callback: not callback.logging_batch_wise,
    ("wandb", "WandbModelCheckpoint"): lambda callback: callback.save_freq == "epoch",
}


def why_not_between_epochs(callbacks: Iterable[Any]) -> str | None:
    """Say which callback does more than act between epochs; None where none does."""
    keras = load_keras()
    for callback in callbacks:
        name = type(callback).__name__
        if any(isinstance(callback, getattr(keras.callbacks, kind)) for kind in _INSIDE_KERAS):
            return f"the callback {name} works inside of keras.Model.fit"
        if _acts_on_batches(callback):
            return f"the callback {name} acts on batches"
    return None


def _acts_on_batches(callback: Any) -> bool:
    own_word = getattr(callback, "acts_on_batches", None)
    if own_word is not None:
        return bool(own_word)
    return any(
        hook in vars(callback)  # where LambdaCallback puts what it is given
        or not _is_idle(_class_that_defines(hook, callback), callback)
        for hook in _BATCH_HOOKS
    )


def _class_that_defines(name: str, instance: Any) -> type:
    return next(kind for kind in type(instance).__mro__ if name in vars(kind))


def _is_idle(kind: type, callback: Any) -> bool:
    package = kind.__module__.partition(".")[0]
    is_idle = _IDLE.get((package, kind.__name__))
    return is_idle is not None and is_idle(callback)


def callback_model(task: TrainingTask, model: Any) -> Any:
    """Return the model that callbacks see: of Keras' own parts, and in the target's own units.

    It shares layers and optimizer with `model`, whose outputs are those that are trained. Its
    metrics are built, without which callbacks with ``mode="auto"`` do not know them.
    """
    view = view_in_own_units(model, task.output_scale)
    metrics = [as_keras_metric(metric) for metric in task.metrics]
    # A file of the model loads without this package, which has a loss that Keras has not.
    loss = None if isinstance(task.loss, PinballLoss) else as_keras_loss(task.loss)
    view.compile(optimizer=model.optimizer, loss=loss, metrics=metrics)
    y = task.y[:1].astype(task.dtype)
    outputs = np.zeros((1, task.network.n_outputs), task.dtype)
    view.compute_metrics(x=None, y=y, y_pred=outputs, sample_weight=None)
    view.reset_metrics()
    return view


class _SeenModel:
    """The model that callbacks see of a training on the compiled program.

    Most callbacks only read logs, so it is built when one of them first looks. From then on every
    state is written to it, since a layer or the optimizer may be kept and looked at later.
    """

    def __init__(self, task: TrainingTask, present: Callable[[], Present]) -> None:
        self._task, self._present = task, present
        self._model: Any = None
        self._shown: Weights = ()
        self._rate_shown: Any = None
        self._has_set_rate = False
        self.stand_in = ModelStandIn(self._look)

    @property
    def is_built(self) -> bool:
        """Whether a callback has ever looked."""
        return self._model is not None

    def _look(self) -> Any:
        if self._model is None:
            self._shown, optimizer, rate = self._present()
            self._model = self._built()
            self._rate_shown = self._configured_rate
            self._write(optimizer, rate)
        return self._model

    def _built(self) -> Any:
        task = self._task
        model = build_model(
            task.network,
            self._shown,
            dtype=task.dtype,
            kernel_regularizer=kernel_penalty(task.numbers["l1"], task.numbers["l2"]),
            seed=task.seed,
        )
        model.compile(task.optimizer.keras.build())
        build_optimizer(model, task.network)
        return callback_model(task, model)

    def update(self) -> None:
        """Show the present state of the training, once somebody has looked."""
        if self._model is not None:
            self._shown, optimizer, rate = self._present()
            self._write(optimizer, rate)

    def show(self, weights: Weights) -> None:
        """Show these weights beside the present state of the optimizer."""
        present = self._present

        def shown() -> Present:
            return weights, *present()[1:]

        self._present = shown
        self.update()

    def _write(self, optimizer: OptimizerState, rate: float | None) -> None:
        if rate is not None and not self._has_set_rate:
            self._model.optimizer.learning_rate = rate
            self._rate_shown = self._configured_rate
        set_weights(self._model, self._task.network, self._shown)
        rule = self._task.optimizer.rule
        assert rule is not None
        copy_slots_to_keras(rule, optimizer.n_steps, optimizer.slots, self._model.optimizer)

    def changed_weights(self) -> Weights | None:
        """Return the model's weights if a callback has changed them."""
        if self._model is None:
            return None
        weights = get_weights(self._model, self._task.network)
        pairs = zip(weights, self._shown, strict=True)
        if all(np.array_equal(new[name], old[name]) for new, old in pairs for name in old):
            return None
        self._shown = weights
        return weights

    @property
    def rate(self) -> float | KerasObject | None:
        """Learning rate or schedule that a callback has set; None if none has."""
        if self._model is None:
            return None
        rate = self._configured_rate
        self._has_set_rate |= rate != self._rate_shown
        if not self._has_set_rate:
            return None
        return rate if isinstance(rate, float) else KerasObject(json.dumps(rate, sort_keys=True))

    @property
    def _configured_rate(self) -> Any:
        return self._model.optimizer.get_config()["learning_rate"]


class EpochCallbacks:
    """The callbacks of a training on the compiled program.

    Parameters
    ----------
    task : TrainingTask
    present : callable
        Returns weights, optimizer and the rate of a named schedule as they are for those who look.

    Attributes
    ----------
    model : _SeenModel
        What callbacks change there is taken back by its `changed_weights` and `rate`.
    """

    def __init__(self, task: TrainingTask, present: Callable[[], Present]) -> None:
        keras = load_keras()
        self._task = task
        self.model = _SeenModel(task, present)
        self._logs: dict[str, float] = {}
        recorder = keras.callbacks.LambdaCallback(on_epoch_end=self._record)
        self._list = keras.callbacks.CallbackList(
            [*task.callbacks, recorder],
            add_history=True,
            model=self.model.stand_in,
            verbose=task.verbose,
            epochs=task.epoch_numbers.stop,
            steps=task.steps_per_epoch,
        )

    def _record(self, epoch: int, logs: dict[str, float]) -> None:
        self._logs = logs

    def train_begun(self) -> None:
        self._list.on_train_begin()

    def epoch_begun(self, epoch: int) -> None:
        self._list.on_epoch_begin(epoch)

    def test_begun(self) -> None:
        self._list.on_test_begin()

    def test_ended(self, logs: dict[str, float]) -> None:
        self._list.on_test_end({name.removeprefix("val_"): value for name, value in logs.items()})

    def epoch_ended(self, epoch: int, logs: dict[str, float]) -> bool:
        """Tell of an epoch's end; adds to `logs` and returns whether training is to stop."""
        self._list.on_epoch_end(epoch, logs)
        logs |= self._logs
        return bool(self.model.stand_in.stop_training)

    def train_ended(self, result: TrainingResult) -> TrainingResult:
        """Tell of the training's end; returns the result with the weights as they then are.

        Under early stopping its best weights stay, whatever callbacks restore.
        """
        self.model.show(result.weights)
        self._list.on_train_end(self._logs)
        changed = self.model.changed_weights()
        if changed is None or self._task.stopping is not None:
            return result
        return replace(result, weights=changed, state=replace(result.state, weights=changed))
