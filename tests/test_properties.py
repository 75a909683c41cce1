"""What holds whatever the data and the parameters, on cases drawn by Hypothesis."""

import math
import pickle
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix, issparse
from scipy.special import expit, softmax
from sklearn.base import clone

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._problem.labels import Labels
from skdense._problem.rows import select_rows_with_weight
from skdense._problem.split import hold_out
from skdense._problem.warm_start import join_histories

# The same cases in every run, which write nothing to disk. The first of a kind compile.
REPEATABLE = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)

# Small validation sets, drawn here too, cannot hold every class or leave every label trained.
pytestmark = pytest.mark.filterwarnings("ignore:.*validation rows:UserWarning")

N_FEATURES = 3
ACTIVATIONS = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}
BINARY, MULTICLASS, MULTILABEL, NUMBERS, TABLE = KINDS = [
    "binary",
    "multiclass",
    "multilabel",
    "numbers",
    "table of numbers",
]
CLASS_KINDS, NUMBER_KINDS = KINDS[:3], KINDS[3:]

# Each is compiled once, or twice where some cases have validation rows. The fast tests draw from
# the first of each kind.
STRUCTURES = {
    BINARY: [
        {"units": 4, "depth": 1, "activation": "tanh", "batch_size": 8, "dtype": "float32"},
        {"units": 4, "depth": 1, "batch_size": 8, "dtype": "float64", "loss": "mse"},
        {"depth": 0, "batch_size": 64, "dtype": "float64", "output_activation": "softmax"},
        {"units": (3, 2), "batch_size": 8, "dtype": "float32", "loss": "hinge", "metrics": "acc"},
    ],
    MULTICLASS: [
        {"depth": 0, "batch_size": 64, "dtype": "float64", "metrics": ["accuracy"]},
        {"units": (3, 2), "batch_size": 8, "dtype": "float32", "batch_normalization": True},
        {"units": 4, "depth": 1, "batch_size": 8, "dtype": "float32", "loss": "mse"},
        {"depth": 0, "batch_size": 8, "dtype": "float32", "loss": "binary_crossentropy"},
    ],
    MULTILABEL: [
        {"depth": 0, "batch_size": 8, "dtype": "float32", "metrics": "accuracy"},
        {"units": 4, "depth": 1, "activation": "tanh", "batch_size": 8, "dtype": "float64"},
        {"units": 4, "depth": 1, "batch_size": 64, "dtype": "float32", "loss": "mse"},
    ],
    NUMBERS: [
        {"depth": 0, "batch_size": 8, "dtype": "float32", "metrics": ["mae", "mse"]},
        {"units": (3, 2), "batch_size": 8, "dtype": "float32", "batch_normalization": True},
        {"units": 4, "depth": 1, "batch_size": 64, "dtype": "float64", "loss": "huber"},
    ],
    TABLE: [
        {"depth": 0, "batch_size": 8, "dtype": "float64", "loss": "huber"},
        {"units": 4, "depth": 1, "activation": "tanh", "batch_size": 64, "dtype": "float32"},
        {"units": (3, 2), "batch_size": 8, "dtype": "float32", "loss": "mae", "metrics": "mse"},
    ],
}
LABELS = {
    BINARY: [[0, 1], [-1, 1], [False, True], ["no", "yes"], [2.0, 5.0]],
    MULTICLASS: [["ant", "bee", "cow"], ["cow", "ant", "bee"], [7, 3, 5]],
}


# --- cases -------------------------------------------------------------------------------

FITTED = {}  # networks by what they were fitted with


@dataclass(frozen=True, eq=False)
class Case:
    """An estimator and what it is to be fitted on."""

    kind: str
    estimator: Any
    X: Any
    y: Any
    keywords: dict[str, Any]

    def fit(self):
        return clone(self.estimator).fit(self.X, self.y, **self.keywords)

    @property
    def fitted(self):
        """A network to look at, fitted once: Hypothesis draws the same cases for each test."""
        given = self.kind, self.estimator.get_params(), self.X, self.y, self.keywords
        key = pickle.dumps(given)
        if key not in FITTED:
            FITTED[key] = self.fit()
        return FITTED[key]

    @property
    def is_watched(self):
        given = self.estimator.early_stopping or self.estimator.validation_fraction
        return bool(given or "X_val" in self.keywords)


