"""What all estimators share: scikit-learn's duties, and the views of a fitted network."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from .._backend.descriptions import build
from .._files.pickling import picklable_state, read_stored, unpickled_state, waits
from .._files.saving import save_estimator
from .._networks.keras_view import build_compiled_model, build_models
from .._networks.stages import Dense
from .._networks.summaries import layers_html, layers_text
from .._problem.answers import as_keras_answers, compute_outputs
from .._problem.constraints import CONSTRAINTS
from .._problem.fitted import Fitted
from .._problem.given import Given
from .._problem.tables import read_rows_to_predict
from .._problem.tasks import settle_optimizer
from .._problem.warm_start import settle_head_again
from .._tables.descriptions import columns_html, describe_columns
from .argument_hints import suggest_arguments, with_argument_hints
from .copies import Cloned, holds_objects, remember_copies, take_fit
from .fitting import leave_fit
from .sklearn_bases import BaseEstimator, CallbackSupportMixin
from .sklearn_callbacks import with_callbacks

Array = NDArray[Any]


class KerasDenseBase(CallbackSupportMixin, BaseEstimator):
    """Base of the dense networks."""

    _fitted: Fitted
    input_scaling: Any
    numeric_embedding: Any
    learned_scale: Any
    # What the docstrings of the estimators document; a fit leaves those that it has.
    n_features_in_: int
    feature_names_in_: Array
    n_outputs_: int
    n_iter_: int
    best_epoch_: int
    validation_indices_: Array
    validation_folds_: Array
    oof_prediction_: Array
    history_: dict[str, list[float]]
    engine_: str

    @with_argument_hints
    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
            Inputs, at a scale near 1; see ``sklearn.preprocessing.StandardScaler``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers, of a regressor. Class labels, of a classifier: strings, integers or booleans;
            or an indicator matrix of 0 and 1, for rows that have several labels or none.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How much each row counts, relative to the others.
        groups : array-like of shape (n_samples,) or None, default=None
            With ``validation_fraction="folds"``, rows of one group are held out together, in
            folds that keep the classes in proportion too. No value may be missing.
        X_val : array-like or sparse array of shape (n_val, n_features) or None, default=None
            Rows to watch in place of a `validation_fraction` of X, or of folds. In a Pipeline they
            have to be transformed like X: see ``Pipeline(transform_input=["X_val"])``.
        y_val : array-like, default=None
            Targets of `X_val`.
        sample_weight_val : array-like of shape (n_val,) or None, default=None
            Weights of `X_val`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For unusable data or parameters, and as soon as the training loss is NaN or
            infinite. The estimator is then as it was before.

        Warns
        -----
        UserWarning
            If Ctrl-C ended the training, after at least one epoch; the estimator is then fitted.
            Inside of a search, the interruption ends the search.
        """
        given_val = Given(X_val, y_val, sample_weight_val, suffix="_val")
        take_fit(self, leave_fit(self, Given(X, y, sample_weight), given_val, groups))
        return self

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params
            Parameters of the constructor, by name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a name that is none of the constructor's.
        """
        try:
            super().set_params(**params)
        except ValueError as error:
            known = self.get_params(deep=False)
            unknown = [name for name in params if name not in known and "__" not in name]
            if not unknown:
                raise
            hints = suggest_arguments(type(self), unknown, known)
            raise ValueError(f"{str(error).rstrip('.')}.{hints}") from None
        return self

    def _snapshot(self) -> Self:
        """Return this fit, for methods that read several of its attributes.

        Another thread may fit anew between two of them.
        """
        if "_fitted" not in self.__dict__:
            check_is_fitted(self)
        return copy.copy(self)

    def _outputs(self, X: Any, *, activate: bool = True) -> Array:
        X = read_rows_to_predict(self, X, self._fitted.table)
        return compute_outputs(self._fitted, X, activate=activate)

    @with_argument_hints
    def to_keras(self) -> Any:
        """Return the trained network as a Keras model.

        Returns
        -------
        keras.Sequential, or keras.Model of the mean of several networks
            Compiled with this estimator's optimizer and loss. A classifier's model gives the
            outputs that `predict_proba` is made from, a regressor's gives predictions in the
            target's own units. In float32 unless this estimator has ``dtype="float64"``, or
            float32 cannot hold those numbers; of a network with ``input_scaling="robust"`` the
            inputs are in float64 until they are scaled. Keras' ``predict`` casts arrays to
            ``keras.config.floatx()``, float32 by default: where columns are far from 0, call the
            model, ``model(X)``, or give it batches of a ``tf.data.Dataset``. A file of the model
            does not keep what its optimizer knows, that `weight_decay` leaves `numeric_embedding`
            and `learned_scale` alone.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        fitted = self._snapshot()._fitted
        given = build(fitted.parameters)
        needs_float64 = given["dtype"] == "float64" or fitted.target.needs_float64
        network, loss = as_keras_answers(fitted, settle_head_again(fitted).loss)
        return build_compiled_model(
            network,
            tuple(map(fitted.target.in_own_units, fitted.members)),
            optimizer=settle_optimizer(given).keras,
            loss=loss,
            # Not float64 by itself: Keras cannot train such layers under a penalty.
            dtype="float64" if needs_float64 else "float32",
            l1=float(given["l1"]),
            l2=float(given["l2"]),
        )

    @with_argument_hints
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write this estimator to a file, for `skdense.load`.

        It holds parameters, what training left, and the versions of the libraries, as data: a zip
        of a JSON text and of arrays, which runs no code when it is loaded. The file is replaced at
        once; if writing fails, the old one stays.

        Parameters
        ----------
        path : path-like
            Such as ``"model.skdense"``.

        Raises
        ------
        TypeError
            If a parameter is a function or another object that is no data.
        ValueError
            If a parameter is out of its domain, or attributes are not as a fit leaves them, so
            that the file would not load.
        OSError
            If the file cannot be written.
        """
        save_estimator(copy.copy(self), path)

    @with_argument_hints
    def summary(self, *, expand: bool = False) -> None:
        """Print the columns of a table, the layers of the network, and how many parameters it has.

        Of several networks the layers of one, as all have the same. Every number in a variable of
        the Keras model is a parameter, so that the total is ``to_keras().count_params()``.

        Parameters
        ----------
        expand : bool, default=False
            Whether to print the layers of every network, as ``keras.Model.summary`` does.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        fitted = self._snapshot()._fitted
        if fitted.table:
            for name, becomes in describe_columns(fitted.table, fitted.feature_names):
                print(f"{name}: {becomes}")
        if expand:
            model = build_models(fitted.network, fitted.members, dtype="float32")
            model.summary(expand_nested=True)
        else:
            print(layers_text(fitted.network, fitted.members))

    @property
    def coefs_(self) -> list[Array]:
        """Copy of the kernel of each dense layer, of shape (n_inputs, n_units).

        Of several networks (n_estimators, n_inputs, n_units).
        """
        return self._weights_of_dense("kernel")

    @property
    def intercepts_(self) -> list[Array]:
        """Copy of the bias of each dense layer, of shape (n_units,)."""
        return self._weights_of_dense("bias")

    def _weights_of_dense(self, name: str) -> list[Array]:
        fitted = self._snapshot()._fitted
        members = map(fitted.target.in_own_units, fitted.members)
        arrays = [
            np.stack([own[name] for own in stage_members])
            for stage, *stage_members in zip(fitted.network.stages, *members, strict=True)
            if isinstance(stage, Dense)
        ]
        return arrays if len(fitted.members) > 1 else [array[0] for array in arrays]

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss of each epoch."""
        check_is_fitted(self)
        return self.history_["loss"]

    @property
    def _repr_html_(self) -> Callable[[], str]:
        inner = super()._repr_html_  # an AttributeError where scikit-learn shows text
        return lambda: inner() + self._layers_html()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += self._layers_html()
        return bundle

    def _layers_html(self) -> str:
        if not self.__sklearn_is_fitted__():
            return ""
        fitted = self._snapshot()._fitted
        columns = columns_html(fitted.table, fitted.feature_names) if fitted.table else ""
        return columns + layers_html(fitted.network, fitted.members)

    def __getstate__(self) -> dict[str, Any]:
        return picklable_state(self.__dict__, CONSTRAINTS)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(unpickled_state(state))

    if not TYPE_CHECKING:  # or else every attribute would exist for type checkers

        def __getattr__(self, name: str) -> Any:
            if waits(vars(self), name):
                return read_stored(vars(self), name)
            return super().__getattribute__(name)  # for the usual message, or a property's own

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(vars(self))
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = memo[id(self)] = type(self).__new__(type(self))
        remember_copies(vars(self), memo)
        twin.__dict__.update(copy.deepcopy(vars(self), memo))
        return twin

    def __sklearn_clone__(self) -> Self:
        twin = copy.copy(self)
        for name, value in self.get_params(deep=False).items():
            if holds_objects(value):
                twin.__dict__[name] = Cloned(value)
        clone: Self = super(KerasDenseBase, twin).__sklearn_clone__()
        return clone

    def __sklearn_is_fitted__(self) -> bool:
        return "_fitted" in vars(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        first = (self.input_scaling, self.numeric_embedding, self.learned_scale or None)
        tags.input_tags.sparse = first == (None, None, None)
        return tags
