"""Keras callbacks, and the Keras model that they see in place of the compiled program."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _tensorflow
from .._keras_objects import KerasObject, keras_loss
from .._keras_view import (
    build_model,
    get_weights,
    kernel_penalty,
    set_weights,
    view_in_own_units,
)
from .._network import Weights
from .metrics import as_keras_metric
from .optimizers import copy_slots_to_keras
from .task import OptimizerState, TrainingResult, TrainingTask

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


def why_not_between_epochs(callbacks: Iterable[Any]) -> str | None:
    """Say which callback does more than act between epochs; None where none does."""
    _, keras = _tensorflow.load()
    for callback in callbacks:
        name = type(callback).__name__
        if any(isinstance(callback, getattr(keras.callbacks, kind)) for kind in _INSIDE_KERAS):
            return f"the callback {name} works inside of keras.Model.fit"
        if _acts_per_batch(callback):
            return f"the callback {name} acts on batches"
    return None


def _acts_per_batch(callback: Any) -> bool:
    _, keras = _tensorflow.load()
    # A loss that is not finite ends every training with an error, without TerminateOnNaN.
    idle = [keras.callbacks.Callback, keras.callbacks.TerminateOnNaN]
    if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq == "epoch":
        idle.append(keras.callbacks.ModelCheckpoint)
    if isinstance(callback, keras.callbacks.TensorBoard) and callback.update_freq == "epoch":
        # Keras keeps nothing else of `profile_batch`.
        if callback._should_trace or callback.write_steps_per_second:
            return True
        idle.append(keras.callbacks.TensorBoard)
    return any(
        hook in vars(callback)  # where LambdaCallback puts what it is given
        or all(getattr(type(callback), hook) is not getattr(kind, hook) for kind in idle)
        for hook in _BATCH_HOOKS
    )


def callback_model(task: TrainingTask, model: Any) -> Any:
    """Return the model that callbacks see: of Keras' own parts, and in the target's own units.

    It shares layers and optimizer with `model`, whose outputs are those that are trained. Its
    metrics are built, without which callbacks with ``mode="auto"`` do not know them.
    """
    view = view_in_own_units(model, task.output_scale)
    metrics = [as_keras_metric(metric) for metric in task.metrics]
    view.compile(optimizer=model.optimizer, loss=keras_loss(task.loss), metrics=metrics)
    y = task.y[:1].astype(task.dtype)
    outputs = np.zeros((1, task.network.n_outputs), task.dtype)
    view.compute_metrics(x=None, y=y, y_pred=outputs, sample_weight=None)
    view.reset_metrics()
    view.stop_training = False
    return view


class EpochCallbacks:
    """The callbacks of a training on the compiled program.

    The weights and the optimizer's state are copied to a Keras model before the callbacks look
    at it; what they change there is taken back by `changed_weights` and `rate`.
    """

    def __init__(self, task: TrainingTask, weights: Weights) -> None:
        _, keras = _tensorflow.load()
        model = build_model(
            task.network,
            weights,
            dtype=task.dtype,
            kernel_regularizer=kernel_penalty(task.l1, task.l2),
            seed=task.seed,
        )
        model.compile(task.optimizer.keras.build())
        model.optimizer.build(model.trainable_variables)
        self._task, self._shown = task, weights
        self._model = callback_model(task, model)
        self._first_rate = self._configured_rate
        self._logs: dict[str, float] = {}
        recorder = keras.callbacks.LambdaCallback(on_epoch_end=self._record)
        self._list = keras.callbacks.CallbackList(
            [*task.callbacks, recorder],
            add_history=True,
            model=self._model,
            verbose=task.verbose,
            epochs=task.epoch_numbers.stop,
            steps=task.steps_per_epoch,
        )

    def _record(self, epoch: int, logs: dict[str, float]) -> None:
        self._logs = logs

    def show(self, weights: Weights, optimizer: OptimizerState | None) -> None:
        """Put a state of the training into the callbacks' model."""
        set_weights(self._model, weights)
        self._shown = weights
        rule = self._task.optimizer.rule
        if optimizer is not None and rule is not None:
            copy_slots_to_keras(rule, optimizer.n_steps, optimizer.slots, self._model.optimizer)

    def changed_weights(self) -> Weights | None:
        """Return the model's weights if a callback has changed them."""
        weights = get_weights(self._model, self._shown)
        pairs = zip(weights, self._shown, strict=True)
        if all(np.array_equal(new[name], old[name]) for new, old in pairs for name in old):
            return None
        self._shown = weights
        return weights

    @property
    def rate(self) -> float | KerasObject | None:
        """Learning rate or schedule that a callback has set; None if none has."""
        rate = self._configured_rate
        if rate == self._first_rate:
            return None
        return rate if isinstance(rate, float) else KerasObject(json.dumps(rate, sort_keys=True))

    @property
    def _configured_rate(self) -> Any:
        return self._model.optimizer.get_config()["learning_rate"]

    def train_begun(self, optimizer: OptimizerState) -> None:
        self.show(self._shown, optimizer)
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
        return bool(self._model.stop_training)

    def train_ended(self, result: TrainingResult) -> TrainingResult:
        """Tell of the training's end; returns the result with the weights as they then are.

        Under early stopping its best weights stay, whatever callbacks restore.
        """
        self.show(result.weights, result.state.optimizer)
        self._list.on_train_end(self._logs)
        changed = self.changed_weights()
        if changed is None or self._task.stopping is not None:
            return result
        return replace(result, weights=changed, state=replace(result.state, weights=changed))