@st.composite
def cases(draw, kind, n_structures=None):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples = draw(st.integers(12, 40))
    X = draw_inputs(draw, rng, n_samples)
    y = draw_targets(draw, rng, kind, n_samples)
    parameters = draw(st.sampled_from(STRUCTURES[kind][:n_structures]))
    parameters = parameters | draw_parameters(draw, kind, y)
    keywords = {}
    if draw(st.booleans()):
        keywords["sample_weight"] = draw_weights(draw, rng, n_samples)
    if draw(st.integers(0, 3)) == 0:
        chosen = rng.permutation(n_samples)[: draw(st.integers(2, 9))]
        keywords |= {"X_val": X[chosen], "y_val": y[chosen]}
        if "sample_weight" in keywords and draw(st.booleans()):
            keywords["sample_weight_val"] = rng.uniform(0.5, 2, len(chosen))
    estimator = KerasDenseClassifier if kind in CLASS_KINDS else KerasDenseRegressor
    return Case(kind, estimator(**parameters), X, y, keywords)


def draw_inputs(draw, rng, n_samples):
    X = rng.normal(size=(n_samples, N_FEATURES)).astype(draw(st.sampled_from(["f4", "f8"])))
    X[rng.random(X.shape) < draw(st.sampled_from([0.0, 0.5]))] = 0
    return draw(st.sampled_from([np.asarray, np.asfortranarray, csr_array, csr_matrix]))(X)


def draw_targets(draw, rng, kind, n_samples):
    if kind == MULTILABEL:
        return rng.integers(0, 2, (n_samples, 3))
    if kind in NUMBER_KINDS:
        center, spread = draw(st.sampled_from([(0, 1), (-3, 0.01), (1000, 50)]))
        shape = (n_samples, 2) if kind == TABLE else n_samples
        return rng.normal(center, spread, shape).astype(draw(st.sampled_from(["f4", "f8"])))
    labels = np.array(draw(st.sampled_from(LABELS[kind])))
    y = labels[rng.permutation(np.arange(n_samples) % len(labels))]
    return y.astype(object) if y.dtype.kind == "U" and draw(st.booleans()) else y


