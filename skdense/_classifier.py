"""The classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._base import KerasDenseBase
from ._keras_objects import Activation
from ._targets import (
    ClassTarget,
    Head,
    class_target,
    classification_head,
    sees_two_classes_by_one_unit,
)

Array = NDArray[Any]


class KerasDenseClassifier(ClassifierMixin, KerasDenseBase):
    """Dense neural network for classification, trained by Keras.

    Parameters
    ----------
    units : int or sequence of int, default=128
        Width of every hidden layer, or one width per hidden layer.
    depth : int or None, default=None
        Number of hidden layers. None means 2, or the length of `units` if that is a
        sequence, which a number must not contradict. 0 is a linear model.
    activation : str, callable, or sequence of them, default="relu"
        Keras name or callable of the hidden layers' activation, or one per hidden layer.
    dropout : float or sequence of float, default=0.0
        Rate of dropout after each hidden layer, or one per hidden layer; below 1.
    batch_normalization : bool, default=False
        Whether each hidden layer is normalised before its activation.
    kernel_initializer : str, callable or keras.initializers.Initializer, \
            default="glorot_uniform"
        How the kernels start. A name or an initializer without a seed takes its seed from
        `random_state`.
    l1, l2 : float, default=0.0
        Penalties on every kernel, the last one too, added to the loss as
        ``keras.regularizers.L1L2`` defines them.
    output_activation : str or callable, default="auto"
        Activation of the output layer. "auto" is one sigmoid unit for two classes and softmax
        for more, or what a given `loss` needs. "softmax" gives one unit per class also for
        two classes.
    loss : str, callable or keras.losses.Loss, default="auto"
        Keras name, loss object, or function of (y_true, y_pred). "auto" is cross-entropy.
        Sparse losses get class indices, (n, 1); others get one column of 0 and 1 for two
        classes seen by one unit, and one column per class otherwise.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Keras name, or an optimizer, which is only read: each fit starts a fresh one.
    learning_rate : float, keras.optimizers.schedules.LearningRateSchedule or None, \
            default=None
        None keeps the optimizer's own.
    weight_decay : float or None, default=None
        As in Keras' optimizers. None keeps the optimizer's own.
    clipnorm : float or None, default=None
        Bound on the norm of each weight's gradient. None keeps the optimizer's own clipping.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto" goes by the number of rows: 64 up to 1,024 rows, 128 up to
        8,192, 256 up to 30,000, 512 up to 100,000, and 1,024 above.
    epochs : int, default=100
        Passes over the data.
    shuffle : bool, default=True
        Whether each epoch visits the rows in a new order, drawn from `random_state`.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision of training. "auto" is float32, but float64 for float64 data whose rows fit
        in one batch. Predictions come in the dtype of X.
    verbose : {0, 1, 2}, default=0
        Silent, a progress bar over the epochs, or one line per epoch.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, row order and dropout. Fits with the same int give the same
        bits on one machine. None draws from NumPy's global random state, as everywhere in
        scikit-learn.
    engine : {"auto", "compiled", "keras"}, default="auto"
        What trains: the compiled program, or ``keras.Model.fit``, many times slower. "auto"
        falls back on Keras, with a warning, where the compiled program does not cover the
        optimizer or the loss; "compiled" is an error there.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had names that are all strings.
    n_outputs_ : int
        Number of units in the output layer.
    n_iter_ : int
        Number of epochs run.
    history_ : dict of str to list of float
        Under Keras' names, one value per epoch: "loss", the training loss with penalties.
    loss_curve_ : list of float
        ``history_["loss"]``.
    coefs_ : list of ndarray of shape (n_inputs, n_units)
        Kernel of each dense layer.
    intercepts_ : list of ndarray of shape (n_units,)
        Bias of each dense layer.
    engine_ : {"compiled", "keras"}
        Which engine ran.

    See Also
    --------
    KerasDenseRegressor : The same for numbers as targets.

    Notes
    -----
    Training minimises, over batches, the sum of sample weight times loss divided by the number
    of rows, Keras' default reduction. Sample weights are first scaled to a mean of 1 over the
    rows of positive weight.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdense import KerasDenseClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = KerasDenseClassifier(units=16, learning_rate=0.01, random_state=0)
    >>> make_pipeline(StandardScaler(), network).fit(X, y).score(X, y) > 0.9
    True
    """

    classes_: Array
    _target: ClassTarget

    def __init__(
        self,
        *,
        units: int | Sequence[int] = 128,
        depth: int | None = None,
        activation: str | Callable[..., Any] | Sequence[Any] = "relu",
        dropout: float | Sequence[float] = 0.0,
        batch_normalization: bool = False,
        kernel_initializer: str | Callable[..., Any] = "glorot_uniform",
        l1: float = 0.0,
        l2: float = 0.0,
        output_activation: str | Callable[..., Any] = "auto",
        loss: str | Callable[..., Any] = "auto",
        optimizer: Any = "adam",
        learning_rate: Any = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        batch_size: int | str = "auto",
        epochs: int = 100,
        shuffle: bool = True,
        dtype: str = "auto",
        verbose: int = 0,
        random_state: Any = None,
        engine: str = "auto",
    ) -> None:
        self.units = units
        self.depth = depth
        self.activation = activation
        self.dropout = dropout
        self.batch_normalization = batch_normalization
        self.kernel_initializer = kernel_initializer
        self.l1 = l1
        self.l2 = l2
        self.output_activation = output_activation
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
        self.engine = engine

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
            Inputs, at a scale near 1; see ``sklearn.preprocessing.StandardScaler``.
        y : array-like of shape (n_samples,)
            Class labels: strings, integers or booleans.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How much each row counts, relative to the others.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For unusable data or parameters, and as soon as the training loss is NaN or
            infinite. The estimator is then as it was before.
        """
        return self._fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels out of ``classes_``.
        """
        decision = self.decision_function(X)
        codes = decision > 0 if decision.ndim == 1 else decision.argmax(axis=1)
        return self.classes_[np.asarray(codes, dtype=np.intp)]

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_`` and the dtype of X; rows sum to 1.
        """
        check_is_fitted(self)
        outputs = self._outputs(X, activate=not self._target.answers_from_logits)
        return self._target.probabilities(outputs)

    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        with np.errstate(divide="ignore"):  # the logarithm of a probability of 0 is -inf
            return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> Array:
        """Return the network's logits.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
            For two classes positive where ``classes_[1]`` is predicted. Where the output
            activation is neither softmax nor sigmoid, the outputs themselves, for two classes
            less the threshold.
        """
        check_is_fitted(self)
        outputs = self._outputs(X, activate=not self._target.decides_on_logits)
        return self._target.decide(outputs)

    def _describe_target(self, y: Array) -> Array:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        return codes

    def _make_target(self, y: Array, sample_weight: Array | None, head: Head) -> ClassTarget:
        present = np.unique(y)
        if len(present) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of at least 2 classes, with positive weight. "
                f"Got one class: {self.classes_[present].tolist()[0]!r}."
            )
        n_classes = len(self.classes_)
        one_unit = n_classes == 2 and sees_two_classes_by_one_unit(head.activation, head.loss)
        return class_target(n_classes, 1 if one_unit else n_classes, head)

    def _settle_head(self, output_activation: Activation, loss: Any) -> Head:
        return classification_head(len(self.classes_), output_activation, loss)
