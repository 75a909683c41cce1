"""Initial kernels from Keras' initializers, each from a seed of its own."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.loading import load_keras
from .._networks.network import Weights, cast_weights, fit_weights, start_weights
from .task import Draw, TrainingTask

Array = NDArray[np.floating]
Initializer = Any  # Keras name, keras.initializers.Initializer or class of it, or a function


def seed_initializer(initializer: Initializer, seed: int) -> Callable[..., Any]:
    """Return the initializer with a seed, unless it brings its own or needs none.

    A name is built with the seed at once: an initializer constructed without one draws it from
    Python's global random state.
    """
    keras = load_keras()
    kind = initializer
    if isinstance(initializer, str):
        kind = getattr(keras.initializers, initializer, None)
        kind = kind or keras.saving.get_registered_object(initializer)
    if isinstance(kind, type):
        return kind(seed=seed) if "seed" in inspect.signature(kind).parameters else kind()
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    copied: Callable[..., Any] = copy.deepcopy(initializer)
    if initializer.get_config().get("seed", seed) is None:
        copied.seed = seed  # type: ignore[attr-defined] # documented on RandomInitializer
    return copied


def draw_kernel(initializer: Initializer, seed: int, shape: tuple[int, int], dtype: str) -> Array:
    """Return an initial kernel."""
    kernel = np.asarray(seed_initializer(initializer, seed)(shape, dtype=dtype))
    if kernel.shape != shape:
        raise ValueError(
            f"kernel_initializer must return an array of the shape asked for, {shape}. Got "
            f"{kernel.shape} from {initializer!r}."
        )
    return kernel


class _Draws:
    """What a task's weights start from; kernels each by a seed of its own."""

    def __init__(self, task: TrainingTask) -> None:
        self._task, self._generator = task, task.generator(Draw.KERNELS)

    def kernel(self, shape: tuple[int, int]) -> Array:
        seed = int(self._generator.integers(2**31))
        return draw_kernel(self._task.kernel_initializer, seed, shape, self._task.dtype)

    def uniform(self, shape: tuple[int, ...], limit: float) -> Array:
        return self._generator.uniform(-limit, limit, shape)

    def normal(self, shape: tuple[int, ...], spread: float) -> Array:
        return self._generator.normal(0, spread, shape)


def draw_or_resume_weights(task: TrainingTask) -> Weights:
    """Return the weights that a task's training goes on from, or draw and fit them."""
    if task.start is not None:
        return cast_weights(task.start.weights, task.dtype)
    weights = cast_weights(start_weights(task.network, _Draws(task)), task.dtype)
    if not task.network.has_fitted_weights:
        return weights
    return cast_weights(fit_weights(task.network, weights, *_select_rows(task)), task.dtype)


def _select_rows(task: TrainingTask) -> tuple[Any, Array | None]:
    """Return the rows to train on, and their weights."""
    rows = slice(None) if task.rows is None else task.rows
    return task.X[rows], None if task.sample_weight is None else task.sample_weight[rows]
