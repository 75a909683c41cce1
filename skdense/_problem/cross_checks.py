"""Parameters and arguments checked against each other."""

from __future__ import annotations

from typing import Any

from .given import Given

_DEFAULT_FRACTION = 0.1  # of rows held out for early stopping, or by one network for "folds"


def check_agreement(parameters: dict[str, Any], given_val: Given, *, has_groups: bool) -> None:
    """Raise ValueError where parameters, or arguments of `fit`, contradict each other.

    What each message says after "Set" leads to a fit that works: for one alternative it may take
    several values, joined by "and". A test follows them all.
    """
    _check_validation_arguments(given_val)
    _check_groups(parameters, given_val, has_groups=has_groups)
    _check_refit(parameters, given_val)
    if parameters["n_estimators"] > 1 and parameters["callbacks"] not in (None, [], ()):
        raise ValueError(
            "callbacks see one network. Got n_estimators="
            f"{parameters['n_estimators']}. Set n_estimators=1, or callbacks=None."
        )
    _check_calibration(parameters, given_val)


def _check_validation_arguments(given_val: Given) -> None:
    if given_val.X is not None and given_val.y is None:
        raise ValueError(
            "X_val needs y_val, its targets. Got y_val=None. Pass both, or set X_val=None."
        )
    if given_val.X is None and not (given_val.y is None and given_val.sample_weight is None):
        raise ValueError(
            "y_val and sample_weight_val need X_val. Got X_val=None. Set y_val=None and "
            "sample_weight_val=None, or pass X_val."
        )


def _check_groups(parameters: dict[str, Any], given_val: Given, *, has_groups: bool) -> None:
    if not has_groups:
        return
    if given_val.X is not None:
        raise ValueError(
            "groups say which rows of X are held out together. Got X_val, in whose place no row of "
            "X is held out. Set groups=None, or pass no X_val."
        )
    if parameters["validation_fraction"] != "folds":
        raise ValueError(
            "groups are for validation_fraction='folds', which holds whole groups out. Got "
            f"validation_fraction={parameters['validation_fraction']}. Set "
            "validation_fraction='folds', or groups=None."
        )


def _check_refit(parameters: dict[str, Any], given_val: Given) -> None:
    if not parameters["refit_full"]:
        return
    if not parameters["early_stopping"]:
        raise ValueError(
            "refit_full=True needs early_stopping=True, which finds how many epochs to train "
            "again. Got early_stopping=False. Set early_stopping=True, or refit_full=False."
        )
    if parameters["warm_start"]:
        raise ValueError(
            "refit_full=True trains from new weights, warm_start=True from those of the last fit. "
            "Got both. Set refit_full=False, or warm_start=False."
        )
    if uses_folds(parameters, given_val):
        raise ValueError(
            "validation_fraction='folds' trains several networks on all rows, which leaves nothing "
            f"to refit_full=True. Got n_estimators={parameters['n_estimators']}. Set "
            "refit_full=False, or n_estimators=1."
        )


def _check_calibration(parameters: dict[str, Any], given_val: Given) -> None:
    """Check what is to be calibrated, which only classifiers have a parameter for."""
    if "calibration" not in parameters:
        return
    has_validation = given_val.X is not None or bool(
        parameters["validation_fraction"] or parameters["early_stopping"]
    )
    calibration = parameters["calibration"]
    if calibration is not None and not has_validation:
        raise ValueError(
            f"calibration={calibration!r} needs rows that are held out. Got validation_fraction="
            "None and no X_val. Set validation_fraction=0.1, or early_stopping=True, or "
            "calibration=None."
        )
    is_of_one = parameters["n_estimators"] == 1 and calibration is None
    if parameters["scoring"] == "calibrated_loss" and is_of_one and has_validation:
        raise ValueError(
            "scoring='calibrated_loss' is the loss after a calibration, by a temperature or by the "
            "mean of several networks. Got n_estimators=1 and calibration=None. Set "
            "calibration='temperature', or scoring='loss'."
        )


def uses_folds(parameters: dict[str, Any], given_val: Given) -> bool:
    """Say whether each network holds out rows of its own."""
    is_of_folds = parameters["validation_fraction"] == "folds" and parameters["n_estimators"] > 1
    return is_of_folds and given_val.X is None


def resolve_validation_fraction(parameters: dict[str, Any], given_val: Given) -> float | None:
    """Return the fraction of rows to hold out for all networks alike; None for none."""
    fraction = parameters["validation_fraction"]
    if given_val.X is not None or uses_folds(parameters, given_val):
        return None
    is_default = fraction == "folds" or (fraction is None and parameters["early_stopping"])
    return _DEFAULT_FRACTION if is_default else fraction


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
