"""Fitted estimators, and pipelines that end in one, as ONNX models."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._backend.warnings import warn_caller
from ._estimators.base import KerasDenseBase
from ._estimators.classifier import KerasDenseClassifier
from ._estimators.regressor import KerasDenseRegressor
from ._estimators.tabular_classifier import KerasTabularClassifier
from ._estimators.tabular_regressor import KerasTabularRegressor
from ._networks.onnx_graph import network_graph
from ._networks.onnx_operators import Node, Operators
from ._problem.fitted import Fitted
from ._problem.onnx_inputs import has_doubles, in_float32, input_types, is_runnable
from ._problem.targets.classes import ClassTarget
from ._problem.targets.onnx_answers import (
    average_logits,
    average_outputs,
    choose_label,
    choose_quantiles,
    find_decision,
    find_probabilities,
    proto_type,
    shape_of_quantiles,
)
from ._tables.categories import TEXTS
from ._tables.encoder import TableEncoder
from ._tables.onnx_graph import ambiguous_strings, describe_input, table_graph

# What skl2onnx asks a classifier for: whether probabilities come as a list of dicts.
# "raw_scores" asks for what decision_function returns, as two columns of opposite signs for two
# classes; calibration, one-vs-one and stacking do so.
_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [False],
    "output_class_labels": [False],
    "raw_scores": [True, False],
}


def to_onnx(model: Any, X: Any) -> Any:
    """Convert a fitted estimator, or a pipeline with everything in it, to ONNX.

    Parameters
    ----------
    model : estimator of this package, Pipeline, search or meta-estimator
        Fitted. Meta-estimators of scikit-learn around networks are converted here: calibration,
        thresholds, voting, bagging, boosting, stacking, one estimator for each class or output,
        chains, transformed targets. Its other steps and members are converted by skl2onnx, which
        has to know them.
    X : ndarray, sparse array or DataFrame of shape (n_samples, n_features)
        A sample of the input, of which only names and dtypes count; a row is enough.

    Returns
    -------
    onnx.ModelProto
        Its inputs: "X", or for a DataFrame one of shape (n_rows, 1) for each column, of its name;
        in float64, float32, int64, boolean or text, by the dtypes of X. Integers are float64
        where training rows of the column had missing values, which int64 does not have; all
        numbers are float32 where onnxruntime has no float64 for other steps of a pipeline, such
        as scikit-learn's imputers. Its outputs: of a classifier "label" and "probabilities", as
        `predict` and `predict_proba` give them; of a regressor "variable", of shape (n_rows,
        n_targets), in float64 where float32 cannot hold the predictions, and of one with several
        quantiles "quantiles", as `predict_quantiles` gives them. Numbers and probabilities are in
        float64, too, where the network takes float64 without ``input_scaling="robust"``.

    Raises
    ------
    ImportError
        Without skl2onnx, which the extra "onnx" installs.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    ValueError
        For an activation without a form in ONNX, for an ensemble of regressors whose predictions
        float32 cannot hold, for a meta-estimator around networks that is not among these, and
        what skl2onnx says of other steps.

    Notes
    -----
    A classifier without `predict_proba`, such as ``VotingClassifier(voting="hard")`` or
    `OneVsOneClassifier`, has the output "label" only. "probabilities" of `MultiOutputClassifier`
    are a sequence of arrays. Labels of `FixedThresholdClassifier` and
    `TunedThresholdClassifierCV` obey the threshold.

    Of a table, a missing string is the empty string "". onnxruntime makes "None", "nan", "<NA>" or
    "NaT" of the objects that stand for a missing value: these strings, and "NaN", are missing, too,
    unless training had a frequent category of that name, of which a `UserWarning` tells. A missing
    number or boolean is NaN; in an int64 input of categories it is ``-2**63``. The ``doc_string``
    of each input, and ``metadata_props``, say it for each column.

    Examples
    --------
    >>> import numpy as np
    >>> import skdense
    >>> X = np.float32([[0.0], [1.0], [2.0]])
    >>> network = skdense.KerasDenseClassifier(units=4, epochs=2).fit(X, ["a", "b", "b"])
    >>> [output.name for output in skdense.to_onnx(network, X).graph.output]
    ['label', 'probabilities']
    """
    try:
        import skl2onnx
    except ImportError as error:
        raise ImportError(
            "to_onnx needs skl2onnx, which is not installed. Run: pip install skl2onnx onnx"
        ) from error
    # Here, as they import half of scikit-learn, which `import skdense` does not wait for.
    from ._onnx_meta.placeholders import MetaClassifier
    from ._onnx_meta.replacing import replace_meta_estimators
    from ._onnx_meta.tables import find_table

    check_is_fitted(model)
    model = copy.copy(model)  # lest another thread fits a lone estimator anew meanwhile
    register(skl2onnx)
    model = replace_meta_estimators(model)
    classifiers = KerasDenseClassifier, KerasTabularClassifier, MetaClassifier
    options = {kind: {"zipmap": False} for kind in classifiers}
    fitted = find_table(model)
    types = input_types(X, fitted)
    if "" in dict(types):
        raise ValueError("X must have columns with names. Got '' among them. Rename it before fit.")
    converted = _convert_in_widest(skl2onnx, model, types, options)
    if fitted is not None:
        _describe_missing_values(converted, fitted)
    return converted


def _convert_in_widest(
    skl2onnx: Any, model: Any, types: list[tuple[str, Any]], options: Any
) -> Any:
    """Convert with inputs in float64, or in float32 where other steps have no float64."""
    if isinstance(_find_last(model), KerasDenseBase) or not has_doubles(types):
        return _convert(skl2onnx, model, types, options)
    try:
        converted = _convert(skl2onnx, model, types, options)
    except Exception:  # whatever skl2onnx raises where a step has no float64
        converted = None
    if converted is not None and is_runnable(converted):
        return converted
    return _convert(skl2onnx, model, in_float32(types), options)


def _convert(skl2onnx: Any, model: Any, types: list[tuple[str, Any]], options: Any) -> Any:
    converted = skl2onnx.to_onnx(model, initial_types=types, options=options)
    _rename_inputs(converted.graph, [name for name, _ in types])
    _require_one_precision(converted)
    return converted


def _describe_missing_values(converted: Any, fitted: Fitted) -> None:
    """Say in the model what a missing value is in each input; warn where categories look like it.

    Warns
    -----
    UserWarning
        For columns with a category that onnxruntime makes of None or NaN, too.
    """
    table = fitted.table
    assert table is not None
    for index, column in enumerate(converted.graph.input):
        column.doc_string = describe_input(table, index)
        entry = converted.metadata_props.add()
        entry.key, entry.value = f"missing value in {column.name}", column.doc_string
    converted.doc_string = "What a missing value is, is in the description of each input."
    for category in table.categories:
        name = converted.graph.input[category.column].name
        if category.kind == TEXTS and (spellings := ambiguous_strings(category)):
            warn_caller(
                f"Column {name!r} has the categories {', '.join(map(repr, spellings))}, which "
                "onnxruntime also makes of None or NaN. They count as categories. Feed '' for a "
                "missing value.",
                UserWarning,
            )


def _require_one_precision(converted: Any) -> None:
    """Raise ValueError where float64 predictions go into operators of float32."""
    import onnx

    casts = [attribute for node in converted.graph.node for attribute in node.attribute]
    if not any(cast.name == "to" and cast.i == onnx.TensorProto.DOUBLE for cast in casts):
        return
    try:
        onnx.checker.check_model(converted, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(
            "model must take float64 where a regressor's target needs it, as float32 cannot hold "
            f"its numbers. Got steps after it that do not: {str(error).strip()}. Convert its "
            "regressors one by one, or train on a y near 1."
        ) from error


def _rename_inputs(graph: Any, names: list[str]) -> None:
    """Give inputs the names of their columns, of which skl2onnx makes identifiers.

    Raises
    ------
    ValueError
        For names that ONNX has no room for.
    """
    taken = {name for node in graph.node for name in node.output}
    refused = [name for name in names if name in taken]
    if refused:
        raise ValueError(
            "X must have columns of names that no output of the ONNX model has. Got "
            f"{', '.join(map(repr, refused))}. Rename them before fit."
        )
    new = {given.name: name for given, name in zip(graph.input, names, strict=True)}
    for given in graph.input:
        given.name = new[given.name]
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]


def register(skl2onnx: Any) -> None:
    """Tell skl2onnx of all estimators."""
    from ._onnx_meta.converters import register_placeholders

    of_classes = _classifier_shapes, _convert_classifier, _OPTIONS, None
    of_numbers = _regressor_shapes, _convert_regressor, None, _declare_regressor
    for kind, (shapes, converter, options, parser) in {
        KerasDenseClassifier: of_classes,
        KerasTabularClassifier: of_classes,
        KerasDenseRegressor: of_numbers,
        KerasTabularRegressor: of_numbers,
    }.items():
        skl2onnx.update_registered_converter(
            kind, _alias(kind), shapes, converter, options=options, parser=parser
        )
    register_placeholders(skl2onnx)


def _alias(kind: type) -> str:
    return f"Skdense{kind.__name__}"


def _declare_regressor(
    scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None
) -> list[Any]:
    """Declare what comes out of a regressor: with several quantiles these too."""
    from skl2onnx.common.data_types import FloatTensorType

    operator = scope.declare_local_operator(_alias(type(model)), model)
    operator.inputs += inputs
    names = ["variable", *(["quantiles"] if len(model._fitted.target.quantiles) > 1 else [])]
    operator.outputs += [scope.declare_local_variable(name, FloatTensorType()) for name in names]
    return [*operator.outputs]


def _find_last(model: Any) -> Any:
    """Return the estimator that searches and pipelines without other steps wrap."""
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif isinstance(model, Pipeline) and len(model.steps) == 1:
            model = model[0]
        else:
            return model


def _is_double(operator: Any) -> bool:
    """Say whether an estimator computes in float64.

    Of raw numbers that are not scaled first, as `predict` does.
    """
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType

    fitted = operator.raw_operator._fitted
    is_wide = any(isinstance(x.type, DoubleTensorType | Int64TensorType) for x in operator.inputs)
    return is_wide and (
        not fitted.network.scales_columns or fitted.parameters["dtype"] == "float64"
    )


def _float_type(operator: Any, *shape: int) -> Any:
    from skl2onnx.common import data_types

    is_double = _is_double(operator) or operator.raw_operator._fitted.target.needs_float64
    kind = data_types.DoubleTensorType if is_double else data_types.FloatTensorType
    return kind([operator.inputs[0].get_first_dimension(), *shape])


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common import data_types

    from ._onnx_meta.graph import labels_of

    classifier = operator.raw_operator
    n_rows, n_classes = operator.inputs[0].get_first_dimension(), len(classifier.classes_)
    is_multilabel = not isinstance(classifier._fitted.target, ClassTarget)
    shape = [n_rows, n_classes] if is_multilabel else [n_rows]
    is_text = labels_of(classifier.classes_).dtype.kind == "O"
    kind = data_types.StringTensorType if is_text else data_types.Int64TensorType
    operator.outputs[0].set_type(kind(shape))
    operator.outputs[1].set_type(_float_type(operator, n_classes))


def _regressor_shapes(operator: Any) -> None:
    target = operator.raw_operator._fitted.target
    operator.outputs[0].set_type(_float_type(operator, target.n_targets))
    for quantiles in operator.outputs[1:]:
        quantiles.set_type(_float_type(operator, *shape_of_quantiles(target)))


def _operators_and_outputs(operator: Any, container: Any) -> tuple[Operators, Node, Node]:
    """Return operators, what goes into the output's activation, and what comes out."""
    fitted = operator.raw_operator._fitted
    ops = Operators(container.target_opset, np.float64 if _is_double(operator) else np.float32)
    x = _matrix(ops, fitted, operator.inputs)
    activate = partial(fitted.network.output.onnx_graph, ops, {})
    logits = [network_graph(ops, fitted.network, own, x) for own in fitted.members]
    if len(logits) == 1:
        return ops, logits[0], activate(logits[0])
    if fitted.target.decides_on_logits:
        mean = average_logits(ops, fitted.target, logits)
        return ops, mean, activate(mean)
    outputs = list(map(activate, logits))
    return ops, logits[0], average_outputs(ops, fitted.target, outputs)


