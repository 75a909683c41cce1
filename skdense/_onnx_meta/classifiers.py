"""Meta-estimators that predict classes, each as a function of a graph and the fitted model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier

from .._networks.onnx_operators import Node
from .calibration import calibrate
from .graph import MetaGraph
from .regressors import weights_of_members

_TWO = 2

# Labels, and probabilities where the model has predict_proba.
Prediction = tuple[Node, Any]


def _vote(graph: MetaGraph, model: VotingClassifier) -> Prediction:
    weights = weights_of_members(model)
    if model.voting == "soft":
        mean = graph.average([*map(graph.probabilities, model.estimators_)], weights)
        return graph.label_of_greatest(mean, model.classes_), mean
    codes = np.arange(len(model.classes_))
    votes = [graph.one_hot(graph.predict(member), codes) for member in model.estimators_]
    return graph.label_of_greatest(graph.sum(votes, weights), model.classes_), None


def _bag(graph: MetaGraph, model: BaggingClassifier) -> Prediction:
    n_classes, members = len(model.classes_), []
    for member, features in zip(model.estimators_, model.estimators_features_, strict=True):
        inputs = graph.select(features)
        if hasattr(member, "predict_proba"):
            probabilities = graph.probabilities(member, inputs)
            members.append(graph.spread(probabilities, member.classes_.astype(int), n_classes))
        else:
            members.append(graph.one_hot(graph.predict(member, inputs), np.arange(n_classes)))
    mean = graph.average(members)
    return graph.label_of_greatest(mean, model.classes_), mean


def _bag_decisions(graph: MetaGraph, model: BaggingClassifier) -> Node:
    members = zip(model.estimators_, model.estimators_features_, strict=True)
    return graph.average([graph.decision(own, graph.select(names)) for own, names in members])


def _stack(graph: MetaGraph, model: StackingClassifier) -> Prediction:
    final, inputs = model.final_estimator_, _stacked(graph, model)
    index = graph.predict(final, inputs)
    probabilities = graph.probabilities(final, inputs) if hasattr(final, "predict_proba") else None
    return graph.label(index, model.classes_), probabilities


def _stack_decisions(graph: MetaGraph, model: StackingClassifier) -> Node:
    return graph.decision(model.final_estimator_, _stacked(graph, model))


def _stacked(graph: MetaGraph, model: StackingClassifier) -> list[Any]:
    """Return what the final estimator of a stack takes."""
    parts, is_binary = [], len(model.classes_) == _TWO
    for member, method in zip(model.estimators_, model.stack_method_, strict=True):
        if method == "predict_proba":
            probabilities = graph.probabilities(member)
            parts.append(graph.column(probabilities, 1) if is_binary else probabilities)
        elif method == "decision_function":
            parts.append(graph.decision(member))
        else:
            labels = graph.ops.Reshape(graph.predict(member), np.array([-1, 1]))
            parts.append(graph.ops.cast(labels))
    if model.passthrough:
        parts += graph.matrix()
    return [graph.variable(graph.concat(parts))]


def _one_vs_rest(graph: MetaGraph, model: OneVsRestClassifier) -> Prediction:
    scores = [graph.score(member) for member in model.estimators_]
    threshold = _threshold_of(model.estimators_[0])
    if model.multilabel_ or len(scores) == 1:
        is_chosen = graph.ops.Greater(graph.concat(scores), threshold)
        if model.multilabel_:
            label = graph.integers(is_chosen)
        else:
            label = graph.label_where(is_chosen, model.classes_)
    else:
        label = graph.label_of_greatest(graph.concat(scores), model.classes_)
    return label, _one_vs_rest_probabilities(graph, model)


def _one_vs_rest_probabilities(graph: MetaGraph, model: OneVsRestClassifier) -> Any:
    if not hasattr(model, "predict_proba"):
        return None
    ops = graph.ops
    seconds = [graph.column(graph.probabilities(member), 1) for member in model.estimators_]
    if len(seconds) == 1:
        seconds = [ops.Sub(1, seconds[0]), *seconds]
    probabilities = graph.concat(seconds)
    if model.multilabel_:
        return probabilities
    total = ops.ReduceSum(probabilities, np.array([1]), keepdims=1)
    return ops.Div(probabilities, ops.Where(ops.Equal(total, 0), 1, total))


def _one_vs_rest_decisions(graph: MetaGraph, model: OneVsRestClassifier) -> Node:
    return graph.concat([graph.decision(member) for member in model.estimators_])


def _one_vs_one(graph: MetaGraph, model: OneVsOneClassifier) -> Prediction:
    decision = _one_vs_one_decisions(graph, model)
    if len(model.classes_) == _TWO:
        is_second = graph.ops.Greater(decision, _threshold_of(model.estimators_[0]))
        return graph.label_where(is_second, model.classes_), None
    return graph.label_of_greatest(decision, model.classes_), None


def _one_vs_one_decisions(graph: MetaGraph, model: OneVsOneClassifier) -> Node:
    """Return votes, and sums of confidences that decide where votes are equal."""
    exact, n_classes = graph.exact, len(model.classes_)
    scores = graph.exact.cast(graph.concat([graph.score(own) for own in model.estimators_]))
    labels = [_binary_label(graph, member) for member in model.estimators_]
    first, second = np.triu_indices(n_classes, 1)
    signs = np.zeros((len(first), n_classes))
    pairs = np.arange(len(first))
    signs[pairs, first], signs[pairs, second] = -1, 1
    # A vote for the second class of a pair is 1 there, and one for the first is 1 - 0.
    votes = exact.MatMul(exact.Concat(*labels, axis=1), signs)
    votes = exact.Add(votes, (signs < 0).sum(axis=0, keepdims=True).astype(np.float64))
    sums = exact.MatMul(scores, signs)
    weak = exact.Div(sums, exact.Mul(exact.Add(exact.Abs(sums), 1), 3))
    decision = graph.ops.cast(exact.Add(votes, weak))
    return graph.column(decision, 1) if n_classes == _TWO else decision


def _binary_label(graph: MetaGraph, member: Any) -> Node:
    """Return 1 where a member predicts 1, 0 where it predicts 0, in float64."""
    predicted = graph.exact.cast(graph.predict(member))
    labels = graph.exact.Reshape(predicted, np.array([-1, 1]))
    if is_classifier(member):
        return labels
    raise ValueError(
        "estimator must be a classifier in OneVsOneClassifier, for ONNX. Got "
        f"{type(member).__name__}. Use KerasDenseClassifier."
    )


def _output_code(graph: MetaGraph, model: OutputCodeClassifier) -> Prediction:
    exact = graph.exact
    scores = exact.cast(graph.concat([graph.score(member) for member in model.estimators_]))
    book = np.asarray(model.code_book_, np.float64)
    # The squared distance to each code, less the square of the scores, which all share.
    products = exact.MatMul(exact.Mul(scores, 2), book.T.copy())
    nearness = exact.Sub(products, (book**2).sum(axis=1)[np.newaxis])
    return graph.label_of_greatest(nearness, model.classes_), None


def _boost(graph: MetaGraph, model: AdaBoostClassifier) -> Prediction:
    exact, n_classes = graph.exact, len(model.classes_)
    decision = exact.cast(_boosted(graph, model))
    label = graph.label_of_greatest(decision, model.classes_)
    # Softmax of the halves, which are of opposite signs, for two classes.
    probabilities = exact.Softmax(exact.Div(decision, float(max(n_classes - 1, 1))), axis=1)
    return label, graph.ops.cast(probabilities)


def _boosted(graph: MetaGraph, model: AdaBoostClassifier) -> Node:
    """Return the mean score of each class; of two, half of the decision, and its opposite."""
    n_classes, exact = len(model.classes_), graph.exact
    parts = []
    for member in model.estimators_:
        is_class = graph.one_hot(graph.predict(member), model.classes_)
        other = -1 / max(n_classes - 1, 1)
        parts.append(exact.Add(exact.Mul(is_class, 1 - other), other))
    weights = model.estimator_weights_[: len(parts)]
    return graph.average(parts, weights)


def _boost_decisions(graph: MetaGraph, model: AdaBoostClassifier) -> Node:
    scores = _boosted(graph, model)
    if len(model.classes_) > _TWO:
        return scores
    return graph.ops.Sub(graph.column(scores, 1), graph.column(scores, 0))


def _classify_each(graph: MetaGraph, model: MultiOutputClassifier) -> Prediction:
    members = [graph.label_and_probabilities(member) for member in model.estimators_]
    labels = [graph.ops.Reshape(label, np.array([-1, 1])) for label, _ in members]
    probabilities = [own for _, own in members]
    return graph.concat(labels), graph.ops.SequenceConstruct(*probabilities)


def _chain(graph: MetaGraph, model: ClassifierChain) -> Prediction:
    method = getattr(model, "chain_method_", "predict")
    features: list[Node] = []
    labels, probabilities = [], []
    has_probabilities = hasattr(model, "predict_proba")
    for member in model.estimators_:
        inputs = graph.matrix(*features)
        label = graph.ops.Reshape(graph.predict(member, inputs), np.array([-1, 1]))
        labels.append(label)
        if has_probabilities:
            probabilities.append(graph.column(graph.probabilities(member, inputs), 1))
        if method == "predict_proba":
            features.append(graph.column(graph.probabilities(member, inputs), 1))
        elif method == "decision_function":
            features.append(graph.decision(member, inputs))
        else:
            features.append(graph.ops.cast(label))
    order = np.argsort(model.order_)
    label = graph.concat([labels[index] for index in order])
    if not has_probabilities:
        return label, None
    return label, graph.concat([probabilities[index] for index in order])


def _apply_threshold(graph: MetaGraph, model: Any) -> Prediction:
    """Return labels by the threshold, and the probabilities that the estimator has."""
    estimator = _thresholded(model)
    probabilities = None
    if hasattr(estimator, "predict_proba"):
        probabilities = graph.probabilities(estimator)
    method = _response_method(model)
    positive = _positive_class(model)
    if method == "predict_proba":
        score, default = graph.column(probabilities, positive), 0.5
    else:
        decision, default = graph.decision(estimator), 0.0
        score = decision if positive == 1 else graph.ops.Neg(decision)
    threshold = getattr(model, "best_threshold_", None)
    if threshold is None:
        threshold = default if model.threshold == "auto" else model.threshold
    is_positive = graph.exact.GreaterOrEqual(graph.exact.cast(score), float(threshold))
    is_second = is_positive if positive == 1 else graph.ops.Not(is_positive)
    return graph.label_where(is_second, model.classes_), probabilities


def _threshold_decisions(graph: MetaGraph, model: Any) -> Node:
    return graph.decision(_thresholded(model))


def _thresholded(model: Any) -> Any:
    return getattr(model, "estimator_", model.estimator)


def _response_method(model: Any) -> str:
    if model.response_method != "auto":
        return str(model.response_method)
    has_probabilities = hasattr(_thresholded(model), "predict_proba")
    return "predict_proba" if has_probabilities else "decision_function"


class _Undecided(ClassifierMixin, BaseEstimator):
    """A classifier that scores both of two classes alike."""

    def __init__(self, classes: Any) -> None:
        self.classes = self.classes_ = classes

    def fit(self, X: Any, y: Any) -> _Undecided:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), _TWO), 0.5)

    def decision_function(self, X: Any) -> Any:
        return np.zeros(len(X))


def _positive_class(model: Any) -> int:
    """Return the index of the class that the threshold is one of.

    A tuned threshold keeps it in a private scorer. What the model says of a row whose classes
    score alike tells it, too: it is of the positive class, unless the threshold is above.
    """
    probe = copy.copy(model)
    probe.estimator_ = _Undecided(model.classes_)
    [label] = probe.predict(np.zeros((1, 1)))
    is_second = bool(label == model.classes_[1])
    middle = 0.5 if _response_method(model) == "predict_proba" else 0.0
    threshold = getattr(model, "best_threshold_", None)
    if threshold is None:
        threshold = middle if model.threshold == "auto" else model.threshold
    return int(is_second == (middle >= threshold))


def _threshold_of(member: Any) -> float:
    """Return what a score of the second class exceeds where it is predicted."""
    return 0.0 if is_classifier(member) and hasattr(member, "decision_function") else 0.5


CLASSIFIERS: dict[type, Callable[[MetaGraph, Any], Prediction]] = {
    CalibratedClassifierCV: calibrate,
    VotingClassifier: _vote,
    BaggingClassifier: _bag,
    StackingClassifier: _stack,
    OneVsRestClassifier: _one_vs_rest,
    OneVsOneClassifier: _one_vs_one,
    OutputCodeClassifier: _output_code,
    AdaBoostClassifier: _boost,
    MultiOutputClassifier: _classify_each,
    ClassifierChain: _chain,
    FixedThresholdClassifier: _apply_threshold,
    TunedThresholdClassifierCV: _apply_threshold,
}

# What decision_function returns, where the model has it; of two classes (n_rows, 1).
DECISIONS: dict[type, Callable[[MetaGraph, Any], Node]] = {
    BaggingClassifier: _bag_decisions,
    StackingClassifier: _stack_decisions,
    OneVsRestClassifier: _one_vs_rest_decisions,
    OneVsOneClassifier: _one_vs_one_decisions,
    AdaBoostClassifier: _boost_decisions,
    FixedThresholdClassifier: _threshold_decisions,
    TunedThresholdClassifierCV: _threshold_decisions,
}
