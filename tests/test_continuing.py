"""Going on with a network: ``warm_start`` and ``partial_fit``."""

import copy
import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import log_loss

from skdense import KerasDenseClassifier, KerasDenseRegressor, KerasTabularClassifier
from skdense._training.program import trace_count

optimizers = keras.optimizers

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 6))
NUMBERS = 300 + 40 * (X @ RNG.standard_normal(6) + 0.3 * RNG.standard_normal(90))
NOISE = RNG.standard_normal(90)
CLASSES = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])]
LABELS = (X[:, :3] > 0).astype(int)
WEIGHTS = RNG.integers(1, 5, 90)

# Every architecture compiles a program: most tests share these two.
SMALL = {"units": 8, "depth": 1, "batch_size": 16, "epochs": 3, "random_state": 0}
SMALL |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
CLASSIFIER = KerasDenseClassifier(**SMALL, dropout=0.2, batch_normalization=True)
REGRESSOR = KerasDenseRegressor(**SMALL)
# Keeps weights as they are, so that the loss of an epoch is that of the weights at hand.
FROZEN = clone(REGRESSOR).set_params(learning_rate=1e-30)

DECAY = optimizers.schedules.ExponentialDecay(0.05, decay_steps=4, decay_rate=0.7)
OPTIMIZERS = {
    "sgd_momentum": optimizers.SGD(0.05, momentum=0.9),
    "rmsprop": "rmsprop",
    "adam": "adam",
    "amsgrad": optimizers.Adam(0.01, amsgrad=True),
    "nadam": "nadam",
}


def flat_weights(estimator):
    return [array for stage in estimator._fitted.members[0] for array in stage.values()]


def outputs(estimator, X=X):
    is_classifier = isinstance(estimator, KerasDenseClassifier)
    return estimator.predict_proba(X) if is_classifier else estimator.predict(X)


def assert_same(one, other, tolerance=0.0):
    """Compare all that a training leaves; without a tolerance bit for bit."""
    pairs = list(zip(flat_weights(one), flat_weights(other), strict=True))
    assert one.history_.keys() == other.history_.keys()
    pairs += [(values, other.history_[name]) for name, values in one.history_.items()]
    for own, others in [*pairs, (outputs(one), outputs(other))]:
        assert_allclose(own, others, rtol=tolerance, atol=tolerance)
    assert (one.n_iter_, one.best_epoch_) == (other.n_iter_, other.best_epoch_)


def unpickled(estimator):
    return pickle.loads(pickle.dumps(estimator))  # noqa: S301 - it is this test's own


def warm(estimator, **parameters):
    return clone(estimator).set_params(warm_start=True, **parameters)


def in_two_fits(estimator, *data):
    return warm(estimator).fit(*data).fit(*data)


def in_one_fit(estimator, *data):
    return clone(estimator).set_params(epochs=2 * estimator.epochs).fit(*data)


def assert_unchanged(estimator, match, method, *data, **keywords):
    """Expect a ValueError after which the estimator is what it was, and still predicts so."""
    before = vars(estimator).copy()
    expected = outputs(estimator)
    with pytest.raises(ValueError, match=match):
        getattr(estimator, method)(*data, **keywords)
    assert vars(estimator) == before
    assert_array_equal(outputs(estimator), expected)


