"""What a fit leaves, as data: all of it that predicts, trains on, and goes to a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .._networks.network import Network
from .._tables.encoder import TableEncoder
from .._training.task import Members, TrainingState
from .labels import Labels
from .targets.choice import Target

Array = NDArray[Any]
History = dict[str, list[float]]

# Parameters that are asked for after a fit, when the estimator's own may have changed. Not the
# callbacks, nor what else may not pickle.
KEPT_PARAMETERS = (
    "units",
    "depth",
    "activation",
    "batch_normalization",
    "input_scaling",
    "numeric_embedding",
    "embedding_units",
    "n_bins",
    "learned_scale",
    "l1",
    "l2",
    "output_activation",
    "loss",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "standardize_target",
    "dtype",
)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fit. A field that a later release adds needs a default, for files of this one.

    Attributes
    ----------
    parameters : dict of str to object
        The `KEPT_PARAMETERS` as they were, described: see `described`.
    n_features : int
    feature_names : ndarray of shape (n_features,) or None
    labels : Labels or None
        Of a classifier.
    class_weights : ndarray or None
    target : Target
    network : Network
    members : tuple of Weights
        Of each network, one dict of arrays per stage.
    history : dict of str to list of float
        One value per epoch of all trainings since the first; "loss" is always there.
    best_epoch : int
        Counted from 1.
    engine : {"compiled", "keras"}
    validation_indices : ndarray of int or None
        Rows of X that were held out by a share.
    seed : int
        Of all that trainings draw.
    batch_size : int or None
        None before the first training, of a network that came from elsewhere.
    dtype : {"float32", "float64"}
        Of computation.
    mean_weight : float
        Of the rows first trained on, which `partial_fit` goes on to divide by.
    watched : str
        Fingerprint of what was watched, "" for nothing.
    states : tuple of TrainingState
        Where the last training of each network ended. Empty where early stopping put an earlier
        epoch's weights back, to which the optimizer's state does not belong.
    validation_folds : ndarray of shape (n_samples,) or None
        Which network held each row of X out, -1 for none.
    temperature : float or None
        What logits were divided by, which the last dense layer has in it.
    table : TableEncoder or None
        What makes a matrix of X, where X is a table.
    oof_prediction : ndarray or None
        With folds, what the network that held a row of X out predicts of it.
    """

    parameters: dict[str, Any]
    n_features: int
    feature_names: Array | None
    labels: Labels | None
    class_weights: Array | None
    target: Target
    network: Network
    members: Members
    history: History
    best_epoch: int
    engine: str
    validation_indices: Array | None
    seed: int
    batch_size: int | None
    dtype: str
    mean_weight: float
    watched: str
    states: tuple[TrainingState, ...]
    validation_folds: Array | None = None
    temperature: float | None = None
    table: TableEncoder | None = None
    oof_prediction: Array | None = None

    @property
    def n_epochs(self) -> int:
        return len(self.history["loss"])

    @property
    def attributes(self) -> dict[str, Any]:
        """What scikit-learn's users know a fit by; None for attributes that this one lacks."""
        return {
            "n_features_in_": self.n_features,
            "feature_names_in_": self.feature_names,
            "n_outputs_": self.network.n_outputs,
            "classes_": None if self.labels is None else self.labels.values,
            "history_": self.history,
            "n_iter_": self.n_epochs,
            "best_epoch_": self.best_epoch,
            "engine_": self.engine,
            "validation_indices_": self.validation_indices,
            "validation_folds_": self.validation_folds,
            "oof_prediction_": self.oof_prediction,
            "temperature_": self.temperature,
        }
