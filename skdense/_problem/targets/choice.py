"""Which kind of target and of output layer a problem has: by its labels, None for numbers."""

from __future__ import annotations

from typing import Any

from ..labels import Labels
from ..output_layer import (
    Head,
    sees_two_classes_by_one_unit,
    settle_classification_head,
    settle_labels_head,
    settle_regression_head,
)
from ..rows import Rows
from .classes import ClassTarget, make_class_target
from .labels import LabelsTarget, make_labels_target
from .numbers import RegressionTarget, make_regression_target

Target = ClassTarget | LabelsTarget | RegressionTarget


def settle_head(labels: Labels | None, output_activation: Any, loss: Any) -> Head:
    """Return the output's activation and the loss, deciding where they are "auto"."""
    if labels is None:
        return settle_regression_head(output_activation, loss)
    if labels.is_multilabel:
        return settle_labels_head(output_activation, loss)
    return settle_classification_head(len(labels.values), output_activation, loss)


def make_target(labels: Labels | None, head: Head, rows: Rows, *, standardize: bool) -> Target:
    """Return how the numbers of the rows become targets of the network."""
    if labels is None:
        return make_regression_target(rows.targets, rows.weights, head, standardize)
    n_classes = len(labels.values)
    if labels.is_multilabel:
        return make_labels_target(n_classes, head)
    has_one_unit = n_classes == 2 and sees_two_classes_by_one_unit(head.activation, head.loss)
    return make_class_target(n_classes, 1 if has_one_unit else n_classes, head)