def keras_model(estimator, optimizer):
    """Build the network by hand, with the weights of a regressor that is fitted."""
    model = keras.Sequential(
        [keras.Input((X.shape[1],)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    model.set_weights([array for pair in pairs for array in pair])
    model.compile(optimizer, "mse")
    return model


def plain(optimizer="adam", **parameters):
    """Return a regressor that does nothing that a Keras model of two layers would not do."""
    network = clone(REGRESSOR).set_params(standardize_target=False, shuffle=False)
    return network.set_params(optimizer=optimizer, **parameters)


def train_by_hand(model, epochs=3):
    model.fit(X, NOISE, batch_size=16, epochs=epochs, shuffle=False, verbose=0)
    return model.predict(X, verbose=0)[:, 0]


# --- warm_start: as one long fit -----------------------------------------------------------

LONG_FITS = {
    "as it is": (CLASSIFIER, {}, CLASSES),
    "weights": (CLASSIFIER, {}, CLASSES, WEIGHTS),
    "unshuffled": (CLASSIFIER, {"shuffle": False}, CLASSES),
    "schedule": (CLASSIFIER, {"learning_rate": DECAY}, CLASSES),
    "validation": (CLASSIFIER, {"validation_fraction": 0.2}, CLASSES, WEIGHTS),
    "early stopping": (CLASSIFIER, {"early_stopping": True}, CLASSES),
    "scored": (CLASSIFIER, {"early_stopping": True, "scoring": "accuracy"}, CLASSES),
    "numbers": (REGRESSOR, {}, NUMBERS, WEIGHTS),
}
MORE_LONG_FITS = {
    **{name: (CLASSIFIER, {"optimizer": rule}, CLASSES) for name, rule in OPTIMIZERS.items()},
    "float64": (CLASSIFIER, {"dtype": "float64"}, CLASSES, WEIGHTS),
    "labels": (CLASSIFIER, {}, LABELS),
    "validated labels": (CLASSIFIER, {"early_stopping": True}, LABELS),
    "validated numbers": (REGRESSOR, {"validation_fraction": 0.2}, NUMBERS),
    "two numbers": (REGRESSOR, {}, np.column_stack([NUMBERS, NOISE])),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG_FITS)
def test_two_fits_are_one_long_fit(name):
    network, changes, *rest = LONG_FITS[name]
    network = clone(network).set_params(**changes)
    assert_same(in_two_fits(network, X, *rest), in_one_fit(network, X, *rest))


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE_LONG_FITS)
def test_more_two_fits_are_one_long_fit(name):
    network, changes, *rest = MORE_LONG_FITS[name]
    network = clone(network).set_params(**changes)
    assert_same(in_two_fits(network, X, *rest), in_one_fit(network, X, *rest))


def test_three_fits_of_different_lengths_are_one_long_fit():
    network = warm(CLASSIFIER, early_stopping=True, patience=50)
    for epochs in (1, 5, 2):
        network.set_params(epochs=epochs).fit(X, CLASSES)
    assert_same(network, clone(network).set_params(epochs=8).fit(X, CLASSES))


def test_steps_are_counted_without_end():
    network = warm(REGRESSOR).fit(X, NUMBERS)
    state = network._fitted.states[0]
    losses = []
    for n_steps in (2**31 - 3, 2**40):
        later = replace(state, optimizer=replace(state.optimizer, n_steps=n_steps))
        twin = copy.copy(network)
        twin._fitted = replace(network._fitted, states=(later,))
        losses.append(twin.fit(X, NUMBERS).loss_curve_)
        assert twin._fitted.states[0].optimizer.n_steps == n_steps + 3 * 6
    assert losses[0] == losses[1]


def test_the_drawn_seed_of_the_first_fit_goes_on(monkeypatch):
    network = clone(CLASSIFIER).set_params(random_state=None)
    monkeypatch.setattr(np.random.mtrand, "_rand", np.random.RandomState(3))
    twice = in_two_fits(network, X, CLASSES)
    monkeypatch.setattr(np.random.mtrand, "_rand", np.random.RandomState(3))
    assert_same(twice, in_one_fit(network, X, CLASSES))


def test_another_random_state_between_the_fits_changes_nothing():
    twice = warm(CLASSIFIER).fit(X, CLASSES).set_params(random_state=9).fit(X, CLASSES)
    assert_same(twice, in_one_fit(CLASSIFIER, X, CLASSES))


@pytest.mark.parametrize("copied", [unpickled, copy.deepcopy], ids=["pickle", "copy"])
@pytest.mark.parametrize("changes", [{}, {"early_stopping": True}], ids=["plain", "watched"])
def test_a_copy_goes_on_as_the_original(copied, changes):
    network = clone(CLASSIFIER).set_params(**changes)
    once = warm(network).fit(X, CLASSES)
    twice = copied(once).fit(X, CLASSES)
    assert once.n_iter_ == 3
    assert_same(twice, in_one_fit(network, X, CLASSES))


KERAS_FITS = {
    "sgd_momentum": {"optimizer": OPTIMIZERS["sgd_momentum"]},
    "nadam": {"optimizer": "nadam"},
    "only in Keras": {"optimizer": optimizers.Adagrad(0.05)},
    "schedule": {"learning_rate": DECAY},
    "normalization": {"batch_normalization": True, "validation_fraction": 0.2},
    "dropout": {"dropout": 0.5},
}


@pytest.mark.slow
@pytest.mark.parametrize("changes", KERAS_FITS.values(), ids=KERAS_FITS)
def test_two_fits_are_one_long_fit_on_the_keras_engine(changes):
    network = clone(REGRESSOR).set_params(engine="keras", **changes)
    twice, once = in_two_fits(network, X, NUMBERS), in_one_fit(network, X, NUMBERS)
    assert twice.engine_ == "keras"
    assert_same(twice, once, tolerance=1e-6)


# --- warm_start: what may change -----------------------------------------------------------


@pytest.mark.parametrize(
    "engine", ["compiled", pytest.param("keras", marks=pytest.mark.slow)], ids=str
)
def test_another_learning_rate_goes_on_as_in_keras(engine):
    initializer = keras.initializers.GlorotUniform(seed=3)
    network = warm(plain(kernel_initializer=initializer, engine=engine))
    network.set_params(learning_rate=0.05).fit(X, NOISE)
    n_traces = trace_count()
    network.set_params(learning_rate=0.004).fit(X, NOISE)
    assert trace_count() == n_traces
    assert network.n_iter_ == 6
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, "relu", kernel_initializer=initializer),
            keras.layers.Dense(1, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizers.Adam(0.05), "mse")
    train_by_hand(model)
    model.optimizer.learning_rate = 0.004
    assert_allclose(network.predict(X), train_by_hand(model), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rates", [(0.01, DECAY), (DECAY, 0.01)], ids=["to", "from"])
def test_schedules_come_and_go_alike_on_both_engines(rates):
    fits = []
    for engine in ("compiled", "keras"):
        network = warm(REGRESSOR, engine=engine, learning_rate=rates[0]).fit(X, NUMBERS)
        fits.append(network.set_params(learning_rate=rates[1]).fit(X, NUMBERS))
    assert_same(*fits, tolerance=2e-5)


def test_what_is_no_structure_may_change():
    network = warm(CLASSIFIER).fit(X, CLASSES)
    n_traces = trace_count()
    network.set_params(dropout=0.7, shuffle=False, epochs=2, learning_rate=0.1).fit(X, CLASSES)
    assert network.n_iter_ == 5
    assert trace_count() == n_traces


@pytest.mark.slow
@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5)], ids=["off", "on"])
def test_dropout_can_be_switched(rates):
    network = warm(REGRESSOR, dropout=rates[0]).fit(X, NUMBERS)
    before = network.predict(X)
    network.set_params(dropout=rates[1], learning_rate=1e-30).fit(X, NUMBERS)
    assert_array_equal(network.predict(X), before)
    squared_error = np.mean((before - NUMBERS) ** 2) / NUMBERS.var()
    is_loss_of_prediction = np.isclose(network.loss_curve_[3:], squared_error, rtol=1e-4)
    assert is_loss_of_prediction.all() == (rates[1] == 0)


