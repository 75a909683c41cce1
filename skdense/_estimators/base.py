"""What both estimators share: fit as a short story, the Keras view, scikit-learn's duties."""

from __future__ import annotations

import copy
import os
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from .._backend.keras_objects import ActivationFunction
from .._backend.loading import require_eager
from .._files.pickling import picklable_state, read_stored, unpickled_state, waits
from .._files.saving import save_estimator
from .._networks.forward import forward
from .._networks.html import layers_html
from .._networks.keras_view import build_compiled_model, build_model
from .._networks.network import Network, Weights
from .._networks.stages import Dense
from .._problem.caller import is_one_of_many_fits, warn_of_interruption
from .._problem.constraints import CONSTRAINTS, checked_parameters
from .._problem.cross_checks import check_agreement, validation_share
from .._problem.data_checks import check_prediction_data, warn_about_scale
from .._problem.labels import Labels
from .._problem.output_layer import Head
from .._problem.parameters import draw_seed
from .._problem.rows import Rows, hold_out
from .._problem.targets import Target
from .._problem.tasks import make_task, precision_to_read, resolve_optimizer, resolve_output
from .._problem.warm_start import (
    KEPT_PARAMETERS,
    Memory,
    fingerprint,
    going_on,
    joined,
    kept_state,
    starting_state,
)
from .._training.engines import train
from .._training.task import Draw, EpochListener, TrainingResult, TrainingState, generator
from .copies import Cloned, holds_objects, remember_copies, replaced_at_once
from .sklearn_bases import BaseEstimator, CallbackSupportMixin
from .sklearn_callbacks import ReportedFit

Array = NDArray[Any]


