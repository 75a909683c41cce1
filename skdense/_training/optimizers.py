"""Update rules of Keras' optimizers as small pure functions.

A rule is hashable data with two functions: `init` gives the slots of one weight, `update` one
step of it. Weights and slots carry a leading member axis; learning rates come shaped to
broadcast against the weight. Every formula is the one of ``keras.optimizers``, operation for
operation, so that both engines agree to rounding. That includes `tf.cast` of a constant, which
rounds it to float32 on the way to float64, wherever Keras does it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import KerasObject
from .._backend.loading import load_keras, load_tensorflow

Tensor = Any
Array = NDArray[np.floating]
Slots = tuple[Tensor, ...]


# Keras numbers variables that it gives no name.
_UNNAMED = "variable"


def square_root(x: Tensor) -> Tensor:
    """Return the square root, in a way that TensorFlow compiles fast.

    It lowers each `tf.sqrt` by a compiler of its own, 7 ms long, but not `tf.math.rsqrt`, of which
    XLA makes the same instruction.
    """
    tf = load_tensorflow()
    return 1 / tf.math.rsqrt(x)


class Rule(Protocol):
    """How one weight follows its gradient."""

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The slots in order, by the names of Keras' variables."""
        ...

    def init(self, weight: Array) -> Slots: ...

    def update(
        self, gradient: Tensor, weight: Tensor, slots: Slots, rate: Tensor, step: Tensor
    ) -> tuple[Tensor, Slots]:
        """Return the new weight and slots after step number `step`, counted from 1."""
        ...


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, optionally with (Nesterov) momentum."""

    momentum: float = 0.0
    nesterov: bool = False

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def init(self, weight: Array) -> Slots:
        return (np.zeros_like(weight),) * len(self.slot_names)

    def update(
        self, gradient: Tensor, weight: Tensor, slots: Slots, rate: Tensor, step: Tensor
    ) -> tuple[Tensor, Slots]:
        if not self.momentum:
            return weight - gradient * rate, ()
        tf = load_tensorflow()
        momentum = tf.cast(self.momentum, weight.dtype)
        velocity = slots[0] * momentum - gradient * rate
        if self.nesterov:
            return weight + velocity * momentum - gradient * rate, (velocity,)
        return weight + velocity, (velocity,)


@dataclass(frozen=True)
class RMSprop:
    """Gradients divided by a running root mean square, optionally centered."""

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    @property
    def slot_names(self) -> tuple[str, ...]:
        centered = ("average_gradient",) if self.centered else ()
        return ("velocity", *centered, "momentum") if self.momentum > 0 else ("velocity", *centered)

    def init(self, weight: Array) -> Slots:
        return (np.zeros_like(weight),) * len(self.slot_names)

    def update(
        self, gradient: Tensor, weight: Tensor, slots: Slots, rate: Tensor, step: Tensor
    ) -> tuple[Tensor, Slots]:
        tf = load_tensorflow()
        mean_square = self.rho * slots[0] + (1 - self.rho) * tf.square(gradient)
        new, denominator = [mean_square], mean_square + self.epsilon
        if self.centered:
            mean = self.rho * slots[1] + (1 - self.rho) * gradient
            new.append(mean)
            denominator = mean_square - tf.square(mean) + self.epsilon
        increment = rate * gradient / square_root(denominator)
        if self.momentum > 0:
            increment = self.momentum * slots[-1] + increment
            new.append(increment)
        return weight - increment, tuple(new)


@dataclass(frozen=True)
class Adam:
    """Adaptive moments; AdamW is this with Keras' default weight decay."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    @property
    def slot_names(self) -> tuple[str, ...]:
        names = ("momentum", "velocity", "velocity_hat")
        return names if self.amsgrad else names[:2]

    def init(self, weight: Array) -> Slots:
        return (np.zeros_like(weight),) * len(self.slot_names)

    def update(
        self, gradient: Tensor, weight: Tensor, slots: Slots, rate: Tensor, step: Tensor
    ) -> tuple[Tensor, Slots]:
        tf = load_tensorflow()
        correction_1 = 1 - tf.pow(tf.cast(self.beta_1, weight.dtype), step)
        correction_2 = 1 - tf.pow(tf.cast(self.beta_2, weight.dtype), step)
        alpha = rate * square_root(correction_2) / correction_1
        m = slots[0] + (gradient - slots[0]) * (1 - self.beta_1)
        v = slots[1] + (tf.square(gradient) - slots[1]) * (1 - self.beta_2)
        new = (m, v, tf.maximum(slots[2], v)) if self.amsgrad else (m, v)
        return weight - m * alpha / (square_root(new[-1]) + self.epsilon), new


