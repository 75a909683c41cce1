"""Keras as its users write it: a model, and the estimator of `keras.wrappers` around one."""

from __future__ import annotations

import contextlib
import gc
import io
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from _data import Array
from _peers import LEARNING_RATE
from _workloads import Workload


def dense_model(
    sizes: tuple[int, ...],
    loss: str,
    activation: str = "relu",
    learning_rate: float = LEARNING_RATE,
) -> Any:
    """Return a compiled network; `sizes` begins with the inputs and ends with the outputs."""
    n_inputs, *units, n_outputs = sizes
    last = "softmax" if loss.endswith("crossentropy") else "linear"
    hidden = [keras.layers.Dense(width, activation=activation) for width in units]
    output = keras.layers.Dense(n_outputs, activation=last)
    model = keras.Sequential([keras.Input((n_inputs,)), *hidden, output])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=loss)
    return model


def model_for(X: Any, y: Any, units: tuple[int, ...], **options: Any) -> Any:
    """Return a model as `keras.wrappers` asks for one, by the data; `y` has two axes."""
    return dense_model((X.shape[1], *units, y.shape[1]), **options)


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Let Keras compute in a dtype that is not its own for a while.

    Keras knows no narrower setting that reaches its conversion of arrays to tensors too.
    """
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


class PlainKeras:
    """A model as the users of Keras write it, with the methods of an estimator.

    Building, compiling and a first fit, in which Keras traces, happen here: what every fit of
    a search costs, as each has a new model. Further fits are the fastest that Keras has.
    """

    n_iter_: int

    def __init__(self, workload: Workload, X: Array, y: Array) -> None:
        keras.utils.set_random_seed(0)
        loss = "mse" if workload.n_classes is None else "sparse_categorical_crossentropy"
        sizes = (workload.n_features, *workload.units, workload.n_outputs)
        self.model = dense_model(sizes, loss)
        self.model.optimizer.build(self.model.trainable_variables)
        self._workload = workload
        self._variables = [*self.model.variables, *self.model.optimizer.variables]
        self._start = [variable.numpy() for variable in self._variables]
        self.fit(X, y)

    def reset(self) -> None:
        """Put weights and optimizer back to the start."""
        for variable, value in zip(self._variables, self._start, strict=True):
            variable.assign(value)
        gc.collect()

    def fit(self, X: Array, y: Array) -> None:
        """Train from where the weights are."""
        workload = self._workload
        history = self.model.fit(
            X, y, batch_size=workload.batch_size, epochs=workload.epochs, verbose=0
        )
        self.n_iter_ = len(history.epoch)

    def predict(self, X: Array) -> Array:
        """Return the most probable class of each row, or a regression's numbers."""
        outputs = self.model.predict(X, verbose=0)
        return outputs[:, 0] if self._workload.n_classes is None else np.argmax(outputs, axis=1)


class WrappedKeras:
    """The estimator of `keras.wrappers`; each fit builds, compiles and traces a new model."""

    n_iter_: int

    def __init__(self, workload: Workload) -> None:
        keras.utils.set_random_seed(0)
        regression = workload.n_classes is None
        wrapper = (
            keras.wrappers.SKLearnRegressor if regression else keras.wrappers.SKLearnClassifier
        )
        loss = "mse" if regression else "categorical_crossentropy"
        self._estimator = wrapper(model_for, model_kwargs={"units": workload.units, "loss": loss})
        # Given to `fit`: what the constructor takes is forgotten by `clone`.
        self._options = {
            "batch_size": workload.batch_size,
            "epochs": workload.epochs,
            "verbose": 0,
        }

    def fit(self, X: Array, y: Array) -> None:
        """Train a new model."""
        self._estimator.fit(X, y, **self._options)
        self.n_iter_ = len(self._estimator.history_.epoch)

    def predict(self, X: Array) -> Array:
        """Predict, without the progress bar that the wrapper cannot be told to leave out."""
        with contextlib.redirect_stdout(io.StringIO()):
            return np.asarray(self._estimator.predict(X))
