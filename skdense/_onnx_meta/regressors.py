"""Meta-estimators that predict numbers, each as a function of a graph and the fitted model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from .._networks.onnx_operators import Node
from .graph import MetaGraph

# Inverses of transformations of y that have a form in ONNX.
_INVERSES: dict[Any, Callable[[Any, Node], Node]] = {
    None: lambda _, y: y,
    np.exp: lambda ops, y: ops.Exp(y),
    np.expm1: lambda ops, y: ops.Sub(ops.Exp(y), 1),
    np.exp2: lambda ops, y: ops.Exp(ops.Mul(y, float(np.log(2)))),
    np.square: lambda ops, y: ops.Mul(y, y),
    np.sqrt: lambda ops, y: ops.Sqrt(y),
    np.log: lambda ops, y: ops.Log(y),
    np.sinh: lambda ops, y: ops.Mul(ops.Sub(ops.Exp(y), ops.Exp(ops.Neg(y))), 0.5),
}
_AFFINE = StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler


def weights_of_members(model: Any) -> Any:
    """Return the weights of those members of a vote that were not dropped."""
    if model.weights is None:
        return None
    pairs = zip(model.estimators, model.weights, strict=True)
    return [weight for (_, member), weight in pairs if not isinstance(member, str)]


def _vote(graph: MetaGraph, model: VotingRegressor) -> Node:
    return graph.average([*map(graph.predict, model.estimators_)], weights_of_members(model))


def _bag(graph: MetaGraph, model: BaggingRegressor) -> Node:
    members = zip(model.estimators_, model.estimators_features_, strict=True)
    return graph.average([graph.predict(own, graph.select(names)) for own, names in members])


def _stack(graph: MetaGraph, model: StackingRegressor) -> Node:
    predictions = [graph.predict(member) for member in model.estimators_]
    merged = graph.concat(predictions)
    inputs = [graph.variable(merged)]
    if model.passthrough:
        inputs = [graph.variable(graph.concat([merged, *graph.matrix()]))]
    return graph.predict(model.final_estimator_, inputs)


def _boost(graph: MetaGraph, model: AdaBoostRegressor) -> Node:
    """Return the least prediction below which half of the members' weights lie."""
    exact = graph.exact
    n_members = len(model.estimators_)
    weights = np.asarray(model.estimator_weights_[:n_members], np.float64)
    predictions = exact.cast(graph.concat([*map(graph.predict, model.estimators_)]))
    rows = exact.Reshape(predictions, np.array([-1, 1, n_members]))
    columns = exact.Reshape(predictions, np.array([-1, n_members, 1]))
    is_below = exact.cast(exact.LessOrEqual(rows, columns))
    cumulated = exact.ReduceSum(exact.Mul(is_below, weights), np.array([2]), keepdims=0)
    is_enough = exact.GreaterOrEqual(cumulated, float(np.cumsum(weights)[-1] / 2))
    candidates = exact.Where(is_enough, predictions, np.array([np.inf]))
    return graph.ops.cast(exact.ReduceMin(candidates, np.array([1]), keepdims=1))


def _predict_each(graph: MetaGraph, model: MultiOutputRegressor) -> Node:
    return graph.concat([graph.predict(member) for member in model.estimators_])


def _chain(graph: MetaGraph, model: RegressorChain) -> Node:
    predictions: list[Node] = []
    for member in model.estimators_:
        predictions.append(graph.predict(member, graph.matrix(*predictions)))
    return graph.concat([predictions[index] for index in np.argsort(model.order_)])


def _untransform(graph: MetaGraph, model: TransformedTargetRegressor) -> Node:
    predicted = graph.exact.cast(graph.predict(model.regressor_))
    transformer = model.transformer_
    if type(transformer) in _AFFINE and not getattr(transformer, "clip", False):
        n_targets = transformer.n_features_in_
        offset = transformer.inverse_transform(np.zeros((1, n_targets)))
        scale = transformer.inverse_transform(np.ones((1, n_targets))) - offset
        return graph.ops.cast(graph.exact.Add(graph.exact.Mul(predicted, scale), offset))
    if model.transformer is None and model.inverse_func in _INVERSES:
        return graph.ops.cast(_INVERSES[model.inverse_func](graph.exact, predicted))
    names = ", ".join(f"np.{each.__name__}" for each in _INVERSES if each is not None)
    raise ValueError(
        f"inverse_func must be one of {names}, or transformer a scaler without clipping "
        f"({', '.join(kind.__name__ for kind in _AFFINE)}), for ONNX. Got "
        f"{model.inverse_func if model.transformer is None else transformer!r}. Convert "
        "model.regressor_, and undo the transformation where it is served."
    )


REGRESSORS: dict[type, Callable[[MetaGraph, Any], Node]] = {
    VotingRegressor: _vote,
    BaggingRegressor: _bag,
    StackingRegressor: _stack,
    AdaBoostRegressor: _boost,
    MultiOutputRegressor: _predict_each,
    RegressorChain: _chain,
    TransformedTargetRegressor: _untransform,
}
