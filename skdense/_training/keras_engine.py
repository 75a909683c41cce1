"""The same training through ``keras.Model.fit``: the fallback, and the oracle of the tests."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.held_interrupts import held_interrupts
from .._backend.loading import load_keras, load_tensorflow
from .._backend.private_attributes import follow_initial_epoch
from .._networks.keras_view import (
    build_model,
    build_optimizer,
    get_weights,
    kernel_penalty,
    set_weights,
)
from .._networks.network import Weights
from .batches import require_convertible
from .callbacks import callback_model
from .evaluation import Evaluation
from .initializers import draw_or_resume_weights
from .keras_data import training_data, validation_data
from .losses import per_row_function, reduction
from .metrics import as_keras_metric
from .schedules import learning_rates
from .stand_in import ModelStandIn
from .task import Draw, OptimizerState, TrainingResult, TrainingState, TrainingTask
from .watching import Watch

ENGINE = "keras"


def train_with_keras(task: TrainingTask) -> TrainingResult:
    """Train one network, from the same start and on the same batches as the program."""
    _require_convertible_rows(task)
    watch = Watch([task], ENGINE, lambda epoch: scorer.rate)
    try:
        with held_interrupts() as let_go:
            model = _model(task)
            scorer = _scorer(task, model)
            bridge = _bridge(task, model) if task.callbacks else None
            watcher = _watcher(model, watch, scorer, let_go)
            let_go()
            _fit(task, model, [scorer, *([bridge] if bridge else []), watcher])
            last = get_weights(model, task.network)
            [result] = watch.results((last,), [_optimizer_state(model)])
            return result
    except KeyboardInterrupt as interrupt:
        has_failed = interrupt.__cause__ is not None
        if has_failed or not task.survives_interrupt or watch.n_epochs == 0:
            raise
        return _interrupted(task, model, watch, bridge)


def train_ensemble_with_keras(tasks: list[TrainingTask]) -> list[TrainingResult]:
    """Train networks that are watched together, an epoch of each in turn."""
    for task in tasks:
        _require_convertible_rows(task)
    models = [_model(task) for task in tasks]
    scorers = [
        _scorer(replace(task, validation=None, score=None), model)
        for task, model in zip(tasks, models, strict=True)
    ]
    watch = Watch(tasks, ENGINE, lambda epoch: scorers[0].rate)
    evaluate = Evaluation(tasks) if tasks[0].validation else None
    try:
        for epoch in tasks[0].epoch_numbers:
            logs = _fit_epoch(tasks, models, scorers, epoch)
            members = tuple(scorer.judged for scorer in scorers)
            logs |= evaluate(members) if evaluate else {}
            if watch.score is not None:
                logs["val_score"] = watch.score(members)
            if watch.epoch_ended(epoch, logs, members):
                break
    except KeyboardInterrupt:
        if not tasks[0].survives_interrupt or watch.n_epochs == 0:
            raise
        return watch.results(watch.last_weights, [None] * len(tasks), was_interrupted=True)
    last = [get_weights(model, task.network) for task, model in zip(tasks, models, strict=True)]
    return watch.results(tuple(last), [_optimizer_state(model) for model in models])


def _require_convertible_rows(task: TrainingTask) -> None:
    require_convertible(task.X, task.dtype)
    if task.validation is not None:
        require_convertible(task.validation.X, task.dtype)


def _fit_epoch(
    tasks: list[TrainingTask], models: list[Any], scorers: list[Any], epoch: int
) -> dict[str, float]:
    """Train every model for an epoch; returns the means of their logs."""
    by_member = []
    for task, model, scorer in zip(tasks, models, scorers, strict=True):
        start = task.start or TrainingState(scorer.judged, 0)
        own = replace(
            task, start=replace(start, n_epochs=epoch), epochs=1, validation=None, score=None
        )
        with held_interrupts():
            history = _fit(own, model, [scorer]).history
        by_member.append({name: values[-1] for name, values in history.items()})
    return {name: float(np.mean([own[name] for own in by_member])) for name in by_member[0]}


def _optimizer_state(model: Any) -> OptimizerState:
    steps = int(model.optimizer.iterations.numpy())
    return OptimizerState(_owner(model), steps, _slots(model))


def _fit(task: TrainingTask, model: Any, callbacks: list[Any]) -> Any:
    with _no_retracing_warnings(), training_data(task) as data, validation_data(task) as held_out:
        return model.fit(
            data,
            validation_data=held_out,
            initial_epoch=task.epoch_numbers.start,
            epochs=task.epoch_numbers.stop,
            steps_per_epoch=task.steps_per_epoch,
            shuffle=False,  # the data set has its order from the plan of each epoch
            verbose=0,
            callbacks=callbacks,
        )


def _interrupted(task: TrainingTask, model: Any, watch: Watch, bridge: Any) -> TrainingResult:
    """Sum up a training that Ctrl-C ended, as it was after its last whole epoch."""
    with held_interrupts():
        set_weights(model, task.network, watch.last_weights[0])
        if bridge:
            bridge.on_train_end({})
        last = get_weights(model, task.network)
        [result] = watch.results((last,), [None], was_interrupted=True)
        return result


def _model(task: TrainingTask) -> Any:
    """Build the model where the task starts."""
    seed = int(task.generator(Draw.KERAS_DROPOUT).integers(2**30))
    layers = build_model(
        task.network,
        draw_or_resume_weights(task),
        dtype=task.dtype,
        kernel_regularizer=_penalty(task),
        seed=seed,
    )
    model = _forgettable(layers)
    # Without XLA: compiling takes longer than it saves, and an oracle shares no compiler.
    model.compile(
        task.optimizer.keras.build(),
        _loss(task),
        metrics=[as_keras_metric(metric) for metric in task.metrics],
        jit_compile=False,
    )
    build_optimizer(model, task.network)
    state = task.resumed_optimizer(_owner(model))
    if state is not None:
        model.optimizer.iterations.assign(state.n_steps)
        for variable, array in zip(_slot_variables(model), state.slots[0], strict=True):
            variable.assign(array)
    return model


def _forgettable(model: Any) -> Any:
    """Return a model of the same layers, of whose training TensorFlow keeps no trace.

    Keras sums gradients over replicas, by a function with a gradient of its own, which TensorFlow
    keeps until the process ends, with the whole traced step: 2 to 3 MB for each fit.
    """
    tf, keras = load_tensorflow(), load_keras()

    class Model(keras.Sequential):  # type: ignore[name-defined]
        def train_step(self, data: Any) -> Any:
            step = super().train_step
            replica = tf.distribute.get_replica_context()
            return replica.merge_call(lambda strategy: step(data))

    inputs = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name="features")
    return Model([inputs, *model.layers], name=model.name)


def _owner(model: Any) -> tuple[str, ...]:
    # Without the numbers that Keras appends to some names.
    names = [variable.name.rstrip("0123456789_") for variable in _slot_variables(model)]
    return ENGINE, type(model.optimizer).__name__, *names


def _slot_variables(model: Any) -> list[Any]:
    """Return the optimizer's variables other than the count of steps and the learning rate."""
    counters = ("iteration", "learning_rate")
    return [v for v in model.optimizer.variables if v.name not in counters]