def _matrix(ops: Operators, fitted: Fitted, inputs: list[Any]) -> Node:
    """Return what the network takes, of one input or of one for each column of a table."""
    if fitted.table is None:
        cast = (ops.in_double if fitted.network.scales_columns else ops).cast
        inputs = [cast(x) for x in inputs]
        return inputs[0] if len(inputs) == 1 else ops.Concat(*inputs, axis=1)
    columns = inputs
    texts = any(own.kind == TEXTS for own in fitted.table.categories)
    if len(inputs) == 1 and texts and fitted.table.n_columns > 1:
        raise ValueError(
            "X must come as one input for each column where some hold texts. Got one input for "
            "all. Convert with a frame, by skdense.to_onnx(model, frame)."
        )
    if len(inputs) == 1 and fitted.table.n_columns > 1:
        numbers = range(fitted.table.n_columns)
        columns = [ops.Gather(inputs[0], np.array([number]), axis=1) for number in numbers]
    _check_strings(fitted.table, columns)
    return table_graph(ops.in_double, fitted.table, columns)


def _check_strings(table: TableEncoder, columns: list[Any]) -> None:
    """Raise ValueError where inputs are strings and the network takes numbers, or otherwise."""
    from skl2onnx.common.data_types import StringTensorType

    strings = {own.column for own in table.categories if own.kind == TEXTS}
    for index, column in enumerate(columns):
        is_string = isinstance(getattr(column, "type", None), StringTensorType)
        if is_string != (index in strings):
            kinds = ("strings", "numbers") if is_string else ("numbers", "strings")
            raise ValueError(
                f"X must have {kinds[1]} in column {index} of those that reach the estimator, as "
                f"in training. Got {kinds[0]}. Convert with a frame as in fit, of numpy dtypes."
            )


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    regressor = operator.raw_operator
    ops, _, outputs = _operators_and_outputs(operator, container)
    target, dtype = regressor._fitted.target, ops.dtype
    if target.needs_float64:
        dtype = np.float64
        outputs = ops.Cast(outputs, to=proto_type(dtype))
    mean, scale = (array.astype(dtype) for array in target.units_of_outputs)
    own = ops.Add(ops.Mul(outputs, scale), mean)
    answers = choose_quantiles(ops, target, own, dtype) if len(target.quantiles) > 1 else [own]
    # Within another model there is room for the first one only.
    for node, variable in zip(answers, operator.outputs, strict=False):
        ops.Identity(node, output_names=[variable]).add_to(scope, container)


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Add what `predict` and `predict_proba` do; see `ClassTarget` and `LabelsTarget`."""
    from ._onnx_meta.graph import labels_of

    classifier = operator.raw_operator
    ops, logits, outputs = _operators_and_outputs(operator, container)
    target = classifier._fitted.target
    decision = logits if target.decides_on_logits else outputs
    label = choose_label(ops, target, labels_of(classifier.classes_), decision)
    if container.get_options(classifier, {"raw_scores": False})["raw_scores"]:
        scores = find_decision(ops, target, decision)
    else:
        scores = find_probabilities(ops, target, logits, outputs)
    for node, variable in zip((label, scores), operator.outputs, strict=True):
        ops.Identity(node, output_names=[variable]).add_to(scope, container)
