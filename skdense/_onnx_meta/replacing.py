"""Placeholders take the place of meta-estimators."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RANSACRegressor
from sklearn.pipeline import Pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from .._estimators.base import KerasDenseBase
from .classifiers import CLASSIFIERS
from .networks import find_networks
from .placeholders import MetaClassifier, MetaRegressor
from .regressors import REGRESSORS
from .tables import needs_strings, replace_selections

# Where the estimator is that predicts in their place.
_DELEGATES = {
    FrozenEstimator: "estimator",
    RANSACRegressor: "estimator_",
    SelfTrainingClassifier: "estimator_",
}


def replace_meta_estimators(model: Any) -> Any:
    """Return a model that predicts the same, with placeholders for its meta-estimators.

    Raises
    ------
    ValueError
        For a model that has fitted networks in it and that nothing here converts.
    """
    if isinstance(model, KerasDenseBase):
        return model
    if hasattr(model, "best_estimator_"):
        return replace_meta_estimators(model.best_estimator_)
    if type(model) in _DELEGATES:
        return replace_meta_estimators(getattr(model, _DELEGATES[type(model)]))
    if isinstance(model, Pipeline):
        return _replace_in_pipeline(model)
    if type(model) in CLASSIFIERS:
        return MetaClassifier(model)
    if type(model) in REGRESSORS:
        return MetaRegressor(model)
    for network in find_networks(model):
        raise ValueError(
            f"model must be an estimator that to_onnx converts around {type(network).__name__}: "
            f"{', '.join(sorted(kind.__name__ for kind in _known()))}. Got "
            f"{type(model).__name__}. Convert the networks in it one by one, and combine their "
            "predictions where they are served."
        )
    return model


def _known() -> list[type]:
    return [*CLASSIFIERS, *REGRESSORS, *_DELEGATES, Pipeline]


def _replace_in_pipeline(pipeline: Pipeline) -> Pipeline:
    for name, step in pipeline.steps[:-1]:
        if not isinstance(step, SelectorMixin) and any(find_networks(step)):
            raise ValueError(
                "model must have networks in the last step of a pipeline only, where they predict. "
                f"Got {type(step).__name__} in step {name!r}, which transforms by them."
            )
    copied = copy.copy(pipeline)
    name, last = pipeline.steps[-1]
    last, steps = replace_meta_estimators(last), pipeline.steps[:-1]
    if needs_strings(last):
        steps = replace_selections(steps)
    copied.steps = [*steps, (name, last)]
    return copied
