"""Keras objects as hashable data: their configuration in, a fresh object out.

A search clones its estimators, so one optimizer given by the user becomes hundreds of equal
copies. Kept as configuration they compare equal, share one compiled program, and are never
changed by a fit.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from .loading import load_keras
from .private_attributes import arguments_beside_configuration

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
    user_classes : tuple of type
        Classes in it that are not Keras' own. Part of the identity: a class that is defined
        anew, in a notebook say, is another one.
    """

    config: str
    user_classes: tuple[type, ...] = ()

    @classmethod
    def of(cls, instance: Any) -> KerasObject:
        keras = load_keras()
        serialized = keras.saving.serialize_keras_object(instance)
        serialized.get("config", {}).pop("name", None)
        parts = [instance, *(part for part in vars(instance).values() if is_configured(part))]
        user_classes = {type(part): None for part in parts if not is_of_keras(type(part))}
        return cls(json.dumps(serialized, sort_keys=True), tuple(user_classes))

    def with_arguments(self, **changes: Any) -> KerasObject:
        """Return the same object constructed with other arguments, which may be objects."""
        classes = self.user_classes
        for name, value in changes.items():
            if isinstance(value, KerasObject):
                changes[name] = value.serialized
                classes += value.user_classes
        serialized = self.serialized | {"config": self.arguments | changes}
        return KerasObject(json.dumps(serialized, sort_keys=True), classes)

    def part(self, name: str) -> KerasObject:
        """Return the object that was given as an argument."""
        return KerasObject(json.dumps(self.arguments[name], sort_keys=True), self.user_classes)

    def build(self) -> Any:
        keras = load_keras()
        custom = {kind.__name__: kind for kind in self.user_classes}
        serialized = json.loads(self.config)  # anew, since Keras changes what it reads
        return keras.saving.deserialize_keras_object(
            serialized, custom_objects=custom, safe_mode=True
        )

    @cached_property
    def serialized(self) -> dict[str, Any]:
        """What ``keras.saving.deserialize_keras_object`` takes."""
        serialized: dict[str, Any] = json.loads(self.config)
        return serialized

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What the object was constructed with, as ``get_config`` gives it."""
        arguments: dict[str, Any] = self.serialized["config"]
        return arguments

    @cached_property
    def class_name(self) -> str:
        name: str = self.serialized["class_name"]
        return name

    @property
    def module(self) -> str:
        name: str = self.serialized["module"]
        return name

    @property
    def from_logits(self) -> bool:
        """Of a loss: whether it takes logits."""
        return bool(self.arguments.get("from_logits", False))


# Of Keras, what may be built from a file that anybody has written: nothing that runs what it is
# given, as a Lambda layer would.
_SAFE_MODULES = {
    "keras.initializers",
    "keras.losses",
    "keras.optimizers",
    "keras.optimizers.schedules",
}
_SAFE_LAYERS = {"Activation", "ELU", "LeakyReLU", "ReLU", "Softmax"}


_PARTS = {"build_config", "class_name", "config", "module", "registered_name"}


def is_safe_to_build(serialized: Any) -> bool:
    """Say whether a configuration, with all inside of it, is of classes that run no code.

    Not left to the safe mode of Keras, which its user may have switched off for another file.
    """
    if isinstance(serialized, list):
        return all(map(is_safe_to_build, serialized))
    if not isinstance(serialized, dict):
        return True
    if "class_name" in serialized and not _is_safe_class(serialized):
        return False
    return all(map(is_safe_to_build, serialized.values()))


def _is_safe_class(serialized: dict[str, Any]) -> bool:
    module, name = serialized.get("module"), serialized["class_name"]
    if serialized.get("registered_name") is not None or not serialized.keys() <= _PARTS:
        return False
    # Else it is a function, or a kind that Keras treats on its own, such as "__lambda__".
    if not isinstance(name, str) or not name[:1].isupper():
        return False
    is_layer = module == "keras.layers" and name in _SAFE_LAYERS
    return is_layer or module in _SAFE_MODULES or (module, name) == ("keras", "DTypePolicy")


def is_configured(value: Any) -> bool:
    """Say whether an object describes itself by ``get_config``, as those of Keras do."""
    return hasattr(value, "get_config") and not isinstance(value, type)


def is_of_keras(value: Any) -> bool:
    """Say whether Keras defines a class, a function, or an object's class."""
    module = getattr(value, "__module__", None) or ""
    return module.partition(".")[0] == "keras"


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
    _original: Any = field(compare=False, repr=False)  # keeps the ids in `identity` taken

    @classmethod
    def of(cls, instance: Any) -> LossObject:
        described = [type(instance), _read_attributes(instance)]
        identity = json.dumps(described, sort_keys=True, default=_describe_attribute)
        # A twin, lest a later change of the user's object reach a program that has it. Not
        # copy.copy, which in Keras goes through the configuration.
        twin = object.__new__(type(instance))
        vars(twin).update(vars(instance))
        return cls(identity, twin, instance)

    def __repr__(self) -> str:
        return f"<{type(self.instance).__name__}>"

    @property
    def from_logits(self) -> bool:
        return bool(self.instance.get_config().get("from_logits", False))

    @property
    def reduction(self) -> str | None:
        reduction: str | None = self.instance.reduction
        return reduction


