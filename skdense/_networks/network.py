"""A network as data: its stages one after the other, and its weights, a dict for each stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import ActivationFunction
from .stages import Activation, Dense, Dropout, Normalization, SortedQuantiles, Stage
from .stages.stage import Kind, StageDraws, StageWeights, WeightSpec

Array = NDArray[np.floating]
Weights = tuple[StageWeights, ...]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Network:
    """The architecture: stages up to the last dense layer, then the output's activation.

    Attributes
    ----------
    n_inputs : int
        Columns that come in.
    stages : tuple of Stage
    output : Activation or SortedQuantiles
    """

    n_inputs: int
    stages: tuple[Stage, ...]
    output: Activation | SortedQuantiles

    def __reduce__(self) -> Any:
        return Network, (self.n_inputs, self.stages, self.output)  # without what is cached

    @cached_property
    def widths(self) -> list[int]:
        """Columns that come out of each stage; ValueError where one gets others than it takes."""
        widths, width = [], self.n_inputs
        for stage in self.stages:
            width = stage.width_out(width)
            widths.append(width)
        return widths

    @cached_property
    def width_inside(self) -> int:
        """Numbers of a row that the stage that needs most holds at once."""
        widths = zip(self.stages, [self.n_inputs, *self.widths], strict=False)
        return max(stage.width_inside(width_in) for stage, width_in in widths)

    @property
    def scales_columns(self) -> bool:
        """Whether its first stage brings raw columns to scale."""
        return bool(self.stages) and self.stages[0].scales_columns

    @property
    def n_outputs(self) -> int:
        return self.widths[-1]

    @property
    def without_dropout(self) -> Network:
        """What prediction is made of."""
        kept = tuple(stage for stage in self.stages if not isinstance(stage, Dropout))
        return Network(self.n_inputs, kept, self.output)

    @cached_property
    def dense(self) -> list[Dense]:
        return [stage for stage in self.stages if isinstance(stage, Dense)]

    @cached_property
    def weight_specs(self) -> list[dict[str, WeightSpec]]:
        """What is known of each stage's weights."""
        return [stage.weight_specs for stage in self.stages]

    @cached_property
    def n_weights(self) -> int:
        """All weights, counted by numbers."""
        return sum(math.prod(spec.shape) for own in self.weight_specs for spec in own.values())

    @cached_property
    def numbers(self) -> list[float]:
        """What a training gives its stages as numbers, one after the other."""
        return [number for stage in self.stages for number in stage.numbers]

    @cached_property
    def is_random(self) -> bool:
        """Whether training draws numbers in it."""
        return any(stage.is_random for stage in self.stages)

    @cached_property
    def fitted_stages(self) -> tuple[Stage, ...]:
        """The stages up to the last one that has weights fitted to the rows that come in."""
        is_fitted = [
            not stage.n_codes and any(spec.kind is Kind.FITTED for spec in own.values())
            for stage, own in zip(self.stages, self.weight_specs, strict=True)
        ]
        return self.stages[: len(is_fitted) - is_fitted[::-1].index(True)] if any(is_fitted) else ()

    @cached_property
    def has_fitted_weights(self) -> bool:
        """Whether any weight is computed from the training rows."""
        return any(spec.kind is Kind.FITTED for own in self.weight_specs for spec in own.values())

    def of_kind(self, weights: Sequence[dict[str, Value]], *kinds: Kind) -> list[dict[str, Value]]:
        """Return those of each stage's weights that are of some kinds."""
        return [
            {name: own[name] for name, spec in specs.items() if spec.kind in kinds}
            for specs, own in zip(self.weight_specs, weights, strict=True)
        ]

    def trained(self, weights: Sequence[dict[str, Value]]) -> list[Value]:
        """Return the weights that follow the gradient, one after the other."""
        return [w for own in self.of_kind(weights, Kind.TRAINED) for w in own.values()]

    @cached_property
    def decayed(self) -> list[bool]:
        """Say of each weight that follows the gradient whether `weight_decay` acts on it."""
        return [
            spec.is_decayed
            for own in self.weight_specs
            for spec in own.values()
            if spec.kind is Kind.TRAINED
        ]

    def penalised(self, weights: Sequence[dict[str, Value]]) -> list[Value]:
        """Return the weights that penalties are on, one after the other."""
        return [
            own[name]
            for specs, own in zip(self.weight_specs, weights, strict=True)
            for name, spec in specs.items()
            if spec.is_penalised
        ]


