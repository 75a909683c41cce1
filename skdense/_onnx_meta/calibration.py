"""Calibrated classifiers as operators of ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV

from .._networks.onnx_operators import Node
from .graph import MetaGraph
from .networks import find_networks

# What scikit-learn adds to probabilities before it takes their logarithm.
_EPSILON = 1e-12


def calibrate(graph: MetaGraph, model: CalibratedClassifierCV) -> tuple[Node, Node]:
    """Return labels and probabilities of a calibrated classifier."""
    members = [_calibrate_member(graph, member) for member in model.calibrated_classifiers_]
    probabilities = graph.average(members)
    return graph.label_of_greatest(probabilities, model.classes_), probabilities


def _calibrate_member(graph: MetaGraph, member: Any) -> Node:
    """Return the probabilities of one classifier with its calibrators, in float64."""
    exact, n_classes = graph.exact, len(member.classes)
    scores = exact.cast(graph.score(member.estimator))
    if member.method == "temperature":
        return _scale_by_temperature(graph, member, scores)
    if n_classes == 2:
        second = _apply_calibrator(exact, member.calibrators[0], member.method, scores)
        return exact.Concat(exact.Sub(1, second), second, axis=1)
    columns = [
        _apply_calibrator(exact, calibrator, member.method, graph.column(scores, index))
        for index, calibrator in enumerate(member.calibrators)
    ]
    positions = np.searchsorted(member.classes, member.estimator.classes_)
    by_class: list[Node] = [exact.Mul(columns[0], 0)] * n_classes
    for position, column in zip(positions, columns, strict=True):
        by_class[position] = column
    probabilities = exact.Concat(*by_class, axis=1)
    total = exact.ReduceSum(probabilities, np.array([1]), keepdims=1)
    is_any = exact.Greater(total, 0)
    normalized = exact.Div(probabilities, exact.Where(is_any, total, 1))
    return exact.Where(is_any, normalized, 1 / n_classes)


def _apply_calibrator(ops: Any, calibrator: Any, method: str, scores: Node) -> Node:
    if method == "sigmoid":
        linear = ops.Add(ops.Mul(scores, float(calibrator.a_)), float(calibrator.b_))
        return ops.Sigmoid(ops.Neg(linear))
    return _interpolate(ops, calibrator, scores)


def _interpolate(ops: Any, calibrator: Any, scores: Node) -> Node:
    """Return an isotonic regression: linear between its thresholds, constant beyond."""
    x = np.asarray(calibrator.X_thresholds_, np.float64)
    y = np.asarray(calibrator.y_thresholds_, np.float64)
    if len(x) == 1:
        return ops.Add(ops.Mul(scores, 0), float(y[0]))
    width, rise = np.diff(x), np.diff(y)
    place = ops.Div(ops.Sub(scores, x[np.newaxis, :-1]), width[np.newaxis])
    passed = ops.Max(ops.Min(place, 1), 0)
    return ops.Add(ops.MatMul(passed, rise[:, np.newaxis]), float(y[0]))


def _scale_by_temperature(graph: MetaGraph, member: Any, scores: Node) -> Node:
    exact, estimator = graph.exact, member.estimator
    is_decision = hasattr(estimator, "decision_function")
    if is_decision and any(_decides_on_outputs(network) for network in find_networks(estimator)):
        raise ValueError(
            "method must not be 'temperature' around a network whose decision_function gives "
            "outputs after their activation, for ONNX, as scikit-learn then decides by the rows "
            "of X whether they are probabilities. Use method='sigmoid', or a network with "
            "output_activation='softmax'."
        )
    if len(member.classes) == 2:
        first = exact.Neg(scores) if is_decision else exact.Sub(1, scores)
        scores = exact.Concat(first, scores, axis=1)
    logits = scores if is_decision else exact.Log(exact.Add(scores, _EPSILON))
    beta = float(np.asarray(member.calibrators[0].beta_))
    return exact.Softmax(exact.Mul(logits, beta), axis=1)


def _decides_on_outputs(network: Any) -> bool:
    target = network._fitted.target
    return not target.decides_on_logits and target.n_units > 1
