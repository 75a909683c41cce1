"""A stage that only this file knows: all that a network of it can do follows from one class."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.network import fit_weights, start_weights
from skdense._networks.stages import STAGES, Stage
from skdense._networks.stages.stage import Kind, WeightSpec, is_size, require_width
from skdense._problem import problem
from skdense._training.program import trace_count

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)

X = RNG.standard_normal((90, 4)) * [1, 5, 0.2, 1] + [0, 3, -1, 8]
Y = (X - [0, 3, -1, 8]) @ [1.0, -0.2, 4.0, 0.5]
CLASSES = np.digitize(Y, [-0.5, 0.5])
SETTINGS = {"units": 5, "depth": 1, "epochs": 4, "batch_size": 16, "random_state": 0}
SETTINGS |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before


@keras.saving.register_keras_serializable("skdense_tests")
class CentredLayer(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=shape[1:], name="the_factor")
        self.shift = self.add_weight(shape=shape[1:], name="shift")
        self.median = self.add_weight(shape=shape[1:], name="median", trainable=False)

    def call(self, x):
        return (x - self.median) * self.factor + self.shift


@dataclass(frozen=True)
class Centred(Stage):
    """Columns less their medians, times a learned factor."""

    n_columns: int

    def width_out(self, width_in: int) -> int:
        require_width(self.n_columns, width_in)
        return width_in

    @property
    def description(self) -> str:
        return f"Centred, {self.n_columns} columns"

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        shape = (self.n_columns,)
        trained = {"the_factor": WeightSpec(shape), "shift": WeightSpec(shape)}
        return trained | {"median": WeightSpec(shape, Kind.FITTED)}

    @property
    def is_sound(self) -> bool:
        return is_size(self.n_columns)

    def start(self, draw: Any) -> Any:
        # In another order than they are listed.
        return {"shift": np.zeros(self.n_columns), "the_factor": np.full(self.n_columns, 0.5)}

    def fit(self, x: Any, sample_weight: Any) -> Any:
        rows = x if sample_weight is None else x[sample_weight > sample_weight.mean()]
        return {"median": np.median(rows, axis=0)}

    def forward(self, x: Any, weights: Any) -> Any:
        return (x - weights["median"]) * weights["the_factor"] + weights["shift"]

    def trace(self, x: Any, weights: Any, batch: Any) -> Any:
        centred = (x - weights["median"][:, None]) * weights["the_factor"][:, None]
        return centred + weights["shift"][:, None], {}

    def keras_layers(self, settings: Any) -> Sequence[Any]:
        return [CentredLayer(dtype=settings.dtype, name=settings.name)]

    def onnx_graph(self, ops: Any, weights: Any, x: Any) -> Any:
        return ops.Add(
            ops.Mul(ops.Sub(x, weights["median"]), weights["the_factor"]), weights["shift"]
        )


@pytest.fixture(autouse=True)
def first_stage(monkeypatch):
    """Have every network begin with the stage; files know it by its one registration."""

    def resolve(n_inputs, *others, **layers):
        network = usual(n_inputs, *others, **layers)
        return replace(network, stages=(Centred(n_inputs), *network.stages))

    usual = problem.resolve_network
    monkeypatch.setattr(problem, "resolve_network", resolve)
    monkeypatch.setitem(STAGES, "Centred", Centred)


def regressor(**changes):
    return KerasDenseRegressor(**SETTINGS | changes)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_fitted_to_the_rows_and_trained_alike_by_both_engines(dtype):
    compiled = regressor(dtype=dtype, l1=0.01).fit(X, Y)
    by_keras = regressor(dtype=dtype, l1=0.01, engine="keras").fit(X, Y)
    stage = compiled._fitted.members[0][0]
    assert_allclose(stage["median"], np.median(X, axis=0), rtol=1e-6)
    assert not np.allclose(stage["the_factor"], 0.5)
    tolerance = 1e-5 if dtype == "float32" else 1e-9
    for own, theirs in zip(compiled._fitted.members[0], by_keras._fitted.members[0], strict=True):
        for name, array in own.items():
            assert_allclose(array, theirs[name], rtol=tolerance, atol=tolerance, err_msg=name)


def test_other_rows_are_fitted_anew_by_the_same_program():
    regressor().fit(X, Y)
    before = trace_count()
    other = regressor().fit(X[::-1] + 1, Y)
    assert trace_count() == before
    assert_allclose(other._fitted.members[0][0]["median"], np.median(X + 1, axis=0), rtol=1e-6)


def test_weights_of_rows_and_held_out_rows_count():
    weights = np.where(np.arange(90) < 30, 1.0, 1e-9)
    weighted = regressor(epochs=1).fit(X, Y, sample_weight=weights)
    assert_allclose(weighted._fitted.members[0][0]["median"], np.median(X[:30], axis=0), rtol=1e-6)
    watched = regressor(validation_fraction=0.3).fit(X, Y)
    kept = np.delete(X, watched.validation_indices_, axis=0)
    assert_allclose(watched._fitted.members[0][0]["median"], np.median(kept, axis=0), rtol=1e-6)


def test_rows_pass_only_the_stages_before_the_last_that_is_fitted(monkeypatch):
    network = regressor().fit(X, Y)._fitted.network
    monkeypatch.setattr(Centred, "forward", lambda *_: pytest.fail("rows were copied in vain"))
    weights = start_weights(network, SimpleNamespace(kernel=np.zeros))
    assert_array_equal(fit_weights(network, weights, X, None)[0]["median"], np.median(X, axis=0))


def test_penalties_and_coefs_are_of_dense_layers_only():
    network = regressor().fit(X, Y)
    assert [kernel.shape for kernel in network.coefs_] == [(4, 5), (5, 1)]
    assert [bias.shape for bias in network.intercepts_] == [(5,), (1,)]
    assert len(network._fitted.network.penalised(network._fitted.members[0])) == 2


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_training_goes_on_with_what_was_fitted(engine):
    network = regressor(engine=engine, warm_start=True).fit(X, Y)
    fitted = network._fitted.members[0][0]["median"]
    network.fit(X + 1, Y)
    assert_array_equal(network._fitted.members[0][0]["median"], fitted)
    chunks = regressor(engine=engine).partial_fit(X[:40], Y[:40]).partial_fit(X[40:], Y[40:])
    assert_allclose(chunks._fitted.members[0][0]["median"], np.median(X[:40], axis=0), rtol=1e-6)


def test_early_stopping_and_callbacks_see_it():
    seen = []

    class Looks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.get_weights())

    network = regressor(callbacks=Looks(), early_stopping=True).fit(X, Y)
    plain = regressor(early_stopping=True).fit(X, Y)
    assert network.history_ == plain.history_
    assert_array_equal(network.predict(X), plain.predict(X))
    assert [array.shape for array in seen[-1]] == [(4,), (4,), (4,), (4, 5), (5,), (5, 1), (1,)]


@pytest.mark.parametrize("kind", [KerasDenseRegressor, KerasDenseClassifier])
def test_everything_that_a_network_becomes_has_it(kind, tmp_path):
    y = Y if kind is KerasDenseRegressor else CLASSES
    network = kind(**SETTINGS).fit(X, y)
    rows = np.float32(X)
    expected = getattr(network, "predict_proba", network.predict)(rows)

    def answers(estimator):
        return getattr(estimator, "predict_proba", estimator.predict)(rows)

    model = network.to_keras()
    assert_allclose(np.squeeze(model(rows)), expected, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_array_equal(loaded(rows), model(rows))
    assert_array_equal(answers(pickle.loads(pickle.dumps(network))), expected)  # noqa: S301 - its own
    network.save(tmp_path / "network.skdense")
    assert_array_equal(answers(skdense.load(tmp_path / "network.skdense")), expected)
    session = onnxruntime.InferenceSession(skdense.to_onnx(network, rows).SerializeToString())
    *_, outputs = session.run(None, {session.get_inputs()[0].name: rows})
    assert_allclose(np.reshape(outputs, expected.shape), expected, rtol=1e-4, atol=1e-5)
    assert "Centred, 4 columns" in network._repr_html_()
    assert clone(network).get_params() == network.get_params()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_files_keep_the_optimizer_of_either_engine(engine, tmp_path):
    network = regressor(engine=engine).fit(X, Y)
    network.save(tmp_path / "network.skdense")
    twin = skdense.load(tmp_path / "network.skdense")
    assert_array_equal(twin.partial_fit(X, Y).predict(X), network.partial_fit(X, Y).predict(X))


def test_files_with_a_stage_that_no_fit_makes_are_refused(tmp_path):
    network = regressor().fit(X, Y)
    network._fitted.members[0][0]["median"] = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="weights of Centred"):
        network.save(tmp_path / "network.skdense")