@dataclass(frozen=True)
class HiddenLayer:
    """One hidden layer as the user describes it."""

    units: int
    activation: ActivationFunction
    dropout: float


def build_network(
    n_inputs: int,
    hidden: Sequence[HiddenLayer],
    n_outputs: int,
    output_activation: ActivationFunction,
    batch_normalization: bool,
    first: Sequence[Stage] = (),
) -> Network:
    """Lay out dense, normalization, activation and dropout of every layer after some stages."""
    stages, width = [*first], n_inputs
    for stage in first:
        width = stage.width_out(width)
    for layer in hidden:
        stages.append(Dense(width, layer.units))
        if batch_normalization:
            stages.append(Normalization(layer.units))
        stages.append(Activation(layer.activation))
        if layer.dropout > 0:
            stages.append(Dropout(layer.dropout))
        width = layer.units
    stages.append(Dense(width, n_outputs))
    return Network(n_inputs, tuple(stages), Activation(output_activation))


def start_weights(network: Network, draw: StageDraws) -> Weights:
    """Return the trained and moving weights that training starts from."""
    return tuple(_in_order(stage, stage.start(draw)) for stage in network.stages)


def _in_order(stage: Stage, weights: StageWeights) -> StageWeights:
    return {name: weights[name] for name in stage.weight_specs if name in weights}


def fit_weights(
    network: Network, weights: Weights, X: Array, sample_weight: Array | None
) -> Weights:
    """Return the weights with those that are fitted to training rows.

    Each stage sees the rows as they come out of those before it, in the dtype of `X`.
    """
    x, fitted = X, list(cast_weights(weights, X.dtype))
    before: Stage | None = None
    for number, stage in enumerate(network.fitted_stages):
        if before is not None:
            with np.errstate(over="ignore", invalid="ignore"):  # of far outliers
                x = before.forward(x if before.takes_sparse else x.copy(), fitted[number - 1])
        if not stage.n_codes:
            fitted[number] = _in_order(stage, fitted[number] | stage.fit(x, sample_weight))
        before = stage
    for number, stage in enumerate(network.stages):
        if stage.n_codes:
            codes = X[:, -stage.n_codes :]
            fitted[number] = _in_order(stage, fitted[number] | stage.fit(codes, sample_weight))
    return tuple(fitted)


def rearrange(weights: Weights, network: Network) -> Weights:
    """Return the weights of the same layers as the stages of a network that drops out elsewhere."""
    own = iter([stage for stage in weights if stage])
    return tuple(next(own) if specs else {} for specs in network.weight_specs)


def are_finite(weights: Weights) -> bool:
    """Say whether no number of the weights is NaN or infinite."""
    return all(np.isfinite(array).all() for stage in weights for array in stage.values())


def cast_weights(weights: Weights, dtype: Any) -> Weights:
    """Return the weights in a dtype, without a copy where they have it."""
    return tuple(
        {name: array.astype(dtype, copy=False) for name, array in stage.items()}
        for stage in weights
    )


def cast_weights_to_compute(network: Network, weights: Weights, dtype: Any) -> Weights:
    """Return the weights in a dtype, but those of stages that scale raw columns as they are."""
    return tuple(
        own if stage.scales_columns else cast_weights((own,), dtype)[0]
        for stage, own in zip(network.stages, weights, strict=True)
    )
