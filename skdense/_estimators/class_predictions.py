"""What a classifier answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._problem.labels import Labels
from .._problem.targets.classes import ClassTarget
from .._problem.targets.labels import LabelsTarget
from .argument_hints import with_argument_hints
from .base import KerasDenseBase

Array = NDArray[Any]


class ClassPredictions(KerasDenseBase):
    """The methods that predict classes."""

    classes_: Array
    temperature_: float

    @property
    def _labels(self) -> Labels:
        assert self._fitted.labels is not None
        return self._fitted.labels

    @property
    def _target(self) -> ClassTarget | LabelsTarget:
        target = self._fitted.target
        assert isinstance(target, ClassTarget | LabelsTarget)
        return target

    @with_argument_hints
    def predict(self, X: Any) -> Array:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels out of ``classes_``, or an indicator matrix as in `fit`.
        """
        now = self._snapshot()
        labels = now._labels
        return labels.decode(now._target.choose(now.decision_function(X)))

    @with_argument_hints
    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of ``classes_`` and the dtype of X. Rows sum to 1, except for several
            labels, where each has a probability of its own.
        """
        now = self._snapshot()
        outputs = now._outputs(X, activate=not now._target.answers_from_logits)
        return now._target.probabilities(outputs)

    @with_argument_hints
    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of ``classes_`` and the dtype of X. Of softmax, sigmoid and logits finite
            also where the probability is too small for that dtype.
        """
        now = self._snapshot()
        probabilities = now.predict_proba(X)
        is_small = probabilities < np.finfo(probabilities.dtype).tiny
        with np.errstate(divide="ignore"):  # the logarithm of a probability of 0 is -inf
            logarithms = np.log(probabilities)
        if is_small.any() and now._target.has_logarithms:
            outputs = now._outputs(X, activate=not now._target.decides_on_logits)
            logarithms[is_small] = now._target.log_probabilities(outputs)[is_small]
        return logarithms

    @with_argument_hints
    def decision_function(self, X: Any) -> Array:
        """Return what classes are decided by: logits where the network has some.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes) or \
                (n_samples, n_labels)
            For two classes positive where ``classes_[1]`` is predicted, and never smaller where
            its probability is greater: the difference of the logarithms of both probabilities
            where the output is softmax, sigmoid or logits; of other heads with two units the
            difference of their scores divided by the larger one. For three or more classes
            the logits of softmax and sigmoid, else the outputs themselves, the greatest being that
            of the class predicted. For several labels each one's logit, or output less the
            threshold, positive where it is predicted.
        """
        now = self._snapshot()
        outputs = now._outputs(X, activate=not now._target.decides_on_logits)
        return now._target.decide(outputs)