def draw_weights(draw, rng, n_samples):
    """Return weights of which few enough are 0 to leave rows of every class."""
    weights = rng.choice([0.5, 1.0, 2.0, 3.0], n_samples) * draw(st.sampled_from([1, 1e-3, 1e6]))
    weights[rng.permutation(n_samples)[: draw(st.integers(0, n_samples // 6))]] = 0
    return weights


def draw_parameters(draw, kind, y):
    scorer = "accuracy" if kind in CLASS_KINDS else "neg_mean_absolute_error"
    early_stopping = draw(st.booleans())
    parameters = {
        "optimizer": "adam" if kind == NUMBERS else "sgd",
        "learning_rate": draw(st.floats(1e-4, 0.1)),
        "dropout": draw(st.floats(0.05, 0.6)) if kind == BINARY else 0.0,
        "epochs": draw(st.integers(1, 8)),
        "shuffle": draw(st.booleans()),
        "early_stopping": early_stopping,
        "validation_fraction": draw(st.none() | st.floats(0.05, 0.5)),
        "scoring": draw(st.sampled_from(["loss", scorer])),
        "patience": draw(st.integers(1, 4)),
        "min_delta": draw(st.sampled_from([0.0, 0.05])),
        "refit_full": early_stopping and draw(st.booleans()),
        "random_state": draw(st.integers(0, 2**32 - 1)),
    }
    if kind in NUMBER_KINDS:
        return parameters | {"standardize_target": draw(st.booleans())}
    weights = [None, "balanced"]
    if kind != MULTILABEL:
        weights.append({y[0]: draw(st.floats(0.5, 5))})
    return parameters | {"class_weight": draw(st.sampled_from(weights))}


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left():
    """Let go of the networks."""
    yield
    FITTED.clear()


FEW, MANY = (5, 1), (30, None)


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
def for_all(request):
    """Return what calls a function with each of some cases of a kind."""
    n_examples, n_structures = request.param

    def call(kind, holds):
        @settings(REPEATABLE, max_examples=n_examples)
        @given(cases(kind, n_structures))
        def check(case):
            holds(case)

        check()

    return call


kinds = pytest.mark.parametrize("kind", KINDS)


# --- networks ----------------------------------------------------------------------------


@pytest.mark.slow
@kinds
def test_history_has_a_number_for_each_epoch(for_all, kind):
    def holds(case):
        network = case.fitted
        history = network.history_
        assert set(history) == expected_names(case)
        assert {len(values) for values in history.values()} == {network.n_iter_}
        assert np.isfinite(list(history.values())).all()
        assert all(type(value) is float for values in history.values() for value in values)
        assert network.loss_curve_ is history["loss"]

    for_all(kind, holds)


def expected_names(case):
    metrics = case.estimator.metrics or []
    names = {"loss", *([metrics] if isinstance(metrics, str) else metrics)}
    if case.is_watched:
        names |= {f"val_{name}" for name in names}
        names |= {"val_score"} - ({"val_score"} if case.estimator.scoring == "loss" else set())
    return names


@kinds
def test_best_epoch_is_the_first_with_the_best_watched_value(for_all, kind):
    def holds(case):
        network = case.fitted
        assert 1 <= network.best_epoch_ <= network.n_iter_ <= network.epochs
        watched = losses_watched(network)
        if not case.is_watched:
            assert network.best_epoch_ == network.n_iter_ == network.epochs
            return
        assert network.best_epoch_ == 1 + int(np.argmin(watched))
        expected = n_epochs_of(network, watched) if network.early_stopping else network.epochs
        assert network.n_iter_ == expected

    for_all(kind, holds)


def losses_watched(network):
    if "val_score" in network.history_:
        return [-score for score in network.history_["val_score"]]
    return network.history_.get("val_loss")


def n_epochs_of(network, watched):
    """Return how many epochs patience grants, by Keras' rule."""
    best, wait = math.inf, 0
    for epoch, value in enumerate(watched, start=1):
        if best - value > network.min_delta:
            best, wait = value, 0
        else:
            wait += 1
        if wait >= network.patience:
            return epoch
    return network.epochs


@kinds
def test_validation_rows_are_so_many_of_those_with_weight(for_all, kind):
    def holds(case):
        network = case.fitted
        fraction = network.validation_fraction or (0.1 if network.early_stopping else None)
        if fraction is None or "X_val" in case.keywords:
            assert not hasattr(network, "validation_indices_")
            return
        indices = network.validation_indices_
        usable = np.flatnonzero(case.keywords.get("sample_weight", np.ones(len(case.y))) > 0)
        assert len(indices) == math.ceil(fraction * len(usable))
        assert set(indices) <= set(usable)
        assert (np.diff(indices) > 0).all()
        trained = np.setdiff1d(usable, indices)
        if kind in (BINARY, MULTICLASS):
            assert set(case.y[trained]) == set(case.y[usable]) == set(network.classes_)

    for_all(kind, holds)


@kinds
def test_layers_have_the_shapes_asked_for(for_all, kind):
    def holds(case):
        network = case.fitted
        shapes = [(array.shape, kernel.shape) for kernel, array in layers(network)]
        units = network.units if np.ndim(network.units) else [network.units] * (network.depth or 0)
        widths = [N_FEATURES, *units, network.n_outputs_]
        assert shapes == [((n_out,), (n_in, n_out)) for n_in, n_out in pairwise(widths)]
        assert network.n_outputs_ == expected_outputs(case)
        assert network.n_features_in_ == N_FEATURES

    for_all(kind, holds)


def layers(network):
    return list(zip(network.coefs_, network.intercepts_, strict=True))


def expected_outputs(case):
    if case.kind == BINARY:
        return 2 if case.estimator.output_activation == "softmax" else 1
    return {MULTICLASS: 3, MULTILABEL: 3, NUMBERS: 1, TABLE: 2}[case.kind]


def outputs_by_hand(network, X):
    """Return outputs before their activation, from nothing but the attributes."""
    *hidden, last = layers(network)
    values = X.toarray() if issparse(X) else X
    for kernel, bias in hidden:
        values = ACTIVATIONS[network.activation](values @ kernel + bias)
    return values @ last[0] + last[1]


@pytest.mark.parametrize("kind", CLASS_KINDS)
def test_probabilities_and_predictions_fit_each_other(for_all, kind):
    def holds(case):
        network = case.fitted
        n_samples, n_columns = len(case.y), 2 if kind == BINARY else 3
        probabilities = network.predict_proba(case.X)
        decision, predicted = network.decision_function(case.X), network.predict(case.X)

        assert probabilities.shape == (n_samples, n_columns)
        assert probabilities.dtype == decision.dtype == case.X.dtype
        assert probabilities.min() >= 0
        assert probabilities.max() <= 1
        assert predicted.shape == case.y.shape
        with np.errstate(divide="ignore"):
            assert_allclose(network.predict_log_proba(case.X), np.log(probabilities), rtol=1e-6)
        if kind == MULTILABEL:
            assert decision.shape == (n_samples, 3)
            assert_array_equal(predicted, decision > 0)
            assert set(np.unique(predicted)) <= {0, 1}
            assert predicted.dtype.kind == "i"
            assert_array_equal(network.classes_, range(3))
            return
        assert decision.shape == ((n_samples,) if kind == BINARY else (n_samples, 3))
        assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
        assert_array_equal(network.classes_, sorted(set(case.y)))
        assert predicted.dtype == network.classes_.dtype == case.y.dtype
        assert set(predicted) <= set(network.classes_)
        of_predicted = probabilities[np.arange(n_samples), network.classes_.searchsorted(predicted)]
        assert_allclose(of_predicted, probabilities.max(axis=1), rtol=1e-6)

    for_all(kind, holds)


@pytest.mark.parametrize("kind", CLASS_KINDS)
def test_probabilities_are_those_of_the_attributes(for_all, kind):
    def holds(case):
        network = case.fitted
        if network.batch_normalization or network.loss == "hinge":
            return  # more than dense layers, and a loss of margins
        logits = outputs_by_hand(network, case.X)
        expected = expit(logits)
        if kind == BINARY and logits.shape[1] == 1:
            expected = np.hstack([1 - expected, expected])
        elif kind != MULTILABEL and network.loss == "auto":
            expected = softmax(logits, axis=1)
        elif kind != MULTILABEL and network.loss == "binary_crossentropy":
            expected = expected / expected.sum(axis=1, keepdims=True)
        elif kind == MULTICLASS:
            expected = softmax(logits, axis=1)
        assert_allclose(network.predict_proba(case.X), expected, rtol=1e-4, atol=1e-6)

    for_all(kind, holds)


@pytest.mark.parametrize("kind", NUMBER_KINDS)
def test_predicted_numbers_are_those_of_the_attributes(for_all, kind):
    def holds(case):
        network = case.fitted
        predicted = network.predict(case.X)
        assert predicted.shape == case.y.shape
        assert predicted.dtype == case.X.dtype
        assert np.isfinite(predicted).all()
        if not network.batch_normalization:
            expected = outputs_by_hand(network, case.X).reshape(case.y.shape)
            assert_allclose(predicted, expected, rtol=1e-4, atol=1e-4)

    for_all(kind, holds)


@kinds
def test_fits_and_pickles_repeat_to_the_bit(for_all, kind):
    def holds(case):
        network = case.fitted
        answer = answers(network, case.X)
        unpickled = pickle.loads(pickle.dumps(network))  # noqa: S301 - it is this test's own
        assert_array_equal(answers(unpickled, case.X), answer)
        assert unpickled.history_ == network.history_

        other = case.fit()
        assert_array_equal(answers(other, case.X), answer)
        history = other.history_
        again = other.fit(case.X, case.y, **case.keywords)
        assert_array_equal(answers(again, case.X), answer)
        assert history == again.history_ == unpickled.history_

    for_all(kind, holds)


def answers(network, X):
    return getattr(network, "predict_proba", network.predict)(X)


@kinds
def test_fitting_and_predicting_leave_data_and_parameters_unchanged(for_all, kind):
    def holds(case):
        data = [case.X, case.y, *case.keywords.values()]
        before = [array.copy() for array in data]
        parameters = dict(vars(case.estimator))
        network = clone(case.estimator)
        answers(network.fit(case.X, case.y, **case.keywords), case.X)
        for array, copy in zip(data, before, strict=True):
            assert_same_array(array, copy)
        assert network.get_params() == parameters

    for_all(kind, holds)


def assert_same_array(array, other):
    assert array.dtype == other.dtype
    if issparse(array):
        for part in ("data", "indices", "indptr"):
            assert_array_equal(getattr(array, part), getattr(other, part))
    else:
        assert_array_equal(array, other)


# --- held-out rows -----------------------------------------------------------------------

fractions = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**32 - 1)
# Of several classes, some too rare to be divided and some without a row.
class_counts = st.lists(st.integers(0, 5) | st.integers(6, 40), min_size=2, max_size=6)


def split(y, fraction, seed, labels, weights=None):
    """Hold rows out; return the indices of both sides and the messages of warnings."""
    rows = select_rows_with_weight(np.zeros((len(y), 1)), y, weights, y)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        left, held = hold_out(rows, fraction, np.random.default_rng(seed), labels)
    return left.index, held.index, [str(warning.message) for warning in record]


def assert_divides(left, held, used, fraction):
    """The sides are sorted, disjoint, all rows together, and of the size asked for."""
    assert (np.diff(left) > 0).all()
    assert (np.diff(held) > 0).all()
    assert_array_equal(np.union1d(left, held), used)
    assert len(left) + len(held) == len(used)
    assert len(held) == math.ceil(fraction * len(used))


many_splits = settings(REPEATABLE, max_examples=100)


@many_splits
@given(class_counts, fractions, seeds)
def test_rows_of_classes_are_divided_so_that_every_class_is_trained(counts, fraction, seed):
    codes = shuffled_codes(counts, seed)
    counts, n_held = np.array(counts), math.ceil(fraction * len(codes))
    labels = Labels(np.array(list("abcdef"))[: len(counts)], is_multilabel=False)
    if n_held >= len(codes) or len(codes) - n_held < (counts > 0).sum() or counts.max() == 1:
        with pytest.raises(ValueError, match="validation_fraction"):
            split(codes, fraction, seed, labels)
        return
    left, held, messages = split(codes, fraction, seed, labels)
    assert_divides(left, held, np.arange(len(codes)), fraction)
    left_counts = np.bincount(codes[left], minlength=len(counts))
    assert_array_equal(left_counts > 0, counts > 0)
    assert_array_equal(left_counts[counts == 1], 1)
    unseen = labels.values[np.setdiff1d(codes, codes[held])].tolist()
    rare = [message for message in messages if "none of these rare classes" in message]
    assert len(rare) == bool(unseen)
    assert all(repr(unseen) in message for message in rare)


@many_splits
@given(class_counts, fractions, seeds)
def test_held_out_classes_are_in_proportion_to_a_row(counts, fraction, seed):
    counts = np.array([count for count in counts if count > 1] + [3, 8])
    codes = shuffled_codes(counts, seed)
    n_held = math.ceil(fraction * len(codes))
    expected = counts * n_held / len(codes)
    if n_held < len(counts) or (counts - expected).min() < 1:
        return  # too few or too many for all classes
    labels = Labels(np.arange(len(counts)), is_multilabel=False)
    _, held, messages = split(codes, fraction, seed, labels)
    assert np.abs(np.bincount(codes[held], minlength=len(counts)) - expected).max() < 1
    assert messages == [] or expected.min() < 1


@many_splits
@given(class_counts, st.floats(0.01, 0.5), seeds)
def test_classes_too_rare_for_a_validation_row_are_warned_of(counts, fraction, seed):
    codes = shuffled_codes([*counts, 6, 6], seed)
    if len(codes) - math.ceil(fraction * len(codes)) < len(np.unique(codes)):
        return
    labels = Labels(np.arange(len(counts) + 2), is_multilabel=False)
    _, held, messages = split(codes, fraction, seed, labels)
    assert messages or set(codes[held]) == set(codes)


@many_splits
@given(class_counts, st.floats(0.01, 0.5), seeds)
def test_rows_without_weight_are_on_neither_side(counts, fraction, seed):
    codes = shuffled_codes([*counts, 6, 6], seed)
    weights = np.random.default_rng(seed).choice([0.0, 1.0, 2.5], len(codes))
    weights[[np.flatnonzero(codes == code)[0] for code in np.unique(codes)]] = 1
    used = np.flatnonzero(weights)
    labels = Labels(np.arange(codes.max() + 1), is_multilabel=False)
    n_left = len(used) - math.ceil(fraction * len(used))
    if n_left < len(np.unique(codes)) or np.bincount(codes[used]).max() == 1:
        return
    left, held, _ = split(codes, fraction, seed, labels, weights)
    assert_divides(left, held, used, fraction)


def shuffled_codes(counts, seed):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@many_splits
@given(st.integers(2, 40), st.integers(2, 4), st.floats(0, 1), fractions, seeds)
def test_labels_that_only_validation_rows_have_are_named(n_rows, n_labels, share, fraction, seed):
    y = (np.random.default_rng(seed).random((n_rows, n_labels)) < share).astype(int)
    if math.ceil(fraction * n_rows) >= n_rows:
        return
    left, held, messages = split(y, fraction, seed, Labels(np.arange(n_labels), True))
    assert_divides(left, held, np.arange(n_rows), fraction)
    untrained = np.flatnonzero(y.any(axis=0) & ~y[left].any(axis=0)).tolist()
    assert len(messages) == bool(untrained)
    assert all(f"{untrained}. Pass X_val" in message for message in messages)


@many_splits
@given(st.integers(2, 60), fractions, seeds)
def test_rows_of_numbers_are_divided(n_rows, fraction, seed):
    y = np.random.default_rng(seed).random(n_rows)
    if math.ceil(fraction * n_rows) >= n_rows:
        with pytest.raises(ValueError, match="validation_fraction must leave rows"):
            split(y, fraction, seed, None)
        return
    left, held, messages = split(y, fraction, seed, None)
    assert_divides(left, held, np.arange(n_rows), fraction)
    assert messages == []
    assert_array_equal(split(y, fraction, seed, None)[1], held)


# --- labels ------------------------------------------------------------------------------

some_labels = st.one_of(
    st.lists(values, min_size=2, max_size=20)
    for values in (
        st.integers(-(2**40), 2**40),
        st.integers(0, 3),
        st.booleans(),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
        st.integers(-9, 9).map(float),
    )
)


@REPEATABLE
@given(some_labels, st.booleans())
def test_labels_come_back_from_their_codes(values, as_objects):
    y = np.array(values)
    y = y.astype(object) if as_objects and y.dtype.kind == "U" else y
    labels = Labels.of(y)
    codes = labels.encode(y)
    assert_array_equal(labels.values, sorted(set(values)))
    assert not labels.is_multilabel
    assert_array_equal(codes, [sorted(set(values)).index(value) for value in values])
    assert_array_equal(labels.decode(codes), y)
    assert labels.decode(codes).dtype == y.dtype


@REPEATABLE
@given(some_labels, st.data())
def test_labels_never_seen_are_refused(values, data):
    y = np.array(values)
    missing = data.draw(st.sampled_from(values))
    known = y[y != np.array(missing)]
    if not len(known):
        return
    with pytest.raises(ValueError, match="y_val must hold only classes seen before"):
        Labels.of(known).encode(y, "y_val")


indicators = st.tuples(st.integers(2, 20), st.integers(2, 5)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(0, 1), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)


@REPEATABLE
@given(indicators, st.sampled_from([int, float, bool, np.uint8]))
def test_indicator_matrices_are_their_own_codes(matrix, dtype):
    y = np.array(matrix, dtype)
    labels = Labels.of(y)
    assert labels.is_multilabel
    assert_array_equal(labels.values, range(y.shape[1]))
    assert_array_equal(labels.encode(y), y)
    assert_array_equal(labels.decode(labels.encode(y)), y)
    for other in (y[:, 1:], np.hstack([y, y]), y.astype(int) + 2):
        with pytest.raises(ValueError, match="y_val must be an indicator matrix"):
            labels.encode(other, "y_val")


# --- histories ---------------------------------------------------------------------------

numbers = st.floats(allow_nan=False)


@st.composite
def histories(draw):
    n_epochs = draw(st.integers(0, 4))
    others = draw(st.sets(st.sampled_from(["val_loss", "mae", "val_mae", "val_score"])))
    values = st.lists(numbers, min_size=n_epochs, max_size=n_epochs)
    return {name: draw(values) for name in ["loss", *sorted(others)]}


@REPEATABLE
@given(histories(), histories())
def test_joined_histories_have_all_epochs_and_nan_for_what_is_missing(before, after):
    n_before, n_after = len(before["loss"]), len(after["loss"])
    both = join_histories(before, after)
    assert set(both) == set(before) | set(after)
    assert list(both)[: len(before)] == list(before)
    for name, values in both.items():
        assert len(values) == n_before + n_after
        first = before.get(name, [math.nan] * n_before)
        second = after.get(name, [math.nan] * n_after)
        assert_array_equal(values, [*first, *second])
        assert values is not before.get(name)
        assert values is not after.get(name)


@REPEATABLE
@given(histories(), histories(), histories())
def test_joining_histories_is_associative(first, second, third):
    one, other = (
        join_histories(join_histories(first, second), third),
        join_histories(first, join_histories(second, third)),
    )
    assert set(one) == set(other)
    for name in one:
        assert_array_equal(one[name], other[name])
