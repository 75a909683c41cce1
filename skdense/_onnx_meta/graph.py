"""A part of an ONNX graph that combines what estimators predict."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import Pipeline

from .._estimators.base import KerasDenseBase
from .._networks.onnx_operators import Node, Operators
from .networks import needs_float64
from .placeholders import MetaClassifier, MetaRegressor

Array = NDArray[Any]

# Version of its operator set that maps strings to integers, and that skl2onnx knows.
_LABEL_ENCODER = 2
# Peers whose converters give as raw scores what their decision_function returns.
_WITH_RAW_SCORES = LogisticRegression, LogisticRegressionCV


class MetaGraph:
    """What the converter of one meta-estimator builds with.

    Attributes
    ----------
    ops, exact : Operators
        In the dtype of the outputs, and in float64, in which scikit-learn combines.
    inputs : list of Variable
        One of the whole matrix, or one for each column.
    """

    def __init__(
        self, scope: Any, operator: Any, container: Any, replace: Callable[[Any], Any]
    ) -> None:
        self._scope, self._container, self._replace = scope, container, replace
        self.inputs = list(operator.inputs)
        is_double = is_wide(operator)
        opset = container.target_opset
        self.ops = Operators(opset, np.float64 if is_double else np.float32)
        self.exact = Operators(opset, np.float64)

    # --- inputs ---------------------------------------------------------------------------------

    def matrix(self, *more: Node) -> list[Any]:
        """Return one input of all columns, with further columns behind them."""
        columns = [self.ops.cast(column) for column in self.inputs]
        return [self.variable(self._concat([*columns, *more]))]

    def select(self, features: Any) -> list[Any]:
        """Return the inputs for some of the features."""
        chosen = np.asarray(features, np.int64)
        if len(self.inputs) > 1:
            return [self.inputs[index] for index in chosen]
        kind = type(self.inputs[0].type)
        gathered = self.ops.Gather(self.inputs[0], chosen, axis=1)
        return [self.variable(gathered, kind)]

    def variable(self, node: Node, kind: Any = None) -> Any:
        """Return a node as a variable, which estimators take as their input."""
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

        kind = kind or (DoubleTensorType if self.ops.dtype == np.float64 else FloatTensorType)
        variable = self._scope.declare_local_variable("combined", kind([None, None]))
        self.ops.Identity(node, output_names=[variable]).add_to(self._scope, self._container)
        return variable

    # --- what estimators predict ------------------------------------------------------------------

    def predict(self, model: Any, inputs: list[Any] | None = None) -> Node:
        """Return the label of each row, (n_rows,), or the numbers, (n_rows, n_targets)."""
        [first, *_] = self._outputs(model, inputs)
        return first if is_classifier(model) else self.ops.cast(first)

    def label_and_probabilities(self, model: Any) -> tuple[Node, Node | None]:
        label, *others = self._outputs(model, None)
        return label, self.ops.cast(others[0]) if others else None

    def probabilities(self, model: Any, inputs: list[Any] | None = None) -> Node:
        """Return what `predict_proba` returns."""
        if _is_constant(model):
            return self._constant([[1 - model.y_.item(), model.y_.item()]])
        return self.ops.cast(self._outputs(model, inputs)[1])

    def decision(self, model: Any, inputs: list[Any] | None = None) -> Node:
        """Return what `decision_function` returns; of two classes (n_rows, 1)."""
        scores = self.ops.cast(self._outputs(model, inputs, raw_scores=True)[1])
        return self.column(scores, 1) if len(model.classes_) == 2 else scores

    def score(self, model: Any, inputs: list[Any] | None = None) -> Node:
        """Return the first there is of decision values and probabilities, as scikit-learn does.

        Of two classes it is the score of the second one, (n_rows, 1).
        """
        if _is_constant(model):
            return self._constant([[model.y_.item()]])
        if not is_classifier(model):
            return self.predict(model, inputs)
        if hasattr(model, "decision_function"):
            return self.decision(model, inputs)
        probabilities = self.probabilities(model, inputs)
        return self.column(probabilities, 1) if len(model.classes_) == 2 else probabilities

    def _constant(self, row: Any) -> Node:
        """Return a row as often as there are rows."""
        n_rows = self.ops.Slice(self.ops.Shape(self.inputs[0]), np.array([0]), np.array([1]))
        shape = self.ops.Concat(n_rows, np.array([1]), axis=0)
        return self.ops.Tile(np.array(row, self.ops.dtype), shape)

    def _outputs(self, model: Any, inputs: list[Any] | None, raw_scores: bool = False) -> list[Any]:
        from skl2onnx._parse import _parse_sklearn

        # One estimator may be asked for several things: options are those of an object.
        model = copy.copy(self._replace(model))
        self._set_options(model, raw_scores)
        return list(_parse_sklearn(self._scope, model, self._inputs_of(model, inputs)))

    def _set_options(self, model: Any, raw_scores: bool) -> None:
        if not is_classifier(model):
            return
        options: dict[str, Any] = {"zipmap": False}
        if isinstance(model, Pipeline):
            model.steps = [*model.steps[:-1], (model.steps[-1][0], copy.copy(model[-1]))]
            self._set_options(model[-1], raw_scores)
        elif raw_scores:
            if not isinstance(model, KerasDenseBase | MetaClassifier | _WITH_RAW_SCORES[0]):
                raise ValueError(
                    "model must have members whose decision_function ONNX gives: networks of "
                    "this package, LogisticRegression and meta-estimators of these. Got "
                    f"{type(model).__name__} where decision values count. Have probabilities "
                    "count, for example by stack_method='predict_proba'."
                )
            options["raw_scores"] = True
        self._scope.add_options(id(model), options)
        self._container.add_options(id(model), options)

    def _inputs_of(self, model: Any, inputs: list[Any] | None) -> list[Any]:
        """Return the inputs as a model takes them: others than ours take a single one."""
        from skl2onnx.common.data_types import DoubleTensorType

        inputs = self.inputs if inputs is None else inputs
        if isinstance(model, KerasDenseBase | MetaClassifier | MetaRegressor | Pipeline):
            return inputs
        is_double = all(isinstance(column.type, DoubleTensorType) for column in inputs)
        if len(inputs) == 1 and (is_double or self.ops.dtype == np.float32):
            return inputs
        return [self.variable(self._concat([self.ops.cast(column) for column in inputs]))]

    # --- combining ------------------------------------------------------------------------------

    def _concat(self, parts: list[Node]) -> Node:
        return self.ops.Concat(*parts, axis=1) if len(parts) > 1 else parts[0]

    def concat(self, parts: Sequence[Node]) -> Node:
        """Return columns beside each other."""
        return self._concat(list(parts))

    def column(self, matrix: Node, index: int) -> Node:
        """Return one column, (n_rows, 1)."""
        return self.ops.Gather(matrix, np.array([index]), axis=1)

    def sum(self, parts: Sequence[Node], weights: Any = None) -> Node:
        """Return the weighted sum of nodes in float64, in their order."""
        factors = [1.0] * len(parts) if weights is None else [float(w) for w in weights]
        first, *others = (
            self.exact.Mul(self.exact.cast(part), factor)
            for part, factor in zip(parts, factors, strict=True)
        )
        for other in others:
            first = self.exact.Add(first, other)
        return first

    def average(self, parts: Sequence[Node], weights: Any = None) -> Node:
        """Return the weighted mean of nodes, in the dtype of the outputs."""
        total = float(len(parts) if weights is None else np.sum(weights))
        return self.ops.cast(self.exact.Div(self.sum(parts, weights), total))

    def spread(self, matrix: Node, positions: Any, n_columns: int) -> Node:
        """Return columns at their positions among more columns, which are 0."""
        spreading = np.zeros((len(positions), n_columns), self.ops.dtype)
        spreading[np.arange(len(positions)), positions] = 1
        is_same = len(positions) == n_columns and (spreading == np.eye(n_columns)).all()
        return matrix if is_same else self.ops.MatMul(matrix, spreading)

    def one_hot(self, label: Node, classes: Array) -> Node:
        """Return 1 in the column of each row's class, else 0, in float64."""
        values = labels_of(classes)
        codes = self.ops.Reshape(label, np.array([-1, 1]))
        if values.dtype == object:
            codes = self.ops.LabelEncoder(
                codes,
                keys_strings=values.tolist(),
                values_int64s=list(range(len(values))),
                default_int64=-1,
                op_version=_LABEL_ENCODER,
            )
            values = np.arange(len(values))
        return self.exact.cast(self.ops.Equal(codes, values.astype(np.int64)[np.newaxis]))

    def label_of_greatest(self, scores: Node, classes: Array) -> Node:
        return self.label(self.ops.ArgMax(scores, axis=1, keepdims=0), classes)

    def label_where(self, is_second: Node, classes: Array) -> Node:
        """Return the second of two classes where a condition holds, (n_rows, 1)."""
        return self.label(self.integers(is_second), classes)

    def integers(self, is_true: Node) -> Node:
        """Return 1 where a condition holds, else 0."""
        from onnx import TensorProto

        return self.ops.Cast(is_true, to=TensorProto.INT64)

    def label(self, index: Node, classes: Array) -> Node:
        """Return the classes of indices, (n_rows,)."""
        return self.ops.Gather(labels_of(classes), self.ops.Reshape(index, np.array([-1])), axis=0)


def _is_constant(model: Any) -> bool:
    """Whether it stands in one-vs-rest for a class that all rows, or none, are of."""
    return type(model).__name__ == "_ConstantPredictor"


def is_wide(operator: Any) -> bool:
    """Whether outputs of a placeholder are float64."""
    from skl2onnx.common.data_types import DoubleTensorType

    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    return is_double or needs_float64(operator.raw_operator.model)


def labels_of(classes: Any) -> Array:
    """Return the classes as ONNX has labels: whole numbers, or strings.

    Raises
    ------
    ValueError
        For other classes.
    """
    if classes.dtype.kind in "biu":
        return classes.astype(np.int64)
    if classes.dtype.kind == "f" and (classes == np.rint(classes)).all():
        return classes.astype(np.int64)
    if all(isinstance(label, str) for label in classes):
        return np.array([str(label) for label in classes], dtype=object)
    raise ValueError(f"classes must be whole numbers or texts for ONNX. Got {classes!r}.")