@pytest.mark.slow
def test_another_name_of_the_same_loss_is_no_change():
    network = warm(REGRESSOR).fit(X, NUMBERS).set_params(loss="mse").fit(X, NUMBERS)
    assert_same(network, in_one_fit(REGRESSOR, X, NUMBERS))


SWITCHES = {
    "class": (optimizers.SGD(0.05, momentum=0.9), optimizers.Adam(0.01)),
    "more slots": (optimizers.Adam(0.01), optimizers.Adam(0.01, amsgrad=True)),
    "other slots": (
        optimizers.RMSprop(0.01, momentum=0.5),
        optimizers.RMSprop(0.01, centered=True),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize("name", SWITCHES)
def test_another_optimizer_begins_anew_from_the_weights(name, engine):
    first, second = SWITCHES[name]
    network = warm(plain(first, engine=engine)).fit(X, NOISE)
    model = keras_model(network, type(second).from_config(second.get_config()))
    network.set_params(optimizer=second).fit(X, NOISE)
    assert_allclose(network.predict(X), train_by_hand(model), atol=1e-5)
    assert network.n_iter_ == 6


def test_without_warm_start_a_fit_begins_anew():
    network = warm(CLASSIFIER).fit(X, CLASSES).set_params(warm_start=False).fit(X, CLASSES)
    assert_same(network, clone(CLASSIFIER).fit(X, CLASSES))
    assert network.n_iter_ == 3


@pytest.mark.slow
def test_without_warm_start_other_data_are_welcome():
    network = clone(REGRESSOR).fit(X[:, :4], NUMBERS).fit(X, NUMBERS)
    assert network.n_features_in_ == 6
    assert_same(network, clone(REGRESSOR).fit(X, NUMBERS))


# --- warm_start: validation ----------------------------------------------------------------


SHUFFLED = RNG.permutation(CLASSES)  # nothing to learn: soon stopped
STOPPING = warm(CLASSIFIER, early_stopping=True, patience=2, epochs=60, learning_rate=0.05)


def test_after_early_stopping_another_fit_goes_on_and_keeps_the_best_epoch():
    network = clone(STOPPING).fit(X, SHUFFLED)
    n_epochs = [network.n_iter_]
    assert n_epochs[0] < 60
    for _ in range(2):
        network.fit(X, SHUFFLED)
        n_epochs.append(network.n_iter_)
        val_loss = network.history_["val_loss"]
        assert len(val_loss) == len(network.loss_curve_) == network.n_iter_
        assert network.best_epoch_ == np.argmin(val_loss) + 1
        held = network.validation_indices_
        loss_of_prediction = log_loss(SHUFFLED[held], network.predict_proba(X[held]))
        assert loss_of_prediction == pytest.approx(min(val_loss), rel=1e-4)
    assert n_epochs[0] < n_epochs[1] < n_epochs[2]


def test_a_stopped_training_goes_on_from_its_last_epoch():
    network = clone(STOPPING)
    stopped = network.fit(X, SHUFFLED).n_iter_
    network.fit(X, SHUFFLED)
    longer = clone(network).set_params(epochs=network.n_iter_, patience=60).fit(X, SHUFFLED)
    assert stopped < network.n_iter_
    assert_same(network, longer)


@pytest.mark.parametrize("random_state", [4, None])
def test_the_split_stays_the_same(random_state):
    network = warm(CLASSIFIER, validation_fraction=0.2, random_state=random_state)
    held = network.fit(X, CLASSES).validation_indices_
    assert len(held) == 18
    assert_array_equal(network.fit(X, CLASSES).validation_indices_, held)


def test_a_fit_without_validation_has_no_split():
    network = warm(CLASSIFIER, validation_fraction=0.2).fit(X, CLASSES)
    network.set_params(validation_fraction=None).fit(X, CLASSES)
    assert not hasattr(network, "validation_indices_")
    assert_array_equal(np.isnan(network.history_["val_loss"]), [False] * 3 + [True] * 3)


def test_a_further_fit_keeps_mean_and_scale_of_the_target():
    network = clone(FROZEN).set_params(warm_start=True).fit(X, NUMBERS)
    network.fit(X, NUMBERS / 2)
    squared_error = np.mean((network.predict(X) - NUMBERS / 2) ** 2) / NUMBERS.var()
    assert_allclose(network.loss_curve_[3:], squared_error, rtol=1e-4)


# --- warm_start: what may not change -------------------------------------------------------

CONTRADICTIONS = [
    {"units": 9},
    {"depth": 2},
    {"activation": "tanh"},
    {"batch_normalization": True},
    {"loss": "mae"},
    {"output_activation": "tanh"},
    {"standardize_target": False},
]


@pytest.fixture(scope="module")
def fitted_regressor():
    return warm(REGRESSOR).fit(X, NUMBERS)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("change", CONTRADICTIONS, ids=str)
def test_another_network_is_refused(fitted_regressor, change, method):
    network = copy.deepcopy(fitted_regressor).set_params(**change)
    assert_unchanged(network, f"now contradict: .*{next(iter(change))}", method, X, NUMBERS)
    back = {name: getattr(REGRESSOR, name) for name in change}
    assert network.set_params(**back).fit(X, NUMBERS).n_iter_ == 6


RELABELLED = np.where(CLASSES == "c", "d", CLASSES)
OTHER_DATA = {
    "width": (X[:, :5], CLASSES, r"5 features, but .* is expecting 6 features"),
    "class": (X, RELABELLED, r"only classes seen before, \['a', 'b', 'c'\]. Got \['d'\] too"),
    "missing": (X[CLASSES != "c"], CLASSES[CLASSES != "c"], r"Got only \['a', 'b'\]"),
    "labels": (X, LABELS, r"must hold one class for each row. Got shape \(90, 3\)"),
    "one row": (X[:1], CLASSES[:1], "minimum of 2 is required"),
}


@pytest.fixture(scope="module")
def fitted_classifier():
    return warm(CLASSIFIER).fit(X, CLASSES)


@pytest.mark.parametrize("name", OTHER_DATA)
def test_data_of_another_kind_are_refused(fitted_classifier, name):
    other, y, match = OTHER_DATA[name]
    assert_unchanged(fitted_classifier, match, "fit", other, y)


def test_a_class_may_weigh_nothing_in_a_further_fit(fitted_classifier):
    weighted, streamed = copy.deepcopy(fitted_classifier), copy.deepcopy(fitted_classifier)
    kept = CLASSES != "b"
    weighted.fit(X, CLASSES, kept.astype(float))
    for _ in range(3):
        streamed.partial_fit(X[kept], CLASSES[kept])
    assert_same(weighted, streamed)


def test_targets_of_another_width_are_refused(fitted_regressor):
    y = np.column_stack([NUMBERS, NUMBERS])
    assert_unchanged(fitted_regressor, r"y must have 1 column", "fit", X, y)


def test_other_feature_names_are_refused():
    table = pd.DataFrame(X, columns=list("uvwxyz"))
    network = warm(REGRESSOR).fit(table, NUMBERS)
    with pytest.raises(ValueError, match="feature names should match"):
        network.fit(table.rename(columns={"u": "t"}), NUMBERS)
    assert network.n_iter_ == 3
    assert_array_equal(network.feature_names_in_, list("uvwxyz"))


# --- partial_fit: as fit -------------------------------------------------------------------

ALL = np.array(["a", "b", "c"])


def chunks(*arrays, sizes=(40, 1, 30, 19)):
    """Cut arrays into pieces of different lengths."""
    ends = np.cumsum(sizes)
    return [[array[end - n : end] for array in arrays] for n, end in zip(sizes, ends, strict=True)]


@pytest.mark.parametrize(
    ("network", "y", "keywords"),
    [(CLASSIFIER, CLASSES, {"classes": ALL}), (REGRESSOR, NUMBERS, {})],
    ids=["classifier", "regressor"],
)
def test_calls_on_all_data_are_epochs_of_a_fit(network, y, keywords):
    streamed = clone(network)
    for _ in range(3):
        assert streamed.partial_fit(X, y, **keywords) is streamed
    assert_same(streamed, clone(network).fit(X, y))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_calls_on_all_data_are_epochs_of_a_fit_for_labels(dtype):
    streamed = clone(CLASSIFIER).set_params(dtype=dtype)
    for _ in range(3):
        streamed.partial_fit(X, LABELS)
    assert_same(streamed, clone(streamed).fit(X, LABELS))


def test_a_call_after_fit_goes_on():
    network = warm(CLASSIFIER).fit(X, CLASSES).partial_fit(X, CLASSES)
    assert_same(network, clone(CLASSIFIER).set_params(epochs=4).fit(X, CLASSES))


def test_a_fit_with_warm_start_after_calls_goes_on():
    network = warm(CLASSIFIER).partial_fit(X, CLASSES, ALL).fit(X, CLASSES)
    assert_same(network, clone(CLASSIFIER).set_params(epochs=4).fit(X, CLASSES))


def test_fit_after_calls_begins_anew():
    network = clone(CLASSIFIER).partial_fit(X, RELABELLED, ["a", "b", "d"])
    assert_same(network.fit(X, CLASSES), clone(CLASSIFIER).fit(X, CLASSES))
    assert_array_equal(network.classes_, ALL)


def test_sparse_chunks_train_as_dense_ones():
    dense, sparse = clone(CLASSIFIER), clone(CLASSIFIER)
    rows = np.where(X > 0, X, 0)
    for part, y in chunks(rows, CLASSES):
        dense.partial_fit(part, y, ALL)
        sparse.partial_fit(csr_array(part), y, ALL)
    assert_same(sparse, dense)


def test_a_stream_goes_on_after_pickling():
    straight, pickled = clone(CLASSIFIER), clone(CLASSIFIER)
    for part, y in chunks(X, CLASSES):
        straight.partial_fit(part, y, ALL)
        pickled = unpickled(pickled.partial_fit(part, y, ALL))
    assert_same(pickled, straight)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", OPTIMIZERS["sgd_momentum"]])
def test_streams_are_the_same_on_both_engines(optimizer):
    streamed = [
        clone(REGRESSOR).set_params(engine=engine, optimizer=optimizer)
        for engine in ("compiled", "keras")
    ]
    for part, y, weights in chunks(X, NUMBERS, WEIGHTS):
        for network in streamed:
            network.partial_fit(part, y, weights)
    assert_same(*streamed, tolerance=2e-5)


@pytest.mark.parametrize(
    "engine", ["compiled", pytest.param("keras", marks=pytest.mark.slow)], ids=str
)
def test_each_call_has_dropout_of_its_own(engine):
    network = clone(CLASSIFIER).set_params(learning_rate=1e-30, shuffle=False, engine=engine)
    for _ in range(3):
        network.partial_fit(X, CLASSES, ALL)
    assert len(set(network.loss_curve_)) == 3


@pytest.mark.parametrize(
    "network",
    [
        KerasDenseClassifier(n_estimators=2, callbacks=keras.callbacks.Callback()),
        KerasTabularClassifier(callbacks=[keras.callbacks.Callback()]),
    ],
)
def test_streams_of_several_networks_have_no_callbacks(network):
    match = (
        r"callbacks see one network\. Got n_estimators=\d\. Set n_estimators=1, or callbacks=None"
    )
    with pytest.raises(ValueError, match=match):
        network.partial_fit(X, CLASSES, ALL)
    network.set_params(n_estimators=1, units=4, depth=1, dtype="float32")
    assert network.partial_fit(X, CLASSES, ALL).n_iter_ == 1


# --- partial_fit: classes ------------------------------------------------------------------


def test_the_first_call_needs_all_classes():
    network = clone(CLASSIFIER)
    before = vars(network).copy()
    with pytest.raises(ValueError, match=r"first call .* needs all classes .* Got classes=None"):
        network.partial_fit(X, CLASSES)
    with pytest.raises(ValueError, match=r"classes must hold at least 2 labels. Got \['a'\]"):
        network.partial_fit(X, CLASSES, ["a"])
    with pytest.raises(ValueError, match=r"only classes seen before, \['a', 'b'\]. Got \['c'\]"):
        network.partial_fit(X, CLASSES, ["b", "a"])
    assert vars(network) == before


@pytest.fixture(scope="module")
def streamed_classifier():
    return clone(CLASSIFIER).partial_fit(X, CLASSES, ALL)


def test_unknown_labels_are_refused(streamed_classifier):
    assert_unchanged(streamed_classifier, r"Got \['d'\] too", "partial_fit", X, RELABELLED)


@pytest.mark.parametrize("stray", [5, None, np.nan], ids=str)
def test_labels_of_mixed_kinds_are_refused(streamed_classifier, stray):
    y = CLASSES.astype(object)
    y[3] = stray
    match = "y must hold only classes seen before|contains NaN"
    assert_unchanged(streamed_classifier, match, "partial_fit", X, y)


def test_other_classes_are_refused(streamed_classifier):
    match = r"those of the first call, \['a', 'b', 'c'\]. Got \['a', 'b', 'd'\]"
    assert_unchanged(streamed_classifier, match, "partial_fit", X, RELABELLED, ["a", "b", "d"])


def test_known_classes_may_be_repeated_in_any_order():
    network = clone(CLASSIFIER).partial_fit(X, CLASSES, ["c", "a", "b"])
    network.partial_fit(X, CLASSES, ["b", "c", "a"]).partial_fit(X, CLASSES)
    assert_array_equal(network.classes_, ALL)
    assert_same(network, clone(CLASSIFIER).fit(X, CLASSES))


def test_a_chunk_may_hold_one_class_or_one_row():
    network = clone(CLASSIFIER).partial_fit(X[CLASSES == "b"], CLASSES[CLASSES == "b"], ALL)
    network.partial_fit(X[:1], CLASSES[:1]).partial_fit(X[CLASSES == "c"], CLASSES[CLASSES == "c"])
    assert outputs(network).shape == (90, 3)
    assert_allclose(outputs(network).sum(axis=1), 1, rtol=1e-6)
    assert_array_equal(network.classes_, ALL)
    assert network.n_iter_ == network.best_epoch_ == len(network.loss_curve_) == 3


def test_categories_of_pandas_are_classes():
    y = pd.Series(CLASSES, dtype="category")
    network = clone(CLASSIFIER).partial_fit(X, y, classes=y.cat.categories)
    assert_array_equal(outputs(network), outputs(clone(CLASSIFIER).partial_fit(X, CLASSES, ALL)))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize("optimizer", ["adam", OPTIMIZERS["sgd_momentum"]], ids=["adam", "sgd"])
def test_a_chunk_after_a_plain_fit_is_one_more_epoch(optimizer, engine):
    short = clone(REGRESSOR).set_params(optimizer=optimizer, engine=engine)
    long = clone(short).set_params(epochs=4).fit(X, NUMBERS)
    assert_same(copy.deepcopy(short.fit(X, NUMBERS)).partial_fit(X, NUMBERS), long)
    again = pickle.loads(pickle.dumps(clone(short).fit(X, NUMBERS)))  # noqa: S301 - its own
    assert_same(again.partial_fit(X, NUMBERS), long)


def test_a_fit_goes_on_exactly_where_warm_start_is_set_afterwards():
    short = clone(REGRESSOR).fit(X, NUMBERS).set_params(warm_start=True, epochs=1)
    assert_same(short.fit(X, NUMBERS), clone(REGRESSOR).set_params(epochs=4).fit(X, NUMBERS))


def test_a_chunk_after_early_stopping_goes_on_from_the_best_epoch():
    stopped = clone(REGRESSOR).set_params(early_stopping=True, patience=2, epochs=200)
    stopped.set_params(learning_rate=0.1).fit(X, NUMBERS)
    assert stopped.best_epoch_ < stopped.n_iter_
    stopped.set_params(learning_rate=1e-30, early_stopping=False)
    before = stopped.predict(X)
    assert_allclose(stopped.partial_fit(X, NUMBERS).predict(X), before, rtol=1e-6)


def test_only_the_state_of_the_optimizer_is_kept_besides_the_weights():
    network = clone(REGRESSOR).fit(X, NUMBERS)
    weights, state = flat_weights(network), network._fitted.states[0]
    kept = [array for stage in state.weights for array in stage.values()]
    assert all(one is other for one, other in zip(kept, weights, strict=True))
    n_numbers = sum(array.size for array in weights)
    assert sum(slot.size for slots in state.optimizer.slots for slot in slots) == 2 * n_numbers


def test_a_class_weight_counts_as_a_sample_weight():
    by_class = clone(CLASSIFIER).set_params(class_weight={"a": 3.0, "c": 0.5})
    by_row = clone(CLASSIFIER)
    for part, y in chunks(X, CLASSES):
        by_class.partial_fit(part, y, ALL)
        weights = np.select([y == "a", y == "c"], [3.0, 0.5], 1.0)
        by_row.partial_fit(part, y, ALL, weights)
    assert_same(by_class, by_row)


def test_a_class_weight_may_name_a_class_that_no_chunk_has():
    named = clone(CLASSIFIER).set_params(class_weight={"a": 3.0, "b": 1.0, "c": 0.5, "d": 9.0})
    known = clone(CLASSIFIER).set_params(class_weight={"a": 3.0, "b": 1.0, "c": 0.5})
    for part, y in chunks(X, CLASSES):
        assert_same(named.partial_fit(part, y, ALL), known.partial_fit(part, y, ALL))


INTEGERS = pd.array([0, 1, None], "Int64")  # whose gap pandas hands over as nan, before 3 as <NA>


@pytest.mark.parametrize(
    ("classes", "match"),
    [
        ([0.0, 1.0, np.nan], r"classes must hold labels only. Got 1 missing value\(s\), .*nan"),
        (np.array(["a", None], object), r"classes must hold labels only. Got 1 .*None"),
        (INTEGERS, f"classes must hold labels only. Got 1 .*{np.asarray(INTEGERS)[-1]}"),
        ({"a", "b"}, "classes must be an array of labels in one dimension. Got set"),
        ({"a": 1, "b": 2}.keys(), "in one dimension. Got dict_keys"),
        ({"a": 1, "b": 2}.values(), "in one dimension. Got dict_values"),
        ("ab", "in one dimension. Got str"),
        ([["a", "b"]], r"in one dimension. Got shape \(1, 2\)"),
        (np.array(["a", 1], object), "classes must hold labels of one kind.* Got int, str"),
        ([0.5, 1.5], "Unknown label type"),
        (["a", np.nan], r"classes must hold labels only. Got 1 missing value\(s\), .*nan"),
        (["a", 1], "classes must hold labels of one kind.* Got int, str"),
    ],
)
def test_classes_of_a_stream_that_are_no_labels_are_refused_at_the_first_call(classes, match):
    network = clone(CLASSIFIER)
    with pytest.raises(ValueError, match=match):
        network.partial_fit(X, CLASSES, classes=classes)
    assert not hasattr(network, "classes_")


def test_a_stream_may_have_many_classes():
    network = clone(CLASSIFIER).partial_fit(X, np.arange(90) % 30, classes=np.arange(30))
    assert_array_equal(network.classes_, np.arange(30))


def test_class_weights_of_unknown_classes_are_refused(streamed_classifier):
    network = copy.deepcopy(streamed_classifier).set_params(class_weight={"d": 2.0})
    assert_unchanged(network, "class_weight must name classes", "partial_fit", X, CLASSES)


def test_a_chunk_of_classes_without_weight_is_refused(streamed_classifier):
    network = copy.deepcopy(streamed_classifier).set_params(class_weight={"b": 0.0})
    rows = CLASSES == "b"
    assert_unchanged(network, "positive weight", "partial_fit", X[rows], CLASSES[rows])


@pytest.mark.slow
def test_labels_need_no_classes():
    network = clone(CLASSIFIER).partial_fit(X[:1], LABELS[:1])
    network.partial_fit(X, LABELS, classes=[0, 1, 2]).partial_fit(X, csr_array(LABELS))
    assert_array_equal(network.classes_, [0, 1, 2])
    assert network.predict(X).shape == LABELS.shape
    match = r"indicator matrix of 0 and 1 with 3 columns. Got shape \(90, 2\)"
    assert_unchanged(network, match, "partial_fit", X, LABELS[:, :2])
    assert_unchanged(network, "indicator matrix", "partial_fit", X, LABELS + 1)
    assert_unchanged(network, "indicator matrix", "partial_fit", X, CLASSES)


def test_classes_of_labels_are_numbers_of_columns():
    match = r"None or the numbers of the 3 columns of an indicator matrix. Got \['a', 'b', 'c'\]"
    with pytest.raises(ValueError, match=match):
        clone(CLASSIFIER).partial_fit(X, LABELS, classes=["a", "b", "c"])


# --- partial_fit: what the first call settles ----------------------------------------------


def squared_errors(network, rows, y):
    return np.mean((network.predict(rows) - y) ** 2)


def test_mean_and_scale_of_the_first_chunk_hold():
    network = clone(FROZEN).partial_fit(X[:40], NUMBERS[:40]).partial_fit(X[40:], NUMBERS[40:])
    variance = NUMBERS[:40].var()
    errors = [squared_errors(network, X[:40], NUMBERS[:40])]
    errors.append(squared_errors(network, X[40:], NUMBERS[40:]))
    assert_allclose(network.loss_curve_, np.array(errors) / variance, rtol=1e-4)


def test_the_unit_of_weights_is_that_of_the_first_chunk():
    network = clone(FROZEN).partial_fit(X, NUMBERS, np.full(90, 2.0))
    network.partial_fit(X, NUMBERS, np.full(90, 6.0)).partial_fit(X, NUMBERS)
    plain_loss = squared_errors(network, X, NUMBERS) / NUMBERS.var()
    assert_allclose(network.loss_curve_, plain_loss * np.array([1, 3, 1]), rtol=1e-4)


def test_without_weights_in_the_first_chunk_their_unit_is_one():
    network = clone(FROZEN).partial_fit(X, NUMBERS).partial_fit(X, NUMBERS, np.full(90, 6.0))
    assert network.loss_curve_[1] == pytest.approx(6 * network.loss_curve_[0], rel=1e-4)


@pytest.mark.slow
def test_batch_size_and_dtype_of_the_first_chunk_hold():
    many = np.tile(X, (15, 1)).astype(np.float32)
    y = np.tile(NUMBERS, 15)
    auto = clone(REGRESSOR).set_params(batch_size="auto")
    explicit = clone(REGRESSOR).set_params(batch_size=64, dtype="float64")
    for network in (auto, explicit):
        network.partial_fit(X[:20], NUMBERS[:20]).partial_fit(many, y)
    assert_same(auto, explicit)
    assert flat_weights(auto)[0].dtype == np.float64


def test_chunks_of_all_sizes_compile_nothing_after_the_first():
    network = clone(CLASSIFIER).partial_fit(X, CLASSES, ALL)
    n_traces = trace_count()
    for size in np.random.default_rng(1).integers(1, 91, 99):
        network.partial_fit(X[:size], CLASSES[:size])
    assert trace_count() == n_traces
    assert network.n_iter_ == 100


@pytest.mark.slow
@pytest.mark.parametrize(("units", "batch_size"), [(5, "auto"), (6, 128)])
def test_a_small_first_chunk_compiles_no_program_of_its_own(units, batch_size):
    network = clone(CLASSIFIER).set_params(units=units, batch_size=batch_size)
    n_traces = trace_count()
    for size in (10, 90, 70):
        network.partial_fit(X[:size], CLASSES[:size], ALL)
    assert trace_count() - n_traces == 1


@pytest.mark.parametrize("engine", ["compiled", pytest.param("keras", marks=pytest.mark.slow)])
def test_a_batch_size_beyond_all_rows_is_one_batch_a_chunk(engine):
    many = {"X": np.tile(X, (15, 1)), "y": np.tile(NUMBERS, 15)}
    huge, fitting = (
        clone(REGRESSOR).set_params(batch_size=size, engine=engine, dtype="float64")
        for size in (10**12, 90 * 15)
    )
    for network in (huge, fitting):
        network.partial_fit(X[:50], NUMBERS[:50]).partial_fit(**many).partial_fit(X, NUMBERS)
    assert_same(huge, fitting, tolerance=1e-12)


# --- partial_fit: refusals -----------------------------------------------------------------


@pytest.mark.parametrize("is_fitted", [False, True], ids=["unfitted", "fitted"])
@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"early_stopping": True}, "Got early_stopping=True"),
        ({"validation_fraction": 0.1}, "Got validation_fraction=0.1"),
        ({"refit_full": True}, "Got refit_full=True"),
        ({"class_weight": "balanced"}, "Got class_weight='balanced'"),
    ],
    ids=str,
)
def test_what_needs_all_data_is_refused(streamed_classifier, changes, match, is_fitted):
    network = copy.deepcopy(streamed_classifier) if is_fitted else clone(CLASSIFIER)
    before = vars(network.set_params(**changes)).copy()
    with pytest.raises(ValueError, match=match):
        network.partial_fit(X, CLASSES, ALL)
    assert vars(network) == before


