"""A problem: what a fit was asked, as data, with everything decided that can be before training."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from .._networks.network import Network
from .._networks.stages import SortedQuantiles
from .._tables.encoder import TableEncoder
from .._training.losses import PinballLoss
from .collected import require_collected
from .constraints import as_float
from .cross_checks import check_input_stages
from .data_checks import is_single
from .fingerprint import take_fingerprint
from .fitted import Fitted
from .folds import Fold
from .given import Given
from .hidden_layers import resolve_network, resolve_output_activation
from .input_stages import find_columns_to_embed, find_embedded, scales_exactly, with_exact_scaling
from .labels import Labels
from .output_layer import Head
from .parameters import resolve_batch_size, resolve_dtype, resolve_epochs, resolve_loss
from .precision import needs_float64
from .quantiles import choose_loss
from .reading import Data
from .rows import Rows
from .targets.choice import Target, make_target, settle_head
from .targets.numbers import RegressionTarget

Array = NDArray[Any]


_OF_HIDDEN_LAYERS = ("units", "depth", "activation", "dropout", "batch_normalization")
OF_INPUTS = ("input_scaling", "numeric_embedding", "embedding_units", "n_bins", "learned_scale")


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be trained, on what.

    Attributes
    ----------
    parameters : dict of str to object
        The estimator's, checked.
    rows : Rows
        To train on, their weights divided by `mean_weight`.
    held_out : Rows or None
        To watch.
    folds : list of Fold
        In place of these, what each network trains on and watches; empty without folds.
    n_features, feature_names, table, labels, class_weights
        As in `Data`.
    head : Head
    target : Target
    network : Network
    batch_size, epochs : int
    dtype : {"float32", "float64"}
        Of computation.
    seed : int
    mean_weight : float
    n_members : int
        Networks to train side by side.
    watched : str
        Fingerprint of what is watched, "" for nothing.
    """

    parameters: dict[str, Any]
    rows: Rows
    held_out: Rows | None
    folds: list[Fold]
    n_features: int
    feature_names: Array | None
    labels: Labels | None
    class_weights: Array | None
    head: Head
    target: Target
    network: Network
    table: TableEncoder | None
    batch_size: int
    epochs: int
    dtype: str
    seed: int
    mean_weight: float
    n_members: int
    watched: str

    @property
    def is_watched(self) -> bool:
        """Whether rows are held out."""
        return bool(self.folds) or self.held_out is not None


def pose_problem(
    parameters: dict[str, Any],
    data: Data,
    rows: Rows,
    held_out: Rows | None,
    *,
    seed: int,
    before: Fitted | None,
    folds: list[Fold] | None = None,
    is_chunk: bool = False,
) -> Problem:
    """Decide everything that data and parameters decide.

    Parameters
    ----------
    parameters : dict of str to object
    data : Data
    rows, held_out : Rows
        Which of it to train on, and what to watch.
    seed : int
    before : Fitted or None
        What training goes on from.
    folds : list of Fold or None
        Of the rows to train on, for each network.
    is_chunk : bool
        Whether the rows are a chunk of a stream, of which the first one's automatic choices hold
        for all.
    """
    stream = before if is_chunk else None
    mean_weight = stream.mean_weight if stream else rows.mean_weight()
    rows = rows.weighing(mean_weight)
    head = settle_head(data.labels, *resolve_output(parameters))
    standardize = bool(parameters.get("standardize_target"))
    target = (
        before.target if before else make_target(data.labels, head, rows, standardize=standardize)
    )
    n_rows = len(folds[0][0]) if folds else len(rows)
    n_codes = len(data.table.code_sizes) if data.table else 0
    batch_size, dtype = _choose_batch_size_and_dtype(
        parameters, rows.X, n_codes, n_rows, stream, is_chunk=is_chunk
    )
    watched = [held for _, held in folds or []] or ([] if held_out is None else [held_out])
    keeps_watching = bool(parameters["warm_start"])
    return Problem(
        parameters=parameters,
        rows=rows,
        held_out=held_out,
        folds=folds or [],
        n_features=data.n_features,
        feature_names=data.feature_names,
        labels=data.labels,
        class_weights=data.class_weights,
        head=head,
        target=target,
        network=_lay_out_network(parameters, data, rows, target, head, before, is_chunk=is_chunk),
        table=data.table,
        batch_size=batch_size,
        epochs=resolve_epochs(parameters["epochs"], n_rows),
        dtype=dtype,
        seed=seed,
        mean_weight=mean_weight,
        n_members=int(parameters["n_estimators"]),
        watched=take_fingerprint(watched, parameters["scoring"]) if keeps_watching else "",
    )


