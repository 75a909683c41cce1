"""Placeholders that skl2onnx sees in place of meta-estimators."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


class MetaClassifier(ClassifierMixin, BaseEstimator):
    """Stand for a fitted meta-estimator that predicts classes."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def classes_(self) -> Any:
        return self.model.classes_

    @property
    def has_probabilities(self) -> bool:
        """Whether it has `predict_proba`; ``voting="hard"`` and one-vs-one have none."""
        return hasattr(self.model, "predict_proba")


class MetaRegressor(RegressorMixin, BaseEstimator):
    """Stand for a fitted meta-estimator that predicts numbers."""

    def __init__(self, model: Any) -> None:
        self.model = model
