"""Parameters and arguments checked against each other."""

from __future__ import annotations

from typing import Any

from .given import Given

_DEFAULT_SHARE = 0.1  # of rows held out for early stopping


def check_agreement(parameters: dict[str, Any], given_val: Given, *, has_groups: bool) -> None:
    """Raise ValueError where parameters, or arguments of `fit`, contradict each other."""
    if parameters["refit_full"] and not parameters["early_stopping"]:
        raise ValueError(
            "refit_full=True needs early_stopping=True, which finds how many epochs to train "
            "again. Got early_stopping=False."
        )
    if parameters["refit_full"] and parameters["warm_start"]:
        raise ValueError("refit_full=True starts anew, warm_start=True goes on. Got both.")
    if parameters["n_estimators"] > 1 and parameters["callbacks"] not in (None, [], ()):
        raise ValueError(
            "callbacks see one network. Got n_estimators="
            f"{parameters['n_estimators']}. Set callbacks=None, or n_estimators=1."
        )
    _check_calibrated_loss(parameters)
    if parameters["validation_fraction"] == "folds":
        _check_folds(parameters, given_val)
    elif has_groups:
        raise ValueError(
            "groups are for validation_fraction='folds', where each network holds out some of "
            f"them. Got validation_fraction={parameters['validation_fraction']}."
        )
    if given_val.X is not None and given_val.y is None:
        raise ValueError("X_val needs y_val, its targets. Got y_val=None.")
    if given_val.X is None and not (given_val.y is None and given_val.sample_weight is None):
        raise ValueError("y_val and sample_weight_val need X_val. Got X_val=None.")


def _check_calibrated_loss(parameters: dict[str, Any]) -> None:
    has_quantiles = parameters.get("quantiles") is not None
    is_of_several = parameters["n_estimators"] > 1 or has_quantiles
    if parameters["scoring"] != "calibrated_loss" or is_of_several:
        return
    if parameters.get("calibration") is None:
        or_calibrated = " Or set calibration='temperature'." if "calibration" in parameters else ""
        raise ValueError(
            "scoring='calibrated_loss' is for what is calibrated, by a temperature, by shifts of "
            "quantiles or by the mean of several networks. Got n_estimators=1. Set "
            f"scoring='loss'.{or_calibrated}"
        )


def _check_folds(parameters: dict[str, Any], given_val: Given) -> None:
    if parameters["n_estimators"] < 2:
        raise ValueError(
            "validation_fraction='folds' holds one fold out for each of several networks. Got "
            f"n_estimators={parameters['n_estimators']}. Set it to 2 or more."
        )
    if parameters["refit_full"]:
        raise ValueError(
            "validation_fraction='folds' trains on all rows, which leaves nothing to "
            "refit_full=True. Got both."
        )
    if given_val.X is not None:
        raise ValueError("validation_fraction='folds' holds rows of X out. Got X_val too.")


def check_input_stages(parameters: dict[str, Any], *, is_sparse: bool) -> None:
    """Raise ValueError where stages before the hidden layers cannot be as they are asked for."""
    if is_sparse and parameters["input_scaling"] is not None:
        raise ValueError(
            "input_scaling subtracts medians, which sparse rows have no room for. Got sparse X and "
            f"input_scaling={parameters['input_scaling']!r}. Set it to None, scale X by "
            "sklearn.preprocessing.MaxAbsScaler, or pass X.toarray()."
        )
    if is_sparse and parameters["numeric_embedding"] is not None:
        raise ValueError(
            "numeric_embedding makes numbers of zeros, which sparse rows have no room for. Got "
            f"sparse X and numeric_embedding={parameters['numeric_embedding']!r}. Set it to None, "
            "or pass X.toarray()."
        )
    if is_sparse and parameters["learned_scale"]:
        raise ValueError(
            "learned_scale multiplies rows that are dense. Got sparse X. Set it to False, or pass "
            "X.toarray()."
        )
    if parameters["numeric_embedding"] == "periodic" and parameters["embedding_units"] < 2:
        raise ValueError(
            "numeric_embedding='periodic' needs embedding_units for the column itself and at least "
            f"one sum of waves, 2 or more. Got {parameters['embedding_units']}."
        )


def check_stream_agreement(parameters: dict[str, Any]) -> None:
    """Raise ValueError for parameters that need all data, which `partial_fit` never sees."""
    if parameters["learning_rate_schedule"] not in ("auto", None):
        raise ValueError(
            "partial_fit does not know how many chunks are to come. Got learning_rate_schedule="
            f"{parameters['learning_rate_schedule']!r}. Set it to None, or give a Keras schedule "
            "over steps as learning_rate."
        )
    if parameters.get("calibration") is not None:
        raise ValueError(
            "partial_fit holds no rows out to calibrate on. Got calibration="
            f"{parameters['calibration']!r}. Set it to None, or wrap the estimator in "
            "sklearn.calibration.CalibratedClassifierCV."
        )
    for name in ("early_stopping", "validation_fraction", "refit_full"):
        if parameters[name]:
            raise ValueError(
                f"partial_fit sees one chunk at a time, and holds no rows out. Got {name}="
                f"{parameters[name]}. Use fit, or leave it at its default and score the "
                "estimator between calls."
            )
    if parameters.get("class_weight") == "balanced":
        raise ValueError(
            "partial_fit needs class weights that do not depend on all data. Got "
            "class_weight='balanced'. Pass a dict, or sample_weight, made from a sample by "
            "sklearn.utils.class_weight."
        )


def leave_out_what_needs_all_rows(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters without those, for estimators that have them by default."""
    of_all_rows = {
        "learning_rate_schedule": None,
        "calibration": None,
        "early_stopping": False,
        "validation_fraction": None,
        "scoring": "loss",
        "refit_full": False,
    }
    return parameters | {name: of_all_rows[name] for name in of_all_rows.keys() & parameters.keys()}


def settle_validation_share(parameters: dict[str, Any]) -> float | None:
    """Return the fraction of rows to hold out for all networks alike; None for none."""
    fraction = parameters["validation_fraction"]
    if fraction == "folds":
        return None
    return _DEFAULT_SHARE if fraction is None and parameters["early_stopping"] else fraction