class KerasDenseBase(CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of the dense networks; a subclass says what y is and what the outputs mean."""

    _network: Network
    _weights: Weights
    _target: Target
    _memory: Memory
    _fit_parameters: dict[str, Any]  # as they were; set_params may change the estimator's
    _labels: Labels | None = None  # of a classifier
    # Parameters, which the constructors of the estimators set.
    epochs: int
    random_state: Any
    refit_full: bool
    scoring: Any
    warm_start: bool
    history_: dict[str, list[float]]
    n_iter_: int
    best_epoch_: int

    @abstractmethod
    def _read(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        precision: str,
        *,
        reset: bool,
        least: int = 1,
        suffix: str = "",
    ) -> Rows:
        """Validate data of at least so many rows, and turn y into numbers.

        Numbers of X that are neither in float32 nor in float64 become those of `precision`. With
        `reset`, set the attributes that describe the data; else hold it against them. The suffix
        of the arguments' names is for messages.
        """

    def _require_trainable(self, rows: Rows, *, is_new: bool) -> None:
        """Raise ValueError if these rows cannot train a network, new or not."""

    @abstractmethod
    def _settle_head(self, output_activation: ActivationFunction, loss: Any) -> Head:
        """Return the output's activation and the loss, deciding where they are "auto"."""

    @abstractmethod
    def _make_target(self, rows: Rows, head: Head) -> Target:
        """Return how the numbers of the rows become targets of the network."""

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, sample_weight_val: Any
    ) -> Self:
        parameters = checked_parameters(self)
        check_agreement(parameters, X_val, y_val, sample_weight_val)
        share = validation_share(parameters) if X_val is None else None
        report = ReportedFit(self, int(self.epochs), X, y, sample_weight)
        with replaced_at_once(self) as twin:
            report.is_of(twin)
            held_out = X_val, y_val, sample_weight_val
            twin._fit_in_place(X, y, sample_weight, held_out, share, report)
            report.fit_ended()
        return self

    def _fit_in_place(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        given: tuple[Any, Any, Any],
        share: float | None,
        report: ReportedFit,
    ) -> None:
        """Fit, and watch a share of the rows or those that were given."""
        start = starting_state(self) if self.warm_start else None
        seed = self._memory.seed if start else draw_seed(self.random_state)
        precision = precision_to_read(self, X, sample_weight, share)
        rows = self._read(X, y, sample_weight, precision, reset=start is None, least=2)
        self._require_trainable(rows, is_new=start is None)
        if start:
            report.goes_on_from(self.history_)
        used, held_out = rows, self._read_held_out(*given, precision)
        if share is not None:
            used, held_out = hold_out(rows, share, generator(seed, Draw.SPLIT), self._labels)
            self.validation_indices_ = held_out.index
        was_interrupted = self._train(
            used, held_out, seed, start, epochs=int(self.epochs), listener=report.listener
        )
        if self.refit_full and not was_interrupted:
            everything = rows.followed_by(held_out) if share is None and held_out else rows
            was_interrupted = self._train_again(everything, seed)
        if was_interrupted:
            warn_of_interruption(self.n_iter_)

    def _read_held_out(
        self, X_val: Any, y_val: Any, sample_weight_val: Any, precision: str
    ) -> Rows | None:
        self.__dict__.pop("validation_indices_", None)  # of an earlier fit
        if X_val is None:
            return None
        return self._read(X_val, y_val, sample_weight_val, precision, reset=False, suffix="_val")

    def _partial_fit(self, rows: Rows) -> None:
        start = starting_state(self)
        seed = self._memory.seed if start else draw_seed(self.random_state)
        self._train(rows, None, seed, start, epochs=1, is_chunk=True)

    def _train(
        self,
        rows: Rows,
        held_out: Rows | None,
        seed: int,
        start: TrainingState | None,
        *,
        epochs: int,
        listener: EpochListener | None = None,
        is_chunk: bool = False,
        is_again: bool = False,
    ) -> bool:
        """Train on some rows, of a chunk or once again; returns whether Ctrl-C ended it."""
        require_eager()
        mean_weight = self._memory.mean_weight if start and is_chunk else rows.mean_weight()
        rows = rows.weighing(mean_weight)
        head = self._settle_head(*resolve_output(self))
        target = self._target if start else self._make_target(rows, head)
        watched = fingerprint(held_out, self.scoring) if self.warm_start else ""
        goes_on = partial(going_on, start, self, head, watched) if start else None
        task = make_task(
            self,
            target,
            head,
            rows,
            held_out,
            goes_on,
            seed=seed,
            epochs=epochs,
            is_chunk=is_chunk,
        )
        task = replace(task, listener=listener, callbacks=() if is_again else task.callbacks)
        if not (start or is_again):
            warn_about_scale(rows.X, getattr(self, "feature_names_in_", None))
        # Before training, since scorers and callbacks judge a copy of this estimator.
        self._target, self._network, self.n_outputs_ = target, task.network, task.network.n_outputs
        self._remember_parameters()
        [result] = train([task])
        self._take_over(result, self.history_ if start else {})
        state = kept_state(result, is_watched_on=bool(self.warm_start))
        self._memory = Memory(seed, task.batch_size, task.dtype, mean_weight, watched, state)
        return result.was_interrupted

    def _take_over(self, result: TrainingResult, history: dict[str, list[float]]) -> None:
        """Set the attributes of a training that adds to this history."""
        self._weights = result.weights
        self.history_ = joined(history, result.history)
        self.n_iter_ = len(self.history_["loss"])
        self.best_epoch_ = result.best_epoch
        self.engine_ = result.engine

    def _train_again(self, rows: Rows, seed: int) -> bool:
        """Train anew on all rows, for the best number of epochs; what was watched stays.

        Returns whether Ctrl-C ended it; the watched network then stays too.
        """
        watched = {name: getattr(self, name) for name in ("history_", "n_iter_", "best_epoch_")}
        before = vars(self).copy()
        try:
            epochs = self.best_epoch_
            was_interrupted = self._train(rows, None, seed, None, epochs=epochs, is_again=True)
        except KeyboardInterrupt:
            if is_one_of_many_fits():
                raise
            was_interrupted = True
        self.__dict__.update(before if was_interrupted else watched)
        return was_interrupted

    def _take_network(self, network: Network, weights: Weights, target: Target) -> Self:
        """Become fitted by a network that was trained elsewhere."""
        self._target, self._network, self._weights = target, network, weights
        self.n_features_in_, self.n_outputs_ = network.n_inputs, network.n_outputs
        self.history_, self.n_iter_, self.best_epoch_ = {"loss": []}, 0, 0
        self.engine_ = "keras"
        self._remember_parameters()
        seed = draw_seed(self.random_state)
        dtype = str(weights[-1]["kernel"].dtype)
        self._memory = Memory(seed, None, dtype, 1.0, "", None)
        return self

    def _remember_parameters(self) -> None:
        self._fit_parameters = {name: getattr(self, name, None) for name in KEPT_PARAMETERS}

    def _settle_head_of_fit(self) -> Head:
        return self._settle_head(*resolve_output(SimpleNamespace(**self._fit_parameters)))

    def _snapshot(self) -> Self:
        """Return this fit, for methods that read several of its attributes.

        Another thread may fit anew between two of them.
        """
        if "_weights" not in self.__dict__:
            check_is_fitted(self)
        if waits(self.__dict__, "_network"):
            read_stored(self.__dict__, "_network")  # once, not for each snapshot
        return copy.copy(self)

    def _outputs(self, X: Any, *, activate: bool = True) -> Array:
        X = check_prediction_data(self, X)
        return forward(self._network, self._weights, X, activate=activate)

    def to_keras(self) -> Any:
        """Return the trained network as a Keras model.

        Returns
        -------
        keras.Sequential
            Compiled with this estimator's optimizer and loss. A classifier's model gives the
            outputs that `predict_proba` is made from, a regressor's gives predictions in the
            target's own units. In float32 unless this estimator has ``dtype="float64"``, or
            float32 cannot hold those numbers.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        fitted = self._snapshot()
        fitted_with = SimpleNamespace(**fitted._fit_parameters)
        needs_float64 = fitted_with.dtype == "float64" or fitted._target.needs_float64
        return build_compiled_model(
            fitted._network,
            fitted._weights_in_own_units(),
            optimizer=resolve_optimizer(fitted_with).keras,
            loss=fitted._settle_head_of_fit().loss,
            # Not float64 by itself: Keras cannot train such layers under a penalty.
            dtype="float64" if needs_float64 else "float32",
            l1=float(fitted_with.l1),
            l2=float(fitted_with.l2),
        )

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

    def summary(self) -> None:
        """Print the layers and numbers of parameters, as Keras does."""
        fitted = self._snapshot()
        build_model(fitted._network, fitted._weights, dtype="float32").summary()

    def _weights_in_own_units(self) -> Weights:
        fitted = self._snapshot()
        return fitted._target.in_own_units(fitted._weights)

    @property
    def coefs_(self) -> list[Array]:
        """Copy of the kernel of each dense layer, of shape (n_inputs, n_units)."""
        return self._weights_of_dense("kernel")

    @property
    def intercepts_(self) -> list[Array]:
        """Copy of the bias of each dense layer, of shape (n_units,)."""
        return self._weights_of_dense("bias")

    def _weights_of_dense(self, name: str) -> list[Array]:
        fitted = self._snapshot()
        pairs = zip(fitted._network.stages, fitted._weights_in_own_units(), strict=True)
        return [own[name].copy() for stage, own in pairs if isinstance(stage, Dense)]

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
        fitted = self._snapshot()
        return layers_html(fitted._network, fitted._weights)

    def __getstate__(self) -> dict[str, Any]:
        names = (*CONSTRAINTS, "_network", "_fit_parameters")
        return picklable_state(self.__dict__, names)

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
        return hasattr(self, "_weights")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
