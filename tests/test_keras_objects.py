"""Keras objects given as parameters: what makes two the same, and that none is shared."""

import copy
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._backend.keras_objects import LossObject, as_activation, loss_name
from skdense._training.program import trace_count

X = np.random.default_rng(0).standard_normal((40, 3))
Y = X[:, 0] + 0.1


class Scaled(keras.losses.Loss):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, y_true, y_pred):
        return keras.ops.mean(self.factor * keras.ops.square(y_true - y_pred), axis=-1)


class Squared(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


@keras.saving.register_keras_serializable("skdense tests")
class Times(keras.losses.Loss):
    def __init__(self, factor=2.0, **settings):
        super().__init__(**settings)
        self.factor = factor

    def call(self, y_true, y_pred):
        return keras.ops.mean(self.factor * keras.ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


def constant_schedule(rate):
    """Define a schedule anew, as running a notebook's cell again does."""

    class Constant(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return keras.ops.convert_to_tensor(rate)

        def get_config(self):
            return {}

    return Constant()


def small(**parameters):
    return KerasDenseRegressor(**{"units": 4, "epochs": 2, "random_state": 0} | parameters)


def traces(*estimators):
    before = trace_count()
    for estimator in estimators:
        estimator.fit(X, Y)
    return trace_count() - before


@pytest.mark.parametrize("place", ["learning_rate", "optimizer"])
def test_schedules_of_the_user_are_used_also_when_defined_anew(place):
    curves = []
    for rate in (1e-6, 0.5):
        schedule = constant_schedule(rate)
        given = schedule if place == "learning_rate" else keras.optimizers.SGD(schedule)
        curves.append(small(**{"optimizer": "sgd", place: given}).fit(X, Y).loss_curve_)
        number = small(optimizer="sgd", learning_rate=rate).fit(X, Y).loss_curve_
        np.testing.assert_allclose(curves[-1], number, rtol=1e-6)
    assert curves[0] != curves[1]


def test_schedule_of_the_user_trains_with_keras_too():
    rates = {"optimizer": keras.optimizers.SGD(constant_schedule(0.5)), "dtype": "float64"}
    ours, keras_own = (small(engine=engine, **rates).fit(X, Y) for engine in ("compiled", "keras"))
    np.testing.assert_allclose(ours.coefs_[0], keras_own.coefs_[0], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sequential", "skdense"])
def test_losses_of_the_user_are_values_of_a_grid(backend):
    # An instance is copied by Keras, which finds registered classes only.
    grid = {"loss": [Squared, Times(2.0), Times(3.0), "mean_squared_error"]}
    with parallel_config(backend=backend):
        search = GridSearchCV(small(), grid, cv=2, scoring="neg_mean_squared_error").fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    alone = [
        cross_val_score(small(loss=loss), X, Y, cv=2, scoring="neg_mean_squared_error").mean()
        for loss in (Squared(), *grid["loss"][1:])
    ]
    np.testing.assert_array_equal(scores, alone)
    assert len({*scores}) == 4


@pytest.mark.parametrize("duplicate", [clone, copy.deepcopy])
def test_copies_of_an_estimator_keep_a_loss_that_keras_cannot_find(duplicate):
    twin = duplicate(small(loss=Scaled(3.0)))
    assert type(twin.loss) is Scaled
    assert twin.loss.factor == 3


@pytest.mark.slow
def test_changing_a_loss_after_a_fit_changes_no_other_fit():
    loss = Scaled(1.0)
    small(loss=loss).fit(X, Y)
    loss.factor = 100.0
    again = small(loss=Scaled(1.0), units=5).fit(X, Y)
    assert again.loss_curve_[0] < 10
    assert small(loss=loss).fit(X, Y).loss_curve_[0] > 10


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2.0, tf.constant(2.0), np.array([2.0])], ids=type)
def test_equal_losses_share_a_program(factor):
    one, other = (small(loss=Scaled(factor), dtype="float32") for _ in range(2))
    assert traces(one, other) == 1


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_loss_is_what_its_variable_is_now(engine):
    factor = tf.Variable(1.0)

    def scaled(y, outputs):
        return factor * tf.reduce_mean((y - outputs) ** 2, axis=-1)

    network = small(loss=scaled, engine=engine, dtype="float32", learning_rate=1e-7, l2=0.0)
    one = network.fit(X, Y).loss_curve_[0]
    factor.assign(3.0)
    assert network.fit(X, Y).loss_curve_[0] == pytest.approx(3 * one, rel=1e-4)


def test_losses_with_other_large_arrays_do_not_share_a_program():
    one, other = (LossObject.of(Scaled(np.r_[np.zeros(5000), end])) for end in (1.0, 2.0))
    assert one != other


@pytest.mark.slow
def test_clones_of_a_partial_activation_share_a_program():
    leaky = functools.partial(keras.activations.leaky_relu, negative_slope=0.1)
    estimator = small(activation=leaky)
    assert traces(estimator, clone(estimator), clone(estimator)) == 1
    layer = small(activation=keras.layers.LeakyReLU(negative_slope=0.1)).fit(X, Y)
    np.testing.assert_allclose(estimator.predict(X), layer.predict(X), rtol=1e-6)


def test_functions_of_keras_are_what_they_are_and_not_their_names():
    assert as_activation(keras.activations.gelu) == "gelu"
    assert as_activation(keras.ops.gelu) is keras.ops.gelu  # approximate, unlike the name
    assert as_activation(keras.layers.Softmax()) == "softmax"
    assert np.isfinite(small(activation=keras.ops.sin).fit(X, Y).predict(X)).all()


def test_names_of_losses():
    assert loss_name("mse") == loss_name(keras.losses.MeanSquaredError) == "mean_squared_error"
    assert loss_name(LossObject.of(keras.losses.KLDivergence())) == "kl_divergence"
    assert loss_name(Scaled(1.0)) is None


def test_keras_model_follows_the_fit_and_not_later_parameters():
    fitted = KerasDenseClassifier(units=4, epochs=2, random_state=0).fit(X, Y > 0)
    fitted.set_params(output_activation="softmax", loss="mse", optimizer="no such optimizer")
    model = fitted.to_keras()
    assert model.loss == "binary_crossentropy"
    assert model.output_shape == (None, 1)


def test_copies_of_weights_are_handed_out():
    fitted = small().fit(X, Y)
    before = fitted.predict(X)
    for array in (*fitted.coefs_, *fitted.intercepts_):
        array[:] = 0
    np.testing.assert_array_equal(fitted.predict(X), before)


def test_weights_excluded_from_decay_are_refused():
    optimizer = keras.optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    with pytest.raises(ValueError, match=r"optimizer must .* Got one after exclude_from"):
        small(optimizer=optimizer).fit(X, Y)


def test_wrapped_optimizers_are_refused():
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match=r"optimizer must have a learning rate .* Got LossScale"):
        small(optimizer=optimizer).fit(X, Y)


def test_initializer_classes_are_built():
    as_class = small(kernel_initializer=keras.initializers.HeNormal).fit(X, Y)
    as_name = small(kernel_initializer="he_normal").fit(X, Y)
    np.testing.assert_array_equal(as_class.predict(X), as_name.predict(X))


def test_a_float64_memory_map_trains_without_being_read_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "X.npy"
    np.save(path, np.tile(X, (5, 1)))
    mapped = np.load(path, mmap_mode="r")
    seen = []
    train = "skdense._estimators.fitting.train"
    monkeypatch.setattr(train, lambda tasks: seen.append(tasks) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        small().fit(mapped, np.tile(Y, 5))
    [[task]] = seen
    assert np.shares_memory(task.X, mapped)
    assert task.dtype == "float32"