BAD_CHUNKS = {
    "width": (X[:, :5], CLASSES, None, r"5 features, but .* is expecting 6 features"),
    "nan": (np.where(X > 2, np.nan, X), CLASSES, None, "X contains NaN"),
    "no rows": (X[:0], CLASSES[:0], None, r"0 sample\(s\).* minimum of 1 is required"),
    "lengths": (X, CLASSES[:5], None, r"inconsistent numbers of samples: \[90, 5\]"),
    "weights": (X, CLASSES, -np.ones(90), "sample_weight must not be negative"),
    "no weight": (X, CLASSES, np.zeros(90), "sample_weight must have a positive value"),
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_bad_chunk_changes_nothing(streamed_classifier, name):
    part, y, weights, match = BAD_CHUNKS[name]
    keywords = {"sample_weight": weights}
    assert_unchanged(streamed_classifier, match, "partial_fit", part, y, **keywords)


def test_a_chunk_that_diverges_changes_nothing():
    network = clone(REGRESSOR).partial_fit(X, NUMBERS)
    assert_unchanged(network, "must stay finite", "partial_fit", X, NUMBERS * 1e30)
    assert network.partial_fit(X, NUMBERS).n_iter_ == 2


def test_targets_of_another_width_in_a_chunk_are_refused():
    network = clone(REGRESSOR).partial_fit(X, NUMBERS)
    assert_unchanged(network, "y must have 1 column", "partial_fit", X, np.ones((90, 2)))


def test_other_feature_names_in_a_chunk_are_refused():
    table = pd.DataFrame(X, columns=list("uvwxyz"))
    network = clone(REGRESSOR).partial_fit(table, NUMBERS)
    for other in (table.rename(columns={"u": "t"}), table[list("zyxwvu")]):
        with pytest.raises(ValueError, match="feature names"):
            network.partial_fit(other, NUMBERS)
    assert network.partial_fit(table, NUMBERS).n_iter_ == 2


# --- partial_fit: streams ------------------------------------------------------------------


def test_chunks_of_a_file_are_learned(tmp_path):
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.standard_normal((3_000, 6)), columns=list("uvwxyz"))
    table["kind"] = np.array(["a", "b", "c"])[np.digitize(table["u"] - table["v"], [-0.6, 0.6])]
    table[:2_000].to_csv(tmp_path / "train.csv", index=False)
    network = clone(CLASSIFIER).set_params(learning_rate=0.01, dropout=0.01)
    for _ in range(2):
        for part in pd.read_csv(tmp_path / "train.csv", chunksize=300):
            network.partial_fit(part.drop(columns="kind"), part["kind"], classes=ALL)
    assert network.n_iter_ == 14
    assert_array_equal(network.feature_names_in_, list("uvwxyz"))
    # Of scikit-learn, LogisticRegression fitted on the whole file scores 0.99.
    assert network.score(table[2_000:].drop(columns="kind"), table["kind"][2_000:]) > 0.9


def resident_bytes():
    """Memory of this process; where the system does not tell, the most it ever had."""
    numbers = Path("/proc/self/statm")
    if numbers.exists():
        return int(numbers.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource  # missing on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


@pytest.mark.slow
def test_memory_does_not_grow_over_a_stream():
    rng = np.random.default_rng(3)
    network = KerasDenseRegressor(units=16, batch_size=64, random_state=0)

    def run(n_chunks):
        for _ in range(n_chunks):
            part = rng.standard_normal((2_000, 20))
            network.partial_fit(part, part[:, 0])
        return resident_bytes()

    before = run(30)
    assert run(100) - before < 20e6
    assert network.n_iter_ == 130