@dataclass(frozen=True)
class Nadam:
    """Adam with Nesterov momentum, whose momentum schedule is Dozat's (2016)."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    @property
    def slot_names(self) -> tuple[str, ...]:
        return "momentum", "velocity", _UNNAMED

    def init(self, weight: Array) -> Slots:
        one_per_member = np.ones((len(weight), *(1,) * (weight.ndim - 1)), weight.dtype)
        return np.zeros_like(weight), np.zeros_like(weight), one_per_member

    def update(
        self, gradient: Tensor, weight: Tensor, slots: Slots, rate: Tensor, step: Tensor
    ) -> tuple[Tensor, Slots]:
        tf = load_tensorflow()
        decay, beta_1, beta_2 = (
            tf.cast(constant, weight.dtype) for constant in (0.96, self.beta_1, self.beta_2)
        )
        u = beta_1 * (1 - 0.5 * tf.pow(decay, step))
        u_next = beta_1 * (1 - 0.5 * tf.pow(decay, step + 1))
        exact_decay = tf.constant(0.96, weight.dtype)
        product = slots[2] * self.beta_1 * (1 - 0.5 * tf.pow(exact_decay, step))
        m = slots[0] + (gradient - slots[0]) * (1 - beta_1)
        v = slots[1] + (tf.square(gradient) - slots[1]) * (1 - beta_2)
        m_hat = u_next * m / (1 - product * u_next) + (1 - u) * gradient / (1 - product)
        v_hat = v / (1 - tf.pow(beta_2, step))
        return weight - m_hat * rate / (square_root(v_hat) + self.epsilon), (m, v, product)


_RULES: dict[str, type] = {
    "SGD": SGD,
    "RMSprop": RMSprop,
    "Adam": Adam,
    "AdamW": Adam,
    "Nadam": Nadam,
}

CLIPPINGS = ("clipnorm", "global_clipnorm", "clipvalue")

# Settings of Keras optimizers that only Keras itself carries out.
_KERAS_ONLY = ("use_ema", "loss_scale_factor", "gradient_accumulation_steps")


@dataclass(frozen=True)
class OptimizerSettings:
    """An optimizer as one training uses it.

    Attributes
    ----------
    keras : KerasObject
        The Keras optimizer with every setting applied.
    learning_rate : float or KerasObject of a schedule
    weight_decay : float or None
    clipping : str or None
        Which of ``CLIPPINGS`` is on, and its bound in `clip_bound`.
    """

    keras: KerasObject
    learning_rate: float | KerasObject
    weight_decay: float | None
    clipping: str | None
    clip_bound: float

    @cached_property
    def rule(self) -> Rule | None:
        """The update rule of the compiled program, None where only Keras has one."""
        kind = _RULES.get(self.keras.class_name) if self._is_of_keras else None
        if kind is None or self.keras_only:
            return None
        arguments = self.keras.arguments
        rule: Rule = kind(**{f.name: arguments[f.name] for f in fields(kind)})
        return rule

    @property
    def _is_of_keras(self) -> bool:
        module: str = self.keras.serialized["module"]
        return module.partition(".")[0] == "keras"

    @cached_property
    def keras_only(self) -> list[str]:
        return [name for name in _KERAS_ONLY if self.keras.arguments.get(name)]


@lru_cache(maxsize=64)
def _named_optimizer(name: str) -> KerasObject:
    # Cached, because building a Keras optimizer takes 1.5 ms, a tenth of a small fit.
    keras = load_keras()
    return KerasObject.of(keras.optimizers.get(name))


def optimizer_settings(
    optimizer: str | KerasObject,
    learning_rate: float | KerasObject | None,
    weight_decay: float | None,
    clipnorm: float | None,
) -> OptimizerSettings:
    """Apply the estimator's own settings on top of the optimizer's."""
    base = _named_optimizer(optimizer) if isinstance(optimizer, str) else optimizer
    changes: dict[str, Any] = {}
    if learning_rate is not None:
        if not isinstance(learning_rate, KerasObject):
            learning_rate = float(learning_rate)
        changes["learning_rate"] = learning_rate
    if weight_decay is not None:
        changes["weight_decay"] = float(weight_decay)
    if clipnorm is not None:
        changes |= dict.fromkeys(CLIPPINGS) | {"clipnorm": float(clipnorm)}
    keras = base.with_arguments(**changes)
    clipping = next((name for name in CLIPPINGS if keras.arguments.get(name)), None)
    rate = keras.arguments["learning_rate"]
    return OptimizerSettings(
        keras=keras,
        learning_rate=keras.part("learning_rate") if isinstance(rate, dict) else float(rate),
        weight_decay=keras.arguments.get("weight_decay"),
        clipping=clipping,
        clip_bound=float(keras.arguments[clipping]) if clipping else 0.0,
    )


def copy_slots_to_keras(rule: Rule, n_steps: int, slots: list[Slots], optimizer: Any) -> None:
    """Put what a rule remembers into a built Keras optimizer, for it to go on from there.

    Parameters
    ----------
    rule : Rule
    n_steps : int
        Steps taken.
    slots : list of tuple of ndarray
        Of each trainable weight, without a member axis.
    optimizer : keras.optimizers.Optimizer
        Of the same rule.
    """
    optimizer.iterations.assign(n_steps)
    for number, name in enumerate(rule.slot_names):
        variables = [v for v in optimizer.variables if _is_slot(v.name, name)]
        # Of some slots Keras has a single one for all weights.
        for variable, own in zip(variables, slots, strict=len(variables) > 1):
            variable.assign(own[number].reshape(variable.shape))


def _is_slot(variable_name: str, slot_name: str) -> bool:
    if slot_name == _UNNAMED:
        return variable_name.startswith(_UNNAMED)
    return variable_name.endswith(f"_{slot_name}")