def _slots(model: Any) -> list[tuple[NDArray[Any], ...]]:
    return [tuple(np.asarray(variable.numpy()) for variable in _slot_variables(model))]


@contextlib.contextmanager
def _no_retracing_warnings() -> Iterator[None]:
    """Keep TensorFlow from logging, in this thread, that each model traces its own step."""
    tf = load_tensorflow()
    thread = threading.get_ident()

    def is_other(record: logging.LogRecord) -> bool:
        is_about_tracing = "triggered tf.function retracing" in record.getMessage()
        return not (is_about_tracing and threading.get_ident() == thread)

    logger = tf.get_logger()
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _loss(task: TrainingTask) -> Any:
    """Return the loss as a Keras object in the network's dtype, Keras' own being float32."""
    keras = load_keras()
    function = per_row_function(task.loss)

    class Loss(keras.losses.Loss):  # type: ignore[name-defined]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return function(y_true, y_pred)

    return Loss(name="loss", reduction=reduction(task.loss), dtype=task.dtype)


def _penalty(task: TrainingTask) -> Any:
    """Return the penalty on kernels in the dtype in which Keras' fit adds it to its own loss.

    Gradients pass the cast unchanged; without it, float64 layers fail in ``keras.Model.fit``.
    """
    keras = load_keras()
    penalty = kernel_penalty(task.numbers["l1"], task.numbers["l2"])
    if penalty is None or task.dtype == keras.config.floatx():
        return penalty

    class Cast(keras.regularizers.L1L2):  # type: ignore[name-defined]
        def __call__(self, kernel: Any) -> Any:
            return keras.ops.cast(penalty(kernel), keras.config.floatx())

    # So that files which callbacks write name Keras' own.
    Cast.__name__, Cast.__module__ = "L1L2", "keras.regularizers"
    return Cast(task.numbers["l1"], task.numbers["l2"])


