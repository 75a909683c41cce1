"""What targets make of outputs, in operators of ONNX: see `ClassTarget` and the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._networks.onnx_activations import apply_activation
from ..._networks.onnx_operators import Node, Operators
from .classes import ClassTarget
from .outputs import find_threshold


def proto_type(dtype: Any) -> int:
    """Return ONNX' number of a dtype."""
    from onnx.helper import np_dtype_to_tensor_dtype

    return np_dtype_to_tensor_dtype(np.dtype(dtype))


def average_logits(ops: Operators, target: Any, logits: list[Node]) -> Node:
    """Return logits of mean probabilities; see ``ClassTarget.average``."""
    is_class = isinstance(target, ClassTarget) and target.n_units > 1
    if not is_class:
        yes = _log_mean_exp(ops, [_log_sigmoid(ops, own) for own in logits])
        no = _log_mean_exp(ops, [_log_sigmoid(ops, ops.Neg(own)) for own in logits])
        return ops.Sub(yes, no)
    scores = logits if target.is_softmax else [_log_sigmoid(ops, own) for own in logits]
    mean = _log_mean_exp(ops, [ops.LogSoftmax(own, axis=1) for own in scores])
    if target.is_softmax:
        return mean
    return ops.Sub(mean, ops.Log(ops.Sub(1, ops.Exp(mean))))


def _log_mean_exp(ops: Operators, logarithms: list[Node]) -> Node:
    """Return the logarithm of a mean, finite where what it is of rounds to 0."""
    greatest = ops.Max(*logarithms)
    mean = ops.mean(*(ops.Exp(ops.Sub(own, greatest)) for own in logarithms))
    return ops.Add(greatest, ops.Log(mean))


def average_outputs(ops: Operators, target: Any, outputs: list[Node]) -> Node:
    """Return outputs of mean probabilities, or of mean numbers."""
    link = getattr(target, "link", None)
    if link is None:
        return ops.mean(*outputs)
    if link == "log-probabilities":
        return ops.Log(ops.mean(*(ops.Exp(own) for own in outputs)))
    is_class = isinstance(target, ClassTarget) and target.n_units > 1
    find = find_probabilities if is_class else _of_each
    mean = ops.mean(*(find(ops, target, own, own) for own in outputs))
    return ops.Sub(ops.Mul(mean, 2), 1) if link == "margins" else mean


def choose_quantiles(ops: Operators, target: Any, outputs: Node, dtype: Any) -> list[Node]:
    """Return what `predict` and `predict_quantiles` give, of outputs in a dtype."""
    shape = target.n_targets, len(target.quantiles)
    by_target = ops.Reshape(outputs, np.array([-1, *shape]))
    first, *others = (ops.Gather(by_target, np.array(n), axis=2) for n in target.middle)
    for other in others:  # of which there is one at most; onnxruntime has no Mean in float64
        first = ops.Mul(ops.Add(first, other), np.array([0.5], dtype))
    quantiles = ops.Reshape(outputs, np.array([-1, *shape_of_quantiles(target)]))
    return [first, quantiles]


def shape_of_quantiles(target: Any) -> tuple[int, ...]:
    """Return the shape that a row has in what `predict_quantiles` gives."""
    n_quantiles = len(target.quantiles)
    return (n_quantiles,) if target.is_1d else (target.n_targets, n_quantiles)


def choose_label(ops: Operators, target: Any, labels: Any, decision: Node) -> Node:
    """Return which of the labels, or of the columns of an indicator matrix, are decided on."""
    whole = proto_type(np.int64)
    least = float(find_threshold(target, np.dtype(ops.dtype)))
    if not isinstance(target, ClassTarget):
        return ops.Cast(ops.Greater(decision, least), to=whole)
    if target.n_units == 1:
        chosen = ops.Cast(ops.Greater(decision, least), to=whole)
    else:
        chosen = ops.ArgMax(decision, axis=1, keepdims=0)
    chosen = ops.Reshape(chosen, np.array([-1]))
    return ops.Gather(labels, chosen, axis=0)


def find_decision(ops: Operators, target: Any, decision: Node) -> Node:
    """Return what `decision_function` gives, but two columns of opposite signs for two classes."""
    least = float(find_threshold(target, np.dtype(ops.dtype)))
    if not isinstance(target, ClassTarget):
        return ops.Sub(decision, least)
    if target.n_classes > 2:
        return decision
    is_one = target.n_units == 1
    second = ops.Sub(decision, least) if is_one else _difference(ops, target, decision)
    return ops.Concat(ops.Neg(second), second, axis=1)


def _difference(ops: Operators, target: ClassTarget, decision: Node) -> Node:
    """Return by how much the second of two units exceeds the first; see `ClassTarget.decide`."""
    if target.has_logarithms:
        scores = decision if target.is_softmax else _log_sigmoid(ops, decision)
    else:
        scores = _scores(ops, target.link, decision)
        greatest = ops.ReduceMax(scores, np.array([1]), keepdims=1)
        scores = ops.Where(ops.Greater(greatest, 0), scores, ops.Softmax(scores, axis=1))
    first, second = (ops.Gather(scores, np.array([index]), axis=1) for index in (0, 1))
    difference = ops.Sub(second, first)
    if target.has_logarithms:
        return difference
    return ops.Div(difference, ops.ReduceMax(scores, np.array([1]), keepdims=1))


def find_probabilities(ops: Operators, target: Any, logits: Node, outputs: Node) -> Node:
    """Return what `predict_proba` gives."""
    if not isinstance(target, ClassTarget):
        return _of_each(ops, target, logits, outputs)
    if target.n_units == 1:
        second = _of_each(ops, target, logits, outputs)
        is_exact = target.answers_from_logits
        first = ops.Sigmoid(ops.Neg(logits)) if is_exact else ops.Sub(1, second)
        return ops.Concat(first, second, axis=1)
    if target.link == "probabilities":
        return outputs
    if target.has_logarithms:
        is_softmax = target.is_softmax
        return ops.Softmax(outputs if is_softmax else _log_sigmoid(ops, logits), axis=1)
    return _shares(ops, _scores(ops, target.link, outputs))


def _of_each(ops: Operators, target: Any, logits: Node, outputs: Node) -> Node:
    """Return the probability of what each unit speaks for."""
    if target.answers_from_logits:
        return ops.Sigmoid(logits)
    return ops.between(_scores(ops, target.link, outputs), 0, 1)


def _log_sigmoid(ops: Operators, logits: Node) -> Node:
    return apply_activation(ops, "log_sigmoid", logits)


def _scores(ops: Operators, link: str, outputs: Node) -> Node:
    return ops.Div(ops.Add(outputs, 1), 2) if link == "margins" else outputs


def _shares(ops: Operators, scores: Node) -> Node:
    """Return scores, cut at 0, divided by their sum; of logits where that is 0."""
    positive = ops.Relu(scores)
    total = ops.ReduceSum(positive, np.array([1]), keepdims=1)
    is_some = ops.Greater(total, 0)
    shares = ops.Div(positive, ops.Where(is_some, total, 1))
    return ops.Where(is_some, shares, ops.Softmax(scores, axis=1))
