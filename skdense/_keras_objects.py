"""Keras objects as hashable data: their configuration in, a fresh object out.

A search clones its estimators, so one optimizer given by the user becomes hundreds of equal
copies. Kept as configuration they compare equal, share one compiled program, and are never
changed by a fit.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import FunctionType
from typing import Any

from . import _tensorflow

# Keras' short names of losses, where they are not the lower-case spelling of the class.
_LOSS_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "kld": "kl_divergence",
    "kldivergence": "kl_divergence",
    "bce": "binary_crossentropy",
    "logcosh": "log_cosh",
}


@dataclass(frozen=True)
class KerasObject:
    """A Keras object as its serialised configuration.

    Attributes
    ----------
    config : str
        JSON of ``keras.saving.serialize_keras_object``, without the object's own name.
    user_class : type or None
        The class, where it is not one of Keras' own.
    """

    config: str
    user_class: type | None = None

    @classmethod
    def of(cls, instance: Any) -> KerasObject:
        _, keras = _tensorflow.load()
        serialized = keras.saving.serialize_keras_object(instance)
        serialized.get("config", {}).pop("name", None)
        kind = type(instance)
        own = kind.__module__.partition(".")[0] == "keras"
        return cls(json.dumps(serialized, sort_keys=True), None if own else kind)

    def build(self) -> Any:
        _, keras = _tensorflow.load()
        custom = {} if self.user_class is None else {self.user_class.__name__: self.user_class}
        return keras.saving.deserialize_keras_object(self.serialized, custom_objects=custom)

    @classmethod
    def from_serialized(cls, serialized: dict[str, Any]) -> KerasObject:
        """Take what Keras itself serialised inside another object, such as a schedule."""
        return cls(json.dumps(serialized, sort_keys=True))

    def with_arguments(self, **changes: Any) -> KerasObject:
        """Return the same object constructed with other arguments."""
        serialized = json.loads(self.config)
        serialized["config"] |= changes
        return KerasObject(json.dumps(serialized, sort_keys=True), self.user_class)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What the object was constructed with, as ``get_config`` gives it."""
        config: dict[str, Any] = json.loads(self.config)["config"]
        return config

    @property
    def serialized(self) -> dict[str, Any]:
        """What ``keras.saving.deserialize_keras_object`` takes."""
        serialized: dict[str, Any] = json.loads(self.config)
        return serialized

    @property
    def class_name(self) -> str:
        name: str = self.serialized["class_name"]
        return name


@dataclass(frozen=True)
class LossObject:
    """A ``keras.losses.Loss`` with an identity that its copies share.

    Kept as it is, since the configuration of several Keras losses leaves arguments out, such
    as the delta of ``Huber``.

    Attributes
    ----------
    identity : str
        The class and every attribute.
    instance : keras.losses.Loss
    """

    identity: str
    instance: Any = field(compare=False, repr=False)

    @classmethod
    def of(cls, instance: Any) -> LossObject:
        state = {name: value for name, value in vars(instance).items() if name != "name"}
        kind = type(instance)
        identity = [kind.__module__, kind.__qualname__, id(kind), state]
        return cls(json.dumps(identity, sort_keys=True, default=_describe), instance)

    @property
    def from_logits(self) -> bool:
        return bool(self.instance.get_config().get("from_logits", False))

    @property
    def reduction(self) -> str | None:
        reduction: str | None = self.instance.reduction
        return reduction


_unique = itertools.count()


def _describe(value: Any) -> Any:
    """Stand in for what JSON does not know; never the same for two different values."""
    if hasattr(value, "tolist"):  # NumPy
        return [str(value.dtype), value.tolist()]
    if isinstance(value, FunctionType | type):
        return [value.__module__, value.__qualname__, id(value)]
    if type(value).__module__.startswith("keras.") and hasattr(value, "get_config"):
        return [type(value).__qualname__, value.get_config()]
    return ["unique", next(_unique)]


def cross_entropy_of_logits(class_name: str) -> LossObject:
    """Return the cross-entropy of this Keras class, of outputs that are logits."""
    _, keras = _tensorflow.load()
    return LossObject.of(getattr(keras.losses, class_name)(from_logits=True))


Activation = str | KerasObject | Callable[..., Any]


def as_activation(activation: str | Callable[..., Any]) -> Activation:
    """Reduce an activation to its Keras name or configuration where it has one."""
    if isinstance(activation, str):
        return activation
    if _is_keras_function(activation):
        return activation.__name__
    if not hasattr(activation, "get_config"):
        return activation
    layer = KerasObject.of(activation)
    is_softmax = layer.class_name == "Softmax" and layer.user_class is None
    return "softmax" if is_softmax and layer.arguments["axis"] == -1 else layer


@lru_cache(maxsize=256)
def activation_function(activation: Activation) -> Callable[..., Any]:
    """Return the function on tensors that an activation stands for."""
    _, keras = _tensorflow.load()
    if not isinstance(activation, KerasObject):
        function: Callable[..., Any] = keras.activations.get(activation)
        return function
    instance = activation.build()
    # A layer's `call` keeps the dtype; calling the layer would cast to its own.
    return instance.call if isinstance(instance, keras.layers.Layer) else instance


def loss_name(loss: Any) -> str | None:
    """Return Keras' function name of a built-in loss; None for anything else.

    Examples
    --------
    >>> from skdense._keras_objects import loss_name
    >>> loss_name("mse"), loss_name("MeanSquaredError"), loss_name(print)
    ('mean_squared_error', 'mean_squared_error', None)
    """
    if isinstance(loss, LossObject):
        loss = type(loss.instance)
    if not isinstance(loss, str):
        kind = loss if hasattr(loss, "__name__") else type(loss)
        if not kind.__module__.startswith("keras."):
            return None
        loss = kind.__name__
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", loss).lower()
    return _LOSS_ALIASES.get(snake, snake)


def _is_keras_function(function: Any) -> bool:
    module = getattr(function, "__module__", None) or ""
    return module.startswith("keras.") and hasattr(function, "__name__")