def _scorer(task: TrainingTask, model: Any) -> Any:
    """Return the callback, before all others, that keeps and scores the weights judged."""
    keras = load_keras()

    class Scorer(keras.callbacks.Callback):  # type: ignore[name-defined]
        judged: Weights = ()
        rate = 0.0
        schedule = _ScheduledRate(task, model) if task.schedule else None
        evaluate = Evaluation([task]) if task.validation and task.calibrated_loss else None

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if self.schedule:
                self.schedule.set()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            _seed_dropout(task, model, epoch)
            if task.listener is not None:
                task.listener.epoch_begins()

        def on_test_end(self, logs: Any = None) -> None:
            # Before SwapEMAWeights puts others back.
            self.judged = get_weights(model, task.network)

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.rate = float(model.optimizer.learning_rate.numpy())  # before callbacks change it
            if task.validation is None:
                self.judged = get_weights(model, task.network)
            if task.score is not None:
                logs["val_score"] = task.score((self.judged,))
            if self.evaluate is not None:
                name = task.monitor
                logs[name] = self.evaluate((self.judged,))[name]

    return Scorer()


class _ScheduledRate:
    """Sets the learning rate of each step, until a callback sets another one."""

    def __init__(self, task: TrainingTask, model: Any) -> None:
        self._optimizer = model.optimizer
        self._batches_per_update = self._optimizer.gradient_accumulation_steps or 1
        self._first = self._count_batches()
        self._rate = task.learning_rate_from(self._first)
        self._step: int | None = None  # of the last batch
        self._last = self._optimizer.learning_rate.numpy()

    def _count_batches(self) -> int:
        return int(self._optimizer.iterations.numpy()) * self._batches_per_update

    def set(self) -> None:
        if self._step is None:
            self._step = self._count_batches() - 1
            if self._step >= self._first:  # as BackupAndRestore has left it
                [self._last] = learning_rates(self._rate, self._step, 1)
        self._step += 1
        if self._optimizer.learning_rate.numpy() == self._last:
            [self._last] = learning_rates(self._rate, self._step, 1)
            self._optimizer.learning_rate = self._last


def _seed_dropout(task: TrainingTask, model: Any, epoch: int) -> None:
    """Let an epoch's masks depend on its number, however many fits there were before."""
    keras = load_keras()
    generator = task.generator(Draw.KERAS_DROPOUT, epoch)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign(generator.integers(2**30, size=2))


def _watcher(model: Any, watch: Watch, scorer: Any, let_go: Callable[[], None]) -> Any:
    """Return the callback, after all others, that reports to the watch and lets Ctrl-C through."""
    keras = load_keras()

    class Watcher(keras.callbacks.Callback):  # type: ignore[name-defined]
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            if watch.epoch_ended(epoch, logs, (scorer.judged,)):
                model.stop_training = True

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            let_go()

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            let_go()

    return Watcher()


def _bridge(task: TrainingTask, model: Any) -> Any:
    """Return the user's callbacks as one, which see the model in the target's own units."""
    keras = load_keras()
    own = callback_model(task, model)
    view = ModelStandIn(lambda: own)

    class Bridge(keras.callbacks.CallbackList):  # type: ignore[name-defined]
        def set_model(self, inner: Any) -> None:
            if inner is not None:  # as in the constructor
                super().set_model(view)

        def set_params(self, params: Any) -> None:
            super().set_params(params and params | {"verbose": task.verbose})

        def on_train_begin(self, logs: Any = None) -> None:
            super().on_train_begin(logs)
            follow_initial_epoch(model, own)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            model.stop_training |= view.stop_training

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            # Not as CallbackList does it, on a copy: what callbacks add belongs to the history.
            for callback in self.callbacks:
                callback.on_epoch_end(epoch, logs)
            model.stop_training |= view.stop_training

    return Bridge(list(task.callbacks), add_history=True)