def _lay_out_network(
    parameters: dict[str, Any],
    data: Data,
    rows: Rows,
    target: Target,
    head: Head,
    before: Fitted | None,
    *,
    is_chunk: bool,
) -> Network:
    check_input_stages(parameters, is_sparse=issparse(rows.X))
    embedded, sizes = None, data.table.code_sizes if data.table else ()
    if parameters["numeric_embedding"] is not None:
        embedded = _choose_embedded(rows, len(sizes), before, is_chunk=is_chunk)
    names = [*_OF_HIDDEN_LAYERS, *OF_INPUTS]
    of_layers = {name: parameters[name] for name in names}
    n_outputs = target.n_units
    width = rows.X.shape[1]
    network = resolve_network(
        width, n_outputs, head.activation, embedded, sizes or None, **of_layers
    )
    if scales_exactly(before.network) if before else parameters["dtype"] == "float64":
        network = with_exact_scaling(network)
    if isinstance(target, RegressionTarget) and target.quantiles:
        output = SortedQuantiles(head.activation, target.n_targets, len(target.quantiles))
        return replace(network, output=output)
    return network


def _choose_embedded(
    rows: Rows, n_codes: int, before: Fitted | None, *, is_chunk: bool
) -> tuple[int, ...]:
    """Return the columns to embed: those as before, and of a stream all, which nobody knows."""
    if before is not None and before.parameters["numeric_embedding"] is not None:
        return find_embedded(before.network)
    if is_chunk:
        return tuple(range(rows.X.shape[1] - n_codes))
    return find_columns_to_embed(rows, n_codes)


def resolve_output(parameters: dict[str, Any]) -> tuple[Any, Any]:
    """Return the output's activation and the loss, checked; both may be "auto"."""
    activation = resolve_output_activation(parameters["output_activation"])
    loss = choose_loss(parameters["loss"], parameters.get("quantiles"), activation)
    return activation, loss if isinstance(loss, PinballLoss) else resolve_loss(loss)


def _choose_batch_size_and_dtype(
    parameters: dict[str, Any],
    X: Any,
    n_codes: int,
    n_rows: int,
    stream: Fitted | None,
    *,
    is_chunk: bool,
) -> tuple[int, str]:
    batch_size, dtype = parameters["batch_size"], parameters["dtype"]
    if stream is not None:
        batch_size = stream.batch_size or "auto" if batch_size == "auto" else batch_size
        dtype = stream.dtype if dtype == "auto" else dtype
    batch_size = resolve_batch_size(batch_size, n_rows, is_chunk=is_chunk)
    resolved = resolve_dtype(dtype, X.dtype, n_rows, batch_size)
    is_open = dtype == "auto" and resolved == "float32" and parameters["input_scaling"]
    if is_open and needs_float64(X, X.shape[1] - n_codes):
        resolved = "float64"
    return batch_size, resolved


def choose_precision(parameters: dict[str, Any], given: Given, share: float | None) -> str:
    """Return what numbers become that are neither in float32 nor in float64.

    Float64 wherever the rows of positive weight that are not held out may fit in one batch: the
    same numbers train alike, whatever they come in. Of more rows float32, in half the memory.
    """
    require_collected(given.X, "X")
    if parameters["dtype"] != "auto":
        return str(parameters["dtype"])
    if is_single(given.X):
        return "float32"
    n_rows = _count_weighted(given, parameters.get("class_weight"))
    n_rows = max(1, n_rows - math.ceil((share or 0) * n_rows))
    batch_size = resolve_batch_size(parameters["batch_size"], n_rows)
    return resolve_dtype("auto", np.dtype(np.float64), n_rows, batch_size)


def choose_precision_of_chunk(
    parameters: dict[str, Any], given: Given, before: Fitted | None
) -> str:
    """Return the same for a chunk of a stream, whose first one settles it for all."""
    if parameters["dtype"] == "auto" and before is not None:
        return before.dtype
    return choose_precision(parameters, given, None)


def _count_weighted(given: Given, class_weight: Any) -> int:
    """Return how many rows have a positive weight, at least."""
    if isinstance(class_weight, dict) and 0 in map(as_float, class_weight.values()):
        return 1
    if given.sample_weight is not None and not isinstance(given.sample_weight, Real):
        with contextlib.suppress(TypeError, ValueError):  # refused later
            return int(np.count_nonzero(np.asarray(given.sample_weight)))
    shape = getattr(given.X, "shape", ())
    return int(shape[0]) if shape else len(given.X) if isinstance(given.X, list | tuple) else 1
