"""The same training through ``keras.Model.fit``: the fallback, and the oracle of the tests."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _tensorflow
from .._keras_view import build_model, get_weights
from .batches import batch_lengths, plan_epochs, take_rows
from .initializers import starting_weights
from .losses import per_row_function, reduction
from .progress import Progress
from .task import Draw, TrainingResult, TrainingTask, require_finite

Batch = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def train_with_keras(task: TrainingTask) -> TrainingResult:
    """Train one network, from the same start and on the same batches as the program."""
    weights = starting_weights(task)
    seed = int(task.generator(Draw.KERAS_DROPOUT).integers(2**30))
    model = build_model(
        task.network, weights, dtype=task.dtype, kernel_regularizer=_penalty(task), seed=seed
    )
    # Without XLA: compiling takes longer than it saves, and an oracle shares no compiler.
    model.compile(task.optimizer.keras.build(), _loss(task), jit_compile=False)
    history: list[float] = []
    with _no_retracing_warnings():
        model.fit(
            _dataset(task),
            epochs=task.epochs,
            steps_per_epoch=task.steps_per_epoch,
            shuffle=False,  # the data set has its order from the plan of each epoch
            verbose=0,
            callbacks=[_epoch_callback(task, history)],
        )
    return TrainingResult(get_weights(model, weights), {"loss": history}, "keras")


@contextlib.contextmanager
def _no_retracing_warnings() -> Iterator[None]:
    """Keep TensorFlow from logging, in this thread, that each model traces its own step."""
    tf, _ = _tensorflow.load()
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
    _, keras = _tensorflow.load()
    function = per_row_function(task.loss)

    class Loss(keras.losses.Loss):  # type: ignore[name-defined]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return function(y_true, y_pred)

    return Loss(name="loss", reduction=reduction(task.loss), dtype=task.dtype)


def _penalty(task: TrainingTask) -> Any:
    """Return the penalty on kernels in float32, as Keras' fit adds it to its own loss.

    Gradients pass the cast unchanged; without it, float64 layers fail in ``keras.Model.fit``.
    """
    _, keras = _tensorflow.load()
    if task.l1 == 0 and task.l2 == 0:
        return None
    penalty = keras.regularizers.L1L2(task.l1, task.l2)

    class Float32(keras.regularizers.Regularizer):  # type: ignore[name-defined]
        def __call__(self, kernel: Any) -> Any:
            return keras.ops.cast(penalty(kernel), keras.config.floatx())

    return Float32()


def _epoch_callback(task: TrainingTask, history: list[float]) -> Any:
    _, keras = _tensorflow.load()
    progress = Progress(task.verbose, task.epochs)

    def epoch_ended(epoch: int, logs: dict[str, float]) -> None:
        history.append(float(logs["loss"]))
        require_finite(task, history[-1:], epoch)
        progress.epoch_ended(epoch, logs)

    return keras.callbacks.LambdaCallback(on_epoch_end=epoch_ended)


def _dataset(task: TrainingTask) -> Any:
    tf, _ = _tensorflow.load()
    shapes = [(None, task.network.n_inputs), (None, task.y.shape[1]), (None,)]
    signature = tuple(tf.TensorSpec(shape, task.dtype) for shape in shapes)
    return tf.data.Dataset.from_generator(lambda: _batches(task), output_signature=signature)


def _batches(task: TrainingTask) -> Iterator[Batch]:
    """Yield rows, targets and weights of every batch of every epoch."""
    lengths = batch_lengths(task)
    for epoch in range(task.epochs):
        plan = plan_epochs(task, range(epoch, epoch + 1))
        for rows, length in zip(plan.rows, lengths, strict=True):
            yield _batch(task, rows[:length])


def _batch(task: TrainingTask, rows: NDArray[np.intp]) -> Batch:
    X = np.empty((len(rows), task.network.n_inputs), task.dtype)
    take_rows(task.X, rows, X)
    weights = np.ones(len(rows)) if task.sample_weight is None else task.sample_weight[rows]
    return X, task.y[rows].astype(task.dtype), weights.astype(task.dtype)