def describe_by_configuration(instance: Any) -> KerasObject | None:
    """Return what an equal object is built from; None where no configuration tells all of it."""
    try:
        described = KerasObject.of(instance)
        # Which several Keras losses leave out of their configuration.
        described = described.with_arguments(**arguments_beside_configuration(instance))
        twin = described.build()
    except Exception:
        return None
    if find_exclusions_from_decay(instance):
        return None
    is_equal = not _is_loss(instance) or LossObject.of(instance) == LossObject.of(twin)
    return described if is_equal else None


def find_exclusions_from_decay(instance: Any) -> list[str]:
    """Return where an optimizer keeps which weights not to decay; its configuration does not."""
    return [name for name, value in vars(instance).items() if "exclude_from" in name and value]


def _is_loss(instance: Any) -> bool:
    keras = load_keras()
    return isinstance(instance, keras.losses.Loss)


def as_keras_loss(loss: Any) -> Any:
    """Return a loss as Keras takes it."""
    return loss.instance if isinstance(loss, LossObject) else loss


def _describe_attribute(value: Any) -> Any:
    """Stand in for what JSON does not know; never the same for two different values."""
    if isinstance(value, functools.partial):
        return ["partial", value.func, value.args, value.keywords]
    if hasattr(value, "numpy"):  # a tensor
        value = value.numpy()
    if hasattr(value, "tolist"):
        return [str(value.dtype), value.tolist()]
    if is_of_keras(type(value)) and is_configured(value):
        return [type(value).__qualname__, value.get_config()]
    return ["id", id(value)]


def _read_attributes(instance: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(instance).items() if name != "name"}


def cross_entropy_of_logits(class_name: str) -> LossObject:
    """Return the cross-entropy of this Keras class, of outputs that are logits."""
    keras = load_keras()
    return LossObject.of(getattr(keras.losses, class_name)(from_logits=True))


ActivationFunction = str | KerasObject | Callable[..., Any]


@dataclass(frozen=True)
class PartialFunction:
    """A ``functools.partial`` that equals its copies."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]

    def __call__(self, x: Any) -> Any:
        return self.function(*self.arguments, x, **dict(self.keywords))


def as_activation(activation: str | Callable[..., Any]) -> ActivationFunction:
    """Reduce an activation to its Keras name or configuration where it has one."""
    if isinstance(activation, str):
        return activation
    if isinstance(activation, functools.partial):
        keywords = tuple(sorted(activation.keywords.items()))
        return PartialFunction(activation.func, activation.args, keywords)
    if is_configured(activation):
        return _as_layer(activation)
    keras = load_keras()
    name = getattr(activation, "__name__", "")
    return name if getattr(keras.activations, name, None) is activation else activation


def _as_layer(layer: Any) -> ActivationFunction:
    described = KerasObject.of(layer)
    is_softmax = described.class_name == "Softmax" and not described.user_classes
    return "softmax" if is_softmax and described.arguments["axis"] == -1 else described


@lru_cache(maxsize=256)
def activation_function(activation: ActivationFunction) -> Callable[..., Any]:
    """Return the function on tensors that an activation stands for."""
    keras = load_keras()
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
    >>> from skdense._backend.keras_objects import loss_name
    >>> loss_name("mse"), loss_name("MeanSquaredError"), loss_name(print)
    ('mean_squared_error', 'mean_squared_error', None)
    """
    if isinstance(loss, KerasObject):
        loss = loss.class_name
    if isinstance(loss, LossObject):
        loss = type(loss.instance)
    if not isinstance(loss, str):
        kind = loss if hasattr(loss, "__name__") else type(loss)
        if not kind.__module__.startswith("keras."):
            return None
        loss = kind.__name__
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", loss).lower()
    return _LOSS_ALIASES.get(snake, snake)
