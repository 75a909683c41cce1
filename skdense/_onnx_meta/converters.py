"""The placeholders of meta-estimators, as skl2onnx is told of them."""

from __future__ import annotations

from typing import Any

from sklearn.multioutput import MultiOutputClassifier

from .classifiers import CLASSIFIERS, DECISIONS
from .graph import MetaGraph, is_wide, labels_of
from .placeholders import MetaClassifier, MetaRegressor
from .regressors import REGRESSORS
from .replacing import replace_meta_estimators
from .tables import SelectedColumns

_OPTIONS = {"zipmap": [False], "nocl": [False], "raw_scores": [True, False]}


def register_placeholders(skl2onnx: Any) -> None:
    """Tell skl2onnx of the placeholders."""
    skl2onnx.update_registered_converter(
        MetaClassifier,
        _alias(MetaClassifier),
        _classifier_shapes,
        _convert_classifier,
        options=_OPTIONS,
        parser=_declare_classifier,
    )
    skl2onnx.update_registered_converter(
        MetaRegressor, _alias(MetaRegressor), _regressor_shapes, _convert_regressor
    )
    skl2onnx.update_registered_converter(
        SelectedColumns, _alias(SelectedColumns), _no_shapes, _no_operator, parser=_select_columns
    )


def _no_shapes(operator: Any) -> None:
    """Stand for a shape calculator: the parser of SelectedColumns declares no operator."""


def _no_operator(scope: Any, operator: Any, container: Any) -> None:
    """Stand for a converter, for the same reason."""


def _select_columns(
    scope: Any, step: SelectedColumns, inputs: list[Any], custom_parsers: Any = None
) -> list[Any]:
    """Return the inputs of the columns that pass."""
    if len(inputs) == 1 and len(step.indices) > 1:
        raise ValueError(
            "X must be a frame where an estimator at the end of a pipeline takes columns of "
            "strings, so that each is one input. Got an array. Fit on a frame."
        )
    return [inputs[index] for index in step.indices]


def _alias(kind: type) -> str:
    return f"Skdense{kind.__name__}"


def _declare_classifier(
    scope: Any, meta: MetaClassifier, inputs: list[Any], custom_parsers: Any = None
) -> list[Any]:
    """Declare the outputs of a classifier: probabilities only where it has them."""
    from skl2onnx.common import data_types

    operator = scope.declare_local_operator(_alias(MetaClassifier), meta)
    operator.inputs += inputs
    float_type = data_types.guess_tensor_type(inputs[0].type)
    declare = scope.declare_local_variable
    operator.outputs.append(declare("label", data_types.Int64TensorType()))
    is_raw = scope.get_options(meta, {"raw_scores": False})["raw_scores"]
    if _is_several(meta) and meta.has_probabilities:
        several = data_types.SequenceType(float_type)
        operator.outputs.append(declare("probabilities", several))
    elif meta.has_probabilities or is_raw:
        operator.outputs.append(declare("probabilities", float_type))
    return [*operator.outputs]


def _is_several(meta: MetaClassifier) -> bool:
    """Whether predict_proba returns one array for each output."""
    return isinstance(meta.model, MultiOutputClassifier)


def _float_type(operator: Any, *shape: Any) -> Any:
    from skl2onnx.common import data_types

    kind = data_types.DoubleTensorType if is_wide(operator) else data_types.FloatTensorType
    return kind([operator.inputs[0].get_first_dimension(), *shape])


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common import data_types

    meta, n_rows = operator.raw_operator, operator.inputs[0].get_first_dimension()
    classes = meta.classes_
    each = list(classes) if isinstance(classes, list) else [classes]
    is_string = labels_of(each[0]).dtype == object
    is_matrix = isinstance(classes, list) or getattr(meta.model, "multilabel_", False)
    n_outputs = len(each) if isinstance(classes, list) else len(classes)
    kind = data_types.StringTensorType if is_string else data_types.Int64TensorType
    operator.outputs[0].set_type(kind([n_rows, n_outputs] if is_matrix else [n_rows]))
    for scores in operator.outputs[1:]:
        if _is_several(meta):
            scores.set_type(data_types.SequenceType(_float_type(operator, None)))
        else:
            scores.set_type(_float_type(operator, n_outputs))


def _regressor_shapes(operator: Any) -> None:
    operator.outputs[0].set_type(_float_type(operator, None))


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    meta = operator.raw_operator
    graph = MetaGraph(scope, operator, container, replace_meta_estimators)
    label, scores = CLASSIFIERS[type(meta.model)](graph, meta.model)
    if container.get_options(meta, {"raw_scores": False})["raw_scores"]:
        scores = DECISIONS[type(meta.model)](graph, meta.model)
        if len(meta.classes_) == 2:
            scores = graph.concat([graph.ops.Neg(scores), scores])
    nodes = [label] if scores is None else [label, scores]
    for node, variable in zip(nodes, operator.outputs, strict=True):
        graph.ops.Identity(node, output_names=[variable]).add_to(scope, container)


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    model = operator.raw_operator.model
    graph = MetaGraph(scope, operator, container, replace_meta_estimators)
    predicted = graph.ops.cast(REGRESSORS[type(model)](graph, model))
    graph.ops.Identity(predicted, output_names=operator.outputs[:1]).add_to(scope, container)
