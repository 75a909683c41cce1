"""The networks that the benchmarks train, and the rows that they train on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from _data import Array, generate, generate_numbers


@dataclass(frozen=True)
class Workload:
    """One network to train on one data set, and what is expected of it.

    Attributes
    ----------
    n_classes : int or None
        None for a regression on one target.
    dtype : {"float32", "float64"}
        Of the rows, and in which everyone computes.
    most_of_mlp, most_of_keras : float or None
        Shares of the others' time that a fit may take.
    least_of_sgemm : float or None
        Share of the rate of large matrix products that a fit has to reach.
    """

    name: str
    n_rows: int
    n_features: int
    n_classes: int | None
    units: tuple[int, ...]
    batch_size: int
    epochs: int
    repeats: int = 5
    most_of_mlp: float | None = None
    most_of_keras: float | None = None
    least_of_sgemm: float | None = None
    dtype: str = "float32"
    data: str = "generated"

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Workload:
        """Return the workload of fields that have been through JSON."""
        return cls(**{**fields, "units": tuple(fields["units"])})

    def without_targets(self, **changes: Any) -> Workload:
        """Return a variant, of which nothing is expected."""
        nothing = dict.fromkeys(("most_of_mlp", "most_of_keras", "least_of_sgemm"))
        return replace(self, **nothing, **changes)

    @property
    def n_outputs(self) -> int:
        """Units of the last layer, for two classes too."""
        return self.n_classes or 1

    @property
    def n_steps(self) -> int:
        """Training steps of a fit."""
        return -(-self.n_rows // self.batch_size) * self.epochs

    @property
    def gflop(self) -> float:
        """Operations of a fit's matrix products, in 1e9.

        Forward, gradient of the weights and gradient of the inputs for each layer; the first
        layer needs no gradient of its inputs.
        """
        sizes = (self.n_features, *self.units, self.n_outputs)
        layers = [a * b for a, b in itertools.pairwise(sizes)]
        return 2e-9 * self.n_rows * self.epochs * (3 * sum(layers) - layers[0])

    def rows(self) -> tuple[Array, Array]:
        """Draw rows and targets."""
        if self.n_classes is None:
            X, y = generate_numbers(self.n_rows, self.n_features)
            return X.astype(self.dtype, copy=False), y.astype(self.dtype, copy=False)
        X, y = generate(self.n_rows, self.n_features, self.n_classes)
        return X.astype(self.dtype, copy=False), y

    def __str__(self) -> str:
        target = "a number" if self.n_classes is None else f"{self.n_classes} classes"
        return (
            f"{self.name}: {self.data} {self.n_rows:,} x {self.n_features} in {self.dtype}, "
            f"{target}, units {joined(self.units)}, batch {self.batch_size}, {self.epochs} epochs"
        )


def joined(units: tuple[int, ...]) -> str:
    """Write widths of layers as 128-128."""
    return "-".join(map(str, units))


WORKLOADS = (
    Workload("small", 250, 10, 3, (12, 12), 12, 50, 5, 0.25, 1 / 60),
    Workload("medium", 20_000, 20, 3, (128, 128), 256, 10, 5, 0.3, 1 / 12),
    Workload("large", 60_000, 784, 10, (512,), 128, 2, 3, 0.4, 1 / 4.5, 0.8),
)
