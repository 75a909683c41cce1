"""Kinds of target with the losses that go with them, and weights of classes and rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.sparse import csc_array, csr_array, csr_matrix
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    get_scorer,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from skdense import KerasDenseClassifier, KerasDenseRegressor

# All rows fit in one batch, so that float64 data is trained on in float64.
N_ROWS = 48
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_ROWS, 3))
NOISY = X @ RNG.normal(size=(3, 3)) + RNG.normal(size=(N_ROWS, 3))
LABELS = (NOISY > [-0.5, 0.0, 0.7]).astype(int)
NAMES = np.array(["ant", "bee", "cow"])
CLASSES = NAMES[np.digitize(NOISY[:, 0], [0.0, 1.5])]
TWO = NOISY[:, 1] > 0.3
WEIGHTS = RNG.integers(0, 3, N_ROWS)
X_VAL = RNG.normal(size=(20, 3))
LABELS_VAL = RNG.integers(0, 2, (20, 3))
CLASSES_VAL = RNG.choice(NAMES, 20)
WEIGHTS_VAL = RNG.uniform(0.5, 2.0, 20)

SMALL = {"units": 4, "depth": 1, "epochs": 2, "random_state": 0}
SMALL |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
AT_REST = {"epochs": 1, "learning_rate": 1e-30}
SETTLING = {"epochs": 1500, "learning_rate": keras.optimizers.schedules.CosineDecay(0.5, 1500)}


def classifier(**parameters):
    return KerasDenseClassifier(**SMALL | parameters)


def logits_of(network, X):
    """Return the outputs before their activation, in plain NumPy."""
    [first, last], [first_bias, last_bias] = network.coefs_, network.intercepts_
    return np.maximum(X @ first + first_bias, 0) @ last + last_bias


def keras_outputs(network, X):
    return network.to_keras().predict(X, verbose=0)


def one_hot(y):
    return (y[:, np.newaxis] == np.unique(y)).astype(float)


def weights_of(network):
    return [*network.coefs_, *network.intercepts_]


def assert_same_bits(one, other):
    for ours, theirs in zip(weights_of(one), weights_of(other), strict=True):
        assert_array_equal(ours, theirs)


def assert_fit_fails(network, *data, match, **more):
    before = vars(network).copy()
    with pytest.raises(ValueError, match=match):
        network.fit(*data, **more)
    assert vars(network) == before


# --- losses and what outputs mean, against plain NumPy -------------------------------------


def binary_cross_entropy(t, z):
    return np.mean(np.logaddexp(0, z) - t * z)


def cross_entropy(t, z):
    return -np.mean((t * log_softmax(z, axis=1)).sum(axis=1))


def squared_error(t, z):
    return np.mean((t - expit(z)) ** 2)


def hinge(t, z):
    return np.mean(np.maximum(0, 1 - (2 * t - 1) * z))


def smoothed(loss, amount, n_classes):
    return lambda t, z: loss(t * (1 - amount) + amount / n_classes, z)


def with_softmax(z):
    return softmax(z, axis=1)


def second_of_two(z):
    return np.column_stack([expit(-z[:, 0]), expit(z[:, 0])])


def share_of_sigmoids(z):
    return expit(z) / expit(z).sum(axis=1, keepdims=True)


def from_margins(z):
    return np.clip((z + 1) / 2, 0, 1)


def second_of_two_margins(z):
    return np.column_stack([1 - from_margins(z[:, 0]), from_margins(z[:, 0])])


def unchanged(z):
    return z


@dataclass
class Case:
    """A target and a loss, and what NumPy makes of targets (t) and logits (z)."""

    parameters: dict
    y: Any
    t: Any
    loss: Callable
    probabilities: Callable
    outputs: Callable  # of the Keras model


losses = keras.losses
FROM_LOGITS = losses.BinaryCrossentropy(from_logits=True)
SMOOTHED = losses.BinaryCrossentropy(label_smoothing=0.3)
SMOOTHED_CLASSES = losses.CategoricalCrossentropy(label_smoothing=0.3)
SIGMOIDS = {"loss": "mse", "output_activation": "sigmoid"}
smoothed_binary = smoothed(binary_cross_entropy, 0.3, 2)
smoothed_classes = smoothed(cross_entropy, 0.3, 3)

OF_LABELS = (LABELS, LABELS)
OF_CLASSES = (CLASSES, one_hot(CLASSES))
OF_TWO = (TWO, one_hot(TWO)[:, 1:])
LABEL_CASES = {
    "labels": Case({}, *OF_LABELS, binary_cross_entropy, expit, expit),
    "labels, squared error": Case({"loss": "mse"}, *OF_LABELS, squared_error, expit, expit),
    "labels, from logits": Case(
        {"loss": FROM_LOGITS}, *OF_LABELS, binary_cross_entropy, expit, unchanged
    ),
    "labels, hinge": Case({"loss": "hinge"}, *OF_LABELS, hinge, from_margins, unchanged),
    "labels, smoothed": Case({"loss": SMOOTHED}, *OF_LABELS, smoothed_binary, expit, expit),
}
CLASS_CASES = {
    "classes": Case({}, *OF_CLASSES, cross_entropy, with_softmax, with_softmax),
    "classes, squared error of sigmoids": Case(
        SIGMOIDS, *OF_CLASSES, squared_error, share_of_sigmoids, expit
    ),
    "classes, smoothed": Case(
        {"loss": SMOOTHED_CLASSES}, *OF_CLASSES, smoothed_classes, with_softmax, with_softmax
    ),
    "classes, from logits": Case(
        {"loss": FROM_LOGITS}, *OF_CLASSES, binary_cross_entropy, share_of_sigmoids, unchanged
    ),
    "two classes": Case({}, *OF_TWO, binary_cross_entropy, second_of_two, expit),
    "two classes, squared error": Case(
        {"loss": "mse"}, *OF_TWO, squared_error, second_of_two, expit
    ),
    "two classes, from logits": Case(
        {"loss": FROM_LOGITS}, *OF_TWO, binary_cross_entropy, second_of_two, unchanged
    ),
    "two classes, hinge": Case({"loss": "hinge"}, *OF_TWO, hinge, second_of_two_margins, unchanged),
    "two classes, softmax": Case(
        {"output_activation": "softmax"},
        *(TWO, one_hot(TWO)),
        *(cross_entropy, with_softmax, with_softmax),
    ),
    "two classes, smoothed": Case(
        {"loss": SMOOTHED}, *OF_TWO, smoothed_binary, second_of_two, expit
    ),
}
CASES = LABEL_CASES | CLASS_CASES
FAST = ("labels", "classes", "classes, squared error of sigmoids", "two classes, softmax")


def each_of(cases):
    marks = {name: () if name in FAST else pytest.mark.slow for name in cases}
    return pytest.mark.parametrize(
        "case", [pytest.param(cases[name], id=name, marks=marks[name]) for name in cases]
    )


each_case, each_label_case, each_class_case = map(each_of, (CASES, LABEL_CASES, CLASS_CASES))


@pytest.mark.slow
@each_case
def test_training_loss_is_that_of_numpy(case):
    network = classifier(**case.parameters, **AT_REST).fit(X, case.y)
    assert_allclose(network.loss_curve_, [case.loss(case.t, logits_of(network, X))], rtol=1e-6)


@each_case
def test_probabilities_are_those_of_numpy(case):
    network = classifier(**case.parameters, epochs=30, learning_rate=0.1).fit(X, case.y)
    probabilities = network.predict_proba(X_VAL)
    assert_allclose(probabilities, case.probabilities(logits_of(network, X_VAL)), atol=1e-6)
    assert probabilities.dtype == X_VAL.dtype
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    with np.errstate(divide="ignore"):
        assert_allclose(network.predict_log_proba(X_VAL), np.log(probabilities), rtol=1e-9)


@each_class_case
def test_the_class_predicted_has_the_highest_probability(case):
    network = classifier(**case.parameters, epochs=30, learning_rate=0.1).fit(X, case.y)
    probabilities = network.predict_proba(X_VAL)
    classes = np.unique(case.y)
    assert_allclose(probabilities.sum(axis=1), 1)
    assert_array_equal(network.classes_, classes)
    assert_array_equal(network.predict(X_VAL), classes[probabilities.argmax(axis=1)])
    decision = network.decision_function(X_VAL)
    if len(classes) == 2:
        assert_array_equal(decision > 0, probabilities[:, 1] > 0.5)
    else:
        assert_array_equal(decision.argmax(axis=1), probabilities.argmax(axis=1))


@each_label_case
def test_the_labels_predicted_have_a_probability_above_a_half(case):
    network = classifier(**case.parameters, epochs=30, learning_rate=0.1).fit(X, LABELS)
    predicted = network.predict(X_VAL)
    assert_array_equal(network.classes_, [0, 1, 2])
    assert predicted.shape == LABELS_VAL.shape
    assert predicted.dtype.kind == "i"
    assert_array_equal(predicted, network.predict_proba(X_VAL) > 0.5)
    assert_array_equal(predicted, network.decision_function(X_VAL) > 0)
    assert 0 < predicted.mean() < 1


@pytest.mark.slow
@each_case
def test_outputs_are_those_of_the_keras_model(case):
    network = classifier(**case.parameters, epochs=30, learning_rate=0.1).fit(X, case.y)
    outputs = keras_outputs(network, X_VAL)
    assert_allclose(outputs, case.outputs(logits_of(network, X_VAL)), atol=1e-5)


# Those that test_engines.py compares without weights and validation are left out.
TO_COMPARE = [
    name
    for name in CASES
    if name not in ("two classes", "two classes, hinge", "two classes, squared error")
]


@pytest.mark.slow
@pytest.mark.parametrize("name", TO_COMPARE)
def test_both_engines_train_alike_with_weights_and_validation(name):
    case = CASES[name]
    balanced = classifier(**case.parameters, class_weight="balanced", metrics=["accuracy"])
    validation = {"X_val": X[:20], "y_val": case.y[:20], "sample_weight_val": WEIGHTS_VAL}
    compiled, oracle = (
        clone(balanced).set_params(engine=engine).fit(X, case.y, WEIGHTS, **validation)
        for engine in ("compiled", "keras")
    )
    for ours, theirs in zip(weights_of(compiled), weights_of(oracle), strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert compiled.history_.keys() == oracle.history_.keys() >= {"val_loss", "val_accuracy"}
    for key, values in compiled.history_.items():
        # Keras sums its history in float32 whatever the dtype.
        assert_allclose(values, oracle.history_[key], rtol=2e-5, err_msg=key)


TWO_UNITS = [
    {"loss": "categorical_crossentropy", "output_activation": "sigmoid"},
    {"loss": "categorical_crossentropy", "output_activation": "softplus"},
    {"loss": "categorical_crossentropy", "output_activation": "linear"},
    {"loss": "categorical_crossentropy", "output_activation": keras.ops.square},
    {"loss": losses.CategoricalCrossentropy(from_logits=True)},
    {"loss": "categorical_hinge"},
    {"loss": "categorical_hinge", "output_activation": "tanh"},
    {"loss": "categorical_hinge", "output_activation": "sigmoid"},
    {"loss": "mse", "output_activation": "sparsemax"},
    {"loss": "mse", "output_activation": "log_softmax"},
    {"output_activation": "softmax"},
]


@pytest.mark.slow
@pytest.mark.parametrize("parameters", TWO_UNITS, ids=range(len(TWO_UNITS)))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1, 1_000])
def test_decisions_on_two_units_are_in_the_order_of_probabilities(parameters, dtype, scale):
    network = classifier(**parameters, epochs=20, learning_rate=0.05).fit(X, TWO)
    assert network.n_outputs_ == 2
    rows = (scale * np.random.default_rng(1).normal(size=(300, 3))).astype(dtype)
    decision, second = network.decision_function(rows), network.predict_proba(rows)[:, 1]
    assert decision.dtype == second.dtype == dtype
    rounding = 10 * np.finfo(dtype).eps
    assert np.diff(second[np.argsort(decision)]).min() > -rounding
    is_clear = np.abs(second - 0.5) > rounding
    assert_array_equal((decision > 0)[is_clear], (second > 0.5)[is_clear])
    assert_array_equal(network.predict(rows), decision > 0)
    logarithms = network.predict_log_proba(rows)
    assert logarithms.dtype == dtype
    assert_allclose(np.exp(logarithms[:, 1]), second, atol=10 * rounding)


@pytest.mark.slow
@pytest.mark.parametrize(
    "outputs", [[[-2, -1.5], [-1.5, -3]], [[-300, -200], [-200, -300]], [[0, -1e-9], [-1, 0]]]
)
@pytest.mark.parametrize("activation", ["linear", "sigmoid", "tanh"])
@pytest.mark.parametrize("loss", ["categorical_hinge", "categorical_crossentropy"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_that_all_are_unlikely_have_an_order_too(n_classes, activation, loss, outputs):
    bias = np.full((len(outputs), n_classes), -1e3, np.float32)
    bias[:, :2] = outputs
    for biases in bias:
        layers = [keras.Input((3,)), keras.layers.Dense(n_classes, activation)]
        model = keras.Sequential(layers)
        model.layers[-1].bias.assign(biases)
        model.compile(loss=loss)
        network = KerasDenseClassifier.from_keras(model)
        probabilities = network.predict_proba(np.zeros((1, 3)))[0]
        assert_allclose(probabilities.sum(), 1)
        order = np.argsort(keras.activations.get(activation)(biases.astype(float)))
        assert np.diff(probabilities[order]).min() >= 0
        assert network.predict(np.zeros((1, 3)))[0] == probabilities.argmax()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["labels", "labels, from logits", *CLASS_CASES])
def test_logarithms_are_finite_where_there_are_logits(name, dtype):
    case = CASES[name]
    network = classifier(**case.parameters, epochs=30, learning_rate=0.1).fit(X, case.y)
    far = (1e5 * X_VAL).astype(dtype)
    logits = logits_of(network, far.astype(float))
    logarithms = network.predict_log_proba(far)
    assert logarithms.dtype == dtype
    if "hinge" in name:
        return
    assert network.predict_proba(far).min() < 1e-30
    if case.y is LABELS:
        expected = log_expit(logits)
    elif case.y is TWO and logits.shape[1] == 1:
        expected = np.column_stack([log_expit(-logits), log_expit(logits)])
    else:
        shared = case.probabilities is with_softmax
        expected = log_softmax(logits if shared else log_expit(logits), axis=1)
    assert_allclose(logarithms, expected, rtol=1e-3, atol=1e-3)


def test_a_sigmoid_is_no_margin_even_under_a_hinge_loss():
    heads = {"loss": "hinge", "output_activation": "sigmoid", "metrics": "accuracy"}
    network = classifier(**heads, epochs=30, learning_rate=0.1).fit(
        X, TWO, X_val=X_VAL, y_val=LABELS_VAL[:, 0] > 0
    )
    right = network.score(X_VAL, LABELS_VAL[:, 0] > 0)
    assert network.history_["val_accuracy"][-1] == pytest.approx(right)
    assert 0 < network.predict(X).mean() < 1


# --- several labels ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "container",
    [csr_array, csr_matrix, csc_array, pd.DataFrame, np.ndarray.tolist],
    ids=["csr_array", "csr_matrix", "csc_array", "DataFrame", "list"],
)
@pytest.mark.parametrize("kind", [int, float, bool])
def test_an_indicator_matrix_may_be_of_any_container_and_numbers(container, kind):
    expected = classifier().fit(X, LABELS)
    network = classifier().fit(X, container(LABELS.astype(kind)))
    assert_same_bits(network, expected)
    assert_array_equal(network.predict(X), expected.predict(X))
    assert network.predict(X).dtype == expected.predict(X).dtype


def test_zeros_that_a_sparse_indicator_matrix_stores_are_no_labels():
    stored = csr_array(np.ones_like(LABELS))
    stored.data[:] = LABELS.ravel()
    assert stored.nnz == LABELS.size
    assert_same_bits(classifier().fit(X, stored), classifier().fit(X, LABELS))


# MLPClassifier is shown for the shapes of its answers, not for how well it has converged.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_labels_come_back_as_from_mlp_classifier():
    network = classifier().fit(X, LABELS)
    other = MLPClassifier(4, max_iter=2, random_state=0).fit(X, LABELS)
    assert_array_equal(network.classes_, other.classes_)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        ours, theirs = (getattr(fitted, method)(X_VAL) for fitted in (network, other))
        assert ours.shape == theirs.shape
        assert ours.dtype.kind == theirs.dtype.kind


def test_probabilities_of_labels_have_the_dtype_of_x():
    network = classifier().fit(X, LABELS)
    single = network.predict_proba(X_VAL.astype(np.float32))
    assert single.dtype == np.float32
    assert_allclose(single, network.predict_proba(X_VAL), atol=1e-6)


def test_score_of_labels_is_the_share_of_rows_with_all_of_them_right():
    network = classifier(epochs=60, learning_rate=0.1).fit(X, LABELS)
    right = network.predict(X) == LABELS
    assert right.all(axis=1).mean() < right.mean()
    assert network.score(X, LABELS) == right.all(axis=1).mean()
    assert network.score(X, csr_array(LABELS)) == right.all(axis=1).mean()
    weighted = np.average(right.all(axis=1), weights=WEIGHTS)
    assert network.score(X, LABELS, WEIGHTS) == pytest.approx(weighted)


@pytest.mark.slow
def test_labels_without_hidden_layers_are_learned_independently():
    changed = LABELS.copy()
    changed[:, 2] = 1 - changed[:, 2]
    one, other = (
        classifier(depth=0, epochs=50, learning_rate=0.1).fit(X, y).predict_proba(X_VAL)
        for y in (LABELS, changed)
    )
    assert_allclose(one[:, :2], other[:, :2], rtol=1e-10)
    assert np.abs(one[:, 2] - other[:, 2]).max() > 0.1


def test_a_label_that_no_row_or_every_row_has_is_learned():
    y = LABELS.copy()
    y[:, 0], y[:, 2] = 0, 1
    network = classifier(epochs=100, learning_rate=0.1).fit(X, y)
    assert_array_equal(network.predict(X)[:, [0, 2]], y[:, [0, 2]])


def test_scorers_judge_labels_as_metrics_do():
    network = classifier(epochs=20, learning_rate=0.1).fit(X, LABELS)
    probabilities, predicted = network.predict_proba(X), network.predict(X)
    expected = {
        "roc_auc": roc_auc_score(LABELS, probabilities),
        "average_precision": average_precision_score(LABELS, probabilities),
        "f1_macro": f1_score(LABELS, predicted, average="macro"),
        "accuracy": accuracy_score(LABELS, predicted),
    }
    for name, value in expected.items():
        assert get_scorer(name)(network, X, LABELS) == pytest.approx(value, rel=1e-9), name


PROBABILISTIC = {"roc_auc": roc_auc_score, "average_precision": average_precision_score}


@pytest.mark.slow
def test_scorers_do_not_take_two_labels_for_two_classes():
    y = LABELS[:, :2]
    network = classifier(epochs=20, learning_rate=0.1).fit(X, y)
    assert network.decision_function(X).shape == y.shape
    for name, metric in PROBABILISTIC.items():
        expected = metric(y, network.predict_proba(X))
        assert get_scorer(name)(network, X, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
def test_grid_search_over_a_network_of_several_labels(container):
    network = classifier(epochs=40)
    search = GridSearchCV(
        network,
        {"learning_rate": [1e-4, 0.1]},
        scoring=["accuracy", "f1_micro"],
        refit="accuracy",
        cv=KFold(3),
        error_score="raise",
    ).fit(X, container(LABELS))
    expected = []
    for train, test in KFold(3).split(X):
        fold = clone(network).set_params(learning_rate=0.1).fit(X[train], LABELS[train])
        expected.append((fold.predict(X[test]) == LABELS[test]).all(axis=1).mean())
    assert search.best_params_ == {"learning_rate": 0.1}
    assert search.best_score_ == pytest.approx(np.mean(expected))
    assert search.cv_results_["mean_test_f1_micro"][1] > search.cv_results_["mean_test_f1_micro"][0]
    assert search.predict(X).shape == LABELS.shape


ROWWISE = {
    "softmax": ({"output_activation": "softmax"}, "softmax"),
    "softmax function": ({"output_activation": keras.activations.softmax}, "softmax"),
    "log_softmax": ({"output_activation": "log_softmax"}, "log_softmax"),
    "sparse": ({"loss": "sparse_categorical_crossentropy"}, "sparse_categorical_crossentropy"),
    "categorical": ({"loss": "categorical_crossentropy"}, "categorical_crossentropy"),
    "kl_divergence": ({"loss": "kl_divergence"}, "kl_divergence"),
    "sparse object": (
        {"loss": losses.SparseCategoricalCrossentropy()},
        "SparseCategoricalCrossentropy",
    ),
    "categorical object": (
        {"loss": losses.CategoricalCrossentropy(label_smoothing=0.1)},
        "CategoricalCrossentropy",
    ),
}


@pytest.mark.parametrize(("parameters", "named"), ROWWISE.values(), ids=ROWWISE)
def test_outputs_and_losses_for_one_class_a_row_are_refused_for_labels(parameters, named):
    network = classifier(**parameters)
    with pytest.raises(ValueError, match="indicator matrix need") as error:
        network.fit(X, LABELS)
    assert named in str(error.value)
    assert "LossObject" not in str(error.value)
    assert not hasattr(network, "classes_")


# --- several outputs of several classes ----------------------------------------------------

SEVERAL_CLASSES = np.column_stack([np.unique(CLASSES, return_inverse=True)[1], TWO])


@pytest.mark.parametrize(
    "y",
    [SEVERAL_CLASSES, SEVERAL_CLASSES.astype(str), csr_array(SEVERAL_CLASSES)],
    ids=["numbers", "strings", "sparse"],
)
def test_several_outputs_of_several_classes_are_sent_to_multi_output_classifier(y):
    assert_fit_fails(classifier(), X, y, match=r"2 columns.*MultiOutputClassifier")


def test_multi_output_classifier_fits_one_network_for_each_column():
    y = np.column_stack([CLASSES, np.where(TWO, "yes", "no")])
    network = classifier(epochs=20, learning_rate=0.1)
    together = MultiOutputClassifier(network).fit(X, y, sample_weight=WEIGHTS)
    alone = [clone(network).fit(X, column, WEIGHTS) for column in y.T]
    assert_array_equal(together.predict(X_VAL).T, [fitted.predict(X_VAL) for fitted in alone])
    for ours, fitted in zip(together.predict_proba(X_VAL), alone, strict=True):
        assert_array_equal(ours, fitted.predict_proba(X_VAL))


# --- what a constant network learns --------------------------------------------------------

NOTHING = np.zeros_like(X)


def probabilities_from_nothing(y, sample_weight=None, **parameters):
    """Return what a network answers that sees no features: a frequency for each class."""
    network = classifier(**parameters, **SETTLING).fit(NOTHING, y, sample_weight)
    return network.predict_proba(NOTHING[:1])[0]


@pytest.mark.parametrize(
    ("class_weight", "weights"),
    [({"bee": 4, "cow": 0.5}, [1.0, 4.0, 0.5]), ({"bee": 0}, [1.0, 0.0, 1.0])],
    ids=["weights", "a class of weight 0"],
)
def test_class_weights_multiply_the_frequencies_that_are_learned(class_weight, weights):
    counts = one_hot(CLASSES).sum(axis=0) * weights
    learned = probabilities_from_nothing(CLASSES, class_weight=class_weight)
    assert_allclose(learned, counts / counts.sum(), atol=1e-4)


def test_balanced_classes_are_learned_as_equally_frequent():
    learned = probabilities_from_nothing(CLASSES, WEIGHTS, class_weight="balanced")
    assert_allclose(learned, np.full(3, 1 / 3), atol=1e-4)


def test_each_label_is_learned_by_its_own_frequency():
    learned = probabilities_from_nothing(LABELS, WEIGHTS)
    assert_allclose(learned, np.average(LABELS, axis=0, weights=WEIGHTS), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_classes"),
    [("labels, smoothed", 2), ("classes, smoothed", 3), ("two classes, smoothed", 2)],
)
def test_label_smoothing_draws_learned_frequencies_towards_uniform(name, n_classes):
    case = CASES[name]
    learned = probabilities_from_nothing(case.y, **case.parameters)
    expected = case.t.mean(axis=0) * (1 - 0.3) + 0.3 / n_classes
    assert_allclose(learned[-len(expected) :], expected, atol=1e-4)


def test_squared_error_of_sigmoids_learns_frequencies_too():
    case = CASES["classes, squared error of sigmoids"]
    learned = probabilities_from_nothing(CLASSES, **case.parameters)
    assert_allclose(learned, one_hot(CLASSES).mean(axis=0), atol=1e-4)


def high_quantile(y_true, y_pred):
    error = y_true - y_pred
    return keras.ops.mean(keras.ops.maximum(0.8 * error, -0.2 * error), axis=-1)


def huber_loss(e):
    return np.where(np.abs(e) < 1, e**2 / 2, np.abs(e) - 0.5)


def log_cosh(e):
    return np.logaddexp(e, -e) - np.log(2)


# Loss of errors, for those that are learned in standard deviations of y.
OF_ERRORS = {"mse": np.square, "mae": np.abs, "huber": huber_loss, "log_cosh": log_cosh}
N_NUMBERS = 47  # odd, so that the median is one number
NUMBERS = RNG.gamma(2.0, 3.0, N_NUMBERS)
NUMBER_WEIGHTS = RNG.uniform(0.5, 2.0, N_NUMBERS)


def minimum(loss):
    """Return the number of least weighted loss of y, and that loss."""
    found = minimize_scalar(
        lambda c: np.average(loss(NUMBERS, c), weights=NUMBER_WEIGHTS),
        bounds=(NUMBERS.min(), NUMBERS.max()),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return found.x, found.fun


def assert_learns(loss, of_number):
    network = KerasDenseRegressor(loss=loss, depth=0, random_state=0, **SETTLING)
    network.fit(NOTHING[:N_NUMBERS], NUMBERS, NUMBER_WEIGHTS)
    number, least = minimum(of_number)
    assert_allclose(network.predict(NOTHING[:1]), [number], rtol=1e-3)
    assert_allclose(network.loss_curve_[-1], least, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_ERRORS)
def test_a_constant_network_learns_the_number_of_least_error(name):
    mean = np.average(NUMBERS, weights=NUMBER_WEIGHTS)
    scale = np.sqrt(np.average((NUMBERS - mean) ** 2, weights=NUMBER_WEIGHTS))
    assert_learns(name, lambda y, c: OF_ERRORS[name]((y - c) / scale))


@pytest.mark.parametrize(
    "loss",
    ["poisson", pytest.param(losses.Poisson(), marks=pytest.mark.slow)],
    ids=["name", "object"],
)
def test_poisson_loss_is_of_rates_in_their_own_units(loss):
    assert_learns(loss, lambda y, c: c - y * np.log(c))


@pytest.mark.slow
def test_a_loss_of_the_user_is_of_numbers_in_their_own_units():
    assert_learns(high_quantile, lambda y, c: np.maximum(0.8 * (y - c), -0.2 * (y - c)))


def test_linear_poisson_network_is_a_poisson_regression():
    counts = np.random.default_rng(1).poisson(np.exp(0.5 * X[:, 0] - 0.3 * X[:, 1] + 1))
    linear = KerasDenseRegressor(loss="poisson", depth=0, l2=0.0, random_state=0, **SETTLING)
    linear.fit(X, counts)
    other = PoissonRegressor(alpha=0, tol=1e-8).fit(X, counts)
    assert_allclose(linear.coefs_[0][:, 0], other.coef_, atol=1e-3)
    assert_allclose(linear.predict(X_VAL), other.predict(X_VAL), rtol=1e-3)
    assert (linear.predict(-50 * np.eye(3)) > 0).all()


# --- numbers far apart or close together ---------------------------------------------------

LEARNED = X @ [2.0, -1.0, 0.5] + 0.3
QUICK = SMALL | {"epochs": 100, "learning_rate": 0.05}


def share_explained(y, predicted):
    """Return R2, in units that neither underflow nor overflow."""
    unit = np.ptp(y)
    return 1 - np.mean(((predicted - y) / unit) ** 2) / np.var((y - y[0]) / unit)


def by_hand(X, weights=None):
    mean = np.average(LEARNED, weights=weights)
    scale = np.sqrt(np.average((LEARNED - mean) ** 2, weights=weights))
    network = KerasDenseRegressor(**QUICK, standardize_target=False)
    return network.fit(X, (LEARNED - mean) / scale, weights).predict(X) * scale + mean


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("mean", "scale"),
    [(1e6, 1e-6), (-1.7e9, 10.0), (1e-3, 1e-15), (0, 1e-170), (0, 1e-300), (0, 1e40), (0, 1e150)],
)
def test_numbers_are_learned_whatever_their_mean_and_spread(mean, scale, dtype):
    y, rows = mean + scale * LEARNED, X.astype(dtype)
    network = KerasDenseRegressor(**QUICK).fit(rows, y)
    expected = share_explained(LEARNED, by_hand(rows))
    assert expected > 0.9
    assert share_explained(y, network.predict(rows)) == pytest.approx(expected, abs=1e-3)
    outputs = network.to_keras().predict(rows, verbose=0)[:, 0]
    assert share_explained(y, outputs.astype(np.float64)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("unit", [1e-270, 1e-20, 1.0, 1e300])
def test_weighted_numbers_are_learned_whatever_their_mean_and_the_unit_of_weights(unit):
    weights = RNG.uniform(0.1, 1.0, N_ROWS)
    weights[0] = 1e-28  # what is subtracted first must not hang on one row
    y = 1e6 + 1e-6 * LEARNED
    y[0] = 0
    network = KerasDenseRegressor(**QUICK).fit(X, y, unit * weights)
    expected = share_explained(LEARNED[1:], by_hand(X, weights)[1:])
    assert share_explained(y[1:], network.predict(X)[1:]) == pytest.approx(expected, abs=1e-2)


def test_each_column_of_numbers_has_its_own_mean_and_spread():
    columns = np.column_stack([LEARNED, 1e6 + 1e-6 * LEARNED, np.full(N_ROWS, 0.1), -LEARNED])
    network = KerasDenseRegressor(**QUICK).fit(X, columns)
    predicted = network.predict(X)
    for column in (0, 1, 3):
        assert share_explained(columns[:, column], predicted[:, column]) > 0.9
    scale = LEARNED.std() * np.array([1, 1e-6, 0, 1]) + [0, 0, 1, 0]
    assert_allclose(network._fitted.target.scale, scale, rtol=1e-5)
    assert network._fitted.target.mean[2] == 0.1


@pytest.mark.parametrize("constant", [0.1, -1e308, 5e-324])
def test_a_constant_is_its_own_mean_of_scale_1(constant):
    network = KerasDenseRegressor(**SMALL).fit(X, np.full(N_ROWS, constant))
    assert_array_equal(network._fitted.target.mean, [constant])
    assert_array_equal(network._fitted.target.scale, [1])


def test_validation_numbers_beyond_float64_in_units_of_y_are_refused():
    network = KerasDenseRegressor(**SMALL)
    match = "y_val must be numbers that float64 holds in standard deviations .* Got .*1e.300"
    validation = {"X_val": X_VAL, "y_val": np.full(len(X_VAL), 1e300)}
    assert_fit_fails(network, X, 1e-20 * LEARNED, match=match, **validation)


@pytest.mark.parametrize(
    ("mean", "scale", "expected"),
    [
        (2000, 10, np.float32),
        (1e6, 1e3, np.float32),
        (1.7e9, 1e7, np.float32),
        (1.7e9, 10, np.float64),
        (1e6, 1e-6, np.float64),
        (0, 1e36, np.float64),
        (0, 1e-36, np.float64),
    ],
)
def test_predictions_are_in_the_dtype_of_x_where_it_can_hold_them(mean, scale, expected):
    network = KerasDenseRegressor(**SMALL).fit(X.astype(np.float32), mean + scale * LEARNED)
    assert network.predict(X.astype(np.float32)).dtype == expected
    assert network.predict(X).dtype == np.float64
    assert network.to_keras().outputs[0].dtype == np.dtype(expected).name


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize(("mean", "scale"), [(1.7e9, 10), (0, 1e40)])
def test_callbacks_see_a_model_that_holds_the_numbers(engine, mean, scale):
    seen = []
    rows = X.astype(np.float32)

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.predict(rows, verbose=0)[:, 0])

    network = KerasDenseRegressor(**SMALL, engine=engine, callbacks=Look())
    predicted = network.fit(rows, mean + scale * LEARNED).predict(rows)
    assert_allclose((seen[-1] - mean) / scale, (predicted - mean) / scale, atol=1e-5)


# --- class weights -------------------------------------------------------------------------

GIVEN = {"ant": 0.5, "cow": 3.0}
AS_ROWS = np.where(CLASSES == "ant", 0.5, np.where(CLASSES == "cow", 3.0, 1.0))


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS], ids=["alone", "with weights"])
def test_class_weights_multiply_sample_weights_bit_for_bit(sample_weight):
    product = AS_ROWS if sample_weight is None else AS_ROWS * sample_weight
    network = classifier(class_weight=GIVEN).fit(X, CLASSES, sample_weight)
    assert_same_bits(network, classifier().fit(X, CLASSES, product))
    plain = classifier().fit(X, CLASSES, sample_weight)
    assert np.abs(network.coefs_[0] - plain.coefs_[0]).max() > 1e-6


@pytest.mark.parametrize("class_weight", [{}, dict.fromkeys(NAMES, 1), dict.fromkeys(NAMES, 7.0)])
def test_equal_class_weights_are_none(class_weight):
    network = classifier(class_weight=class_weight).fit(X, CLASSES)
    expected = classifier().fit(X, CLASSES)
    assert_allclose(network.predict_proba(X), expected.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("y", "class_weight"),
    [(TWO, {True: 3}), (TWO.astype(int), {1: 3}), (np.where(TWO, "yes", "no"), {"yes": 3})],
    ids=["booleans", "integers", "strings"],
)
def test_class_weights_go_by_label(y, class_weight):
    network = classifier(class_weight=class_weight).fit(X, y)
    assert_same_bits(network, classifier().fit(X, y, np.where(TWO, 3, 1)))


def balanced_over(y):
    weights = compute_class_weight("balanced", classes=NAMES, y=y)
    return dict(zip(NAMES.tolist(), weights, strict=True))


def test_balanced_is_that_of_scikit_learn():
    network = classifier(class_weight="balanced").fit(X, CLASSES)
    assert_same_bits(network, classifier(class_weight=balanced_over(CLASSES)).fit(X, CLASSES))


def test_balanced_counts_rows_by_their_weight():
    expected = balanced_over(np.repeat(CLASSES, WEIGHTS))
    assert expected != balanced_over(CLASSES)
    network = classifier(class_weight="balanced").fit(X, CLASSES, WEIGHTS)
    other = classifier(class_weight=expected).fit(X, CLASSES, WEIGHTS)
    assert_allclose(network.predict_proba(X), other.predict_proba(X), rtol=1e-9)


def test_balanced_labels_are_those_of_scikit_learn():
    y = LABELS.copy()
    y[:, 1] = 1  # a label of one value weighs 1
    network = classifier(class_weight="balanced").fit(X, csr_array(y))
    other = classifier().fit(X, y, compute_sample_weight("balanced", y))
    assert_allclose(network.predict_proba(X), other.predict_proba(X), rtol=1e-9)
    plain = classifier().fit(X, y)
    assert np.abs(network.coefs_[0] - plain.coefs_[0]).max() > 1e-6


def test_balanced_labels_count_rows_by_their_weight():
    repeated = np.repeat(np.arange(N_ROWS), WEIGHTS)
    balanced = np.zeros(N_ROWS)
    balanced[repeated] = compute_sample_weight("balanced", LABELS[repeated])
    network = classifier(class_weight="balanced").fit(X, LABELS, WEIGHTS)
    other = classifier().fit(X, LABELS, WEIGHTS * balanced)
    assert_allclose(network.predict_proba(X), other.predict_proba(X), rtol=1e-9)


def test_weights_count_in_the_training_loss():
    network = classifier(class_weight="balanced", **AT_REST).fit(X, CLASSES, WEIGHTS)
    balanced = balanced_over(np.repeat(CLASSES, WEIGHTS))
    weights = WEIGHTS * np.array([balanced[name] for name in CLASSES])
    expected = log_loss(CLASSES, network.predict_proba(X), sample_weight=weights)
    assert_allclose(network.loss_curve_, [expected], rtol=1e-6)


def class_weights_of(y, names):
    return np.array([balanced_over(names)[name] for name in y])


@pytest.mark.parametrize("batch_size", ["auto", pytest.param(7, marks=pytest.mark.slow)])
def test_weights_count_in_the_validation_loss(batch_size):
    network = classifier(class_weight="balanced", batch_size=batch_size)
    validation = {"y_val": CLASSES_VAL, "sample_weight_val": WEIGHTS_VAL}
    network.fit(X, CLASSES, X_val=X_VAL, **validation)
    weights = WEIGHTS_VAL * class_weights_of(CLASSES_VAL, CLASSES)
    expected = log_loss(CLASSES_VAL, network.predict_proba(X_VAL), sample_weight=weights)
    assert network.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-6)
    unweighted = log_loss(CLASSES_VAL, network.predict_proba(X_VAL))
    assert abs(expected - unweighted) > 1e-3


def test_weights_count_in_the_validation_loss_of_held_out_rows():
    network = classifier(class_weight="balanced", validation_fraction=0.25)
    network.fit(X, CLASSES, WEIGHTS)
    held = network.validation_indices_
    weights = (WEIGHTS * class_weights_of(CLASSES, np.repeat(CLASSES, WEIGHTS)))[held]
    expected = log_loss(CLASSES[held], network.predict_proba(X[held]), sample_weight=weights)
    assert network.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-6)


def test_weights_count_in_the_validation_loss_of_labels():
    network = classifier(class_weight="balanced")
    network.fit(X, LABELS, X_val=X_VAL, y_val=LABELS_VAL, sample_weight_val=WEIGHTS_VAL)
    weights = WEIGHTS_VAL.copy()
    for column, known in zip(LABELS_VAL.T, LABELS.T, strict=True):
        weights *= compute_class_weight("balanced", classes=np.arange(2), y=known)[column]
    p = network.predict_proba(X_VAL)
    rows = -np.where(LABELS_VAL == 1, np.log(p), np.log(1 - p)).mean(axis=1)
    expected = np.average(rows, weights=weights)
    assert network.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-6)


def test_weights_count_in_the_watched_score():
    network = classifier(class_weight=GIVEN, early_stopping=True, scoring="accuracy")
    validation = {"y_val": CLASSES_VAL, "sample_weight_val": WEIGHTS_VAL}
    network.fit(X, CLASSES, X_val=X_VAL, **validation)
    weights = WEIGHTS_VAL * np.array([GIVEN.get(name, 1.0) for name in CLASSES_VAL])
    expected = accuracy_score(CLASSES_VAL, network.predict(X_VAL), sample_weight=weights)
    assert max(network.history_["val_score"]) == pytest.approx(expected)


def test_warm_start_goes_on_with_a_class_of_weight_0():
    network = classifier(class_weight={"bee": 0}, warm_start=True)
    twice = network.fit(X, CLASSES).fit(X, CLASSES)
    assert_same_bits(twice, classifier(class_weight={"bee": 0}, epochs=4).fit(X, CLASSES))


NO_ROW_COUNTS = "positive weight, that of their class included"
BAD_CLASS_WEIGHTS = {
    "unknown class": ({"dog": 2}, r"class_weight .*\['ant', 'bee', 'cow'\]. Got 'dog'"),
    "number of a class": ({0: 2}, r"class_weight must name classes .* Got 0"),
    "negative": ({"bee": -1}, r"class_weight must be of numbers >= 0. Got 'bee': -1"),
    "nan": ({"bee": np.nan}, r"class_weight must be of numbers >= 0. Got 'bee': nan"),
    "infinity": ({"bee": np.inf}, r"class_weight must be of numbers >= 0. Got 'bee': inf"),
    "text": ({"bee": "2"}, "class_weight must be of numbers >= 0. Got 'bee': "),
    "none": ({"bee": None}, "class_weight must be of numbers >= 0. Got 'bee': None"),
    "array": ({"bee": np.ones(2)}, "class_weight must be of numbers >= 0. Got 'bee': "),
    "one class left": ({"ant": 0, "bee": 0}, "at least 2 classes.* Got one class: 'cow'"),
    "no class left": (dict.fromkeys(NAMES.tolist(), 0), NO_ROW_COUNTS),
    "other name": ("balance", r"'class_weight' parameter .* must be .*balanced.* Got 'balance'"),
    "list": ([1, 2, 3], r"'class_weight' parameter .* must be .* Got \[1, 2, 3\]"),
}


@pytest.mark.parametrize(
    ("class_weight", "match"), BAD_CLASS_WEIGHTS.values(), ids=BAD_CLASS_WEIGHTS
)
def test_unusable_class_weights(class_weight, match):
    assert_fit_fails(classifier(class_weight=class_weight), X, CLASSES, match=match)


def test_class_weights_by_label_are_refused_for_several_labels():
    network = classifier(class_weight={0: 2.0})
    assert_fit_fails(network, X, LABELS, match="'balanced' for an indicator matrix. Got a dict")


def test_sample_and_class_weights_that_leave_no_row_are_refused():
    ants_only = (CLASSES == "ant").astype(float)
    network = classifier(class_weight={"ant": 0})
    assert_fit_fails(network, X, CLASSES, ants_only, match=NO_ROW_COUNTS)


def test_validation_rows_that_all_have_a_class_of_weight_0_are_refused():
    ants = CLASSES == "ant"
    validation = {"X_val": X[ants], "y_val": CLASSES[ants]}
    network = classifier(class_weight={"ant": 0})
    assert_fit_fails(network, X, CLASSES, match=NO_ROW_COUNTS, **validation)


def test_a_chunk_whose_rows_all_have_a_class_of_weight_0_is_refused():
    ants = CLASSES == "ant"
    network = classifier(class_weight={"ant": 0}).partial_fit(X, CLASSES, classes=NAMES)
    before = weights_of(network)
    with pytest.raises(ValueError, match=NO_ROW_COUNTS):
        network.partial_fit(X[ants], CLASSES[ants])
    for ours, theirs in zip(weights_of(network), before, strict=True):
        assert_array_equal(ours, theirs)


# --- weights of rows -----------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}], ids=str)
@pytest.mark.parametrize("container", [np.asarray, csr_array], ids=["dense", "csr"])
def test_a_weight_of_2_is_a_row_twice_and_0_is_none(container, class_weight):
    y = np.unique(CLASSES, return_inverse=True)[1]
    assert_weights_are_repetitions(classifier(class_weight=class_weight), container, y)


@pytest.mark.parametrize("class_weight", [None, "balanced"], ids=str)
@pytest.mark.parametrize("container", [np.asarray, csr_array], ids=["dense", "csr"])
def test_a_weight_of_2_is_a_row_of_labels_twice_and_0_is_none(container, class_weight):
    assert_weights_are_repetitions(classifier(class_weight=class_weight), container, LABELS)


def assert_weights_are_repetitions(network, container, y):
    """Fit and watch rows with weights, and each row as many times as it weighs."""
    network.set_params(epochs=10, learning_rate=0.05)
    some = WEIGHTS[:20]
    validation = {"X_val": container(X[:20]), "y_val": y[:20], "sample_weight_val": some}
    weighted = clone(network).fit(container(X), y, WEIGHTS, **validation)
    rows, watched = np.repeat(np.arange(N_ROWS), WEIGHTS), np.repeat(np.arange(20), some)
    repeated = clone(network).fit(
        container(X[rows]), y[rows], X_val=container(X[watched]), y_val=y[watched]
    )
    unweighted = clone(network).fit(container(X), y).predict_proba(X)
    expected = repeated.predict_proba(X)
    assert_allclose(weighted.predict_proba(X), expected, rtol=1e-9)
    assert np.abs(unweighted - expected).max() > 1e-3
    for name in ("loss", "val_loss"):
        assert_allclose(weighted.history_[name], repeated.history_[name], rtol=1e-9)
