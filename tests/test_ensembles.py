"""``n_estimators``: several networks in one batch, whose mean answers."""

import pickle
from dataclasses import replace

import keras
import numpy as np
import onnxruntime
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._estimators.copies import copy_with_fit
from skdense._training.program import trace_count

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 4))
NUMBERS = np.tanh(X @ [1.0, -1.0, 0.5, 0.2]) + 0.2 * RNG.standard_normal(120)
LETTERS = np.array(list("abc"))[np.digitize(NUMBERS, [-0.4, 0.4])]
TARGETS = {
    "two": (KerasDenseClassifier, (NUMBERS > 0).astype(int)),
    "three": (KerasDenseClassifier, LETTERS),
    "labels": (KerasDenseClassifier, np.c_[NUMBERS > 0, X[:, 1] > 0].astype(int)),
    "numbers": (KerasDenseRegressor, NUMBERS),
    "columns": (KerasDenseRegressor, np.c_[NUMBERS, 100 * X[:, 1] + 5]),
}
LOGITS, SIGMOIDS = {"output_activation": "linear"}, {"output_activation": "sigmoid"}
LOG_SOFTMAX = {"output_activation": "log_softmax", "loss": "mse"}
HEADS = [
    *((name, {}) for name in TARGETS),
    ("two", LOGITS),
    ("two", {"output_activation": "softmax"}),
    ("two", {"loss": "hinge"}),
    ("three", LOGITS),
    ("three", SIGMOIDS | {"loss": "binary_crossentropy"}),
    ("three", {"loss": "categorical_hinge"}),
    ("three", {"output_activation": "relu", "loss": "mse"}),
    ("three", LOG_SOFTMAX),
    ("labels", LOGITS),
    ("labels", {"loss": "hinge"}),
]
SETTINGS = {"units": 6, "epochs": 5, "batch_size": 32, "random_state": 0, "n_estimators": 3}
SETTINGS |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
STOPPING = {"early_stopping": True, "patience": 2, "epochs": 8}
targets = pytest.mark.parametrize("name", TARGETS)
heads = pytest.mark.parametrize(
    ("name", "head"), HEADS, ids=[f"{name}-{'-'.join(head.values())}" for name, head in HEADS]
)


def make(name, **changes):
    return TARGETS[name][0](**SETTINGS | changes)


def fitted(name, **changes):
    return make(name, **changes).fit(X, TARGETS[name][1])


def answers(estimator, rows=X):
    return getattr(estimator, "predict_proba", estimator.predict)(rows)


def members_of(estimator):
    fits = [replace(estimator._fitted, members=(own,)) for own in estimator._fitted.members]
    return [copy_with_fit(estimator, one) for one in fits]


@pytest.mark.slow
def test_nothing_is_written_of_networks_that_drop_out(capfd):
    fitted("three", n_estimators=2, units=7, dropout=0.3)
    fitted("three", n_estimators=2, units=7, dropout=0.3, engine="keras")
    written = capfd.readouterr()
    # TensorFlow's own greeting, at the first fit of a process, has lines of another form.
    assert not [line for line in (written.out + written.err).splitlines() if "WARNING" in line]


@pytest.mark.slow
@heads
def test_answers_are_the_mean_of_the_members(name, head):
    network = fitted(name, **head)
    mean = np.mean([answers(member) for member in members_of(network)], axis=0)
    assert_allclose(answers(network), mean, rtol=1e-6, atol=1e-9)
    assert len({answers(member).tobytes() for member in members_of(network)}) == 3
    if name != "labels" and hasattr(network, "classes_"):
        assert_array_equal(network.predict(X), network.classes_[mean.argmax(axis=1)])
        decision = network.decision_function(X)
        chosen = decision.argmax(axis=1) if decision.ndim > 1 else (decision > 0).astype(int)
        assert_array_equal(network.predict(X), network.classes_[chosen])
        assert_allclose(np.exp(network.predict_log_proba(X)), mean, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@heads
def test_every_view_has_all_members(name, head, tmp_path):
    network, rows = fitted(name, **head), X.astype(np.float32)
    expected = answers(network, rows)
    assert_array_equal(answers(pickle.loads(pickle.dumps(network)), rows), expected)  # noqa: S301 - its own
    network.save(tmp_path / "network.skdense")
    assert_array_equal(answers(skdense.load(tmp_path / "network.skdense"), rows), expected)
    session = onnxruntime.InferenceSession(skdense.to_onnx(network, rows).SerializeToString())
    *_, outputs = session.run(None, {session.get_inputs()[0].name: rows})
    scale = np.abs(expected).max()
    assert_allclose(np.reshape(outputs, expected.shape), expected, atol=1e-5 * scale)
    network.to_keras().save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    given = {}
    if isinstance(network, KerasDenseClassifier):
        labels = name == "labels"
        given = {"multi_label": labels, "classes": None if labels else network.classes_}
    again = type(network).from_keras(model, **given)
    assert again.n_estimators == 3
    if head.get("output_activation") != "relu" and "hinge" not in head.get("loss", ""):
        assert_allclose(answers(again, rows), expected, rtol=1e-4, atol=1e-5 * scale)
    assert "3 members of 4 features" in network._repr_html_()


@targets
def test_the_keras_model_gives_the_mean(name):
    network, rows = fitted(name), X.astype(np.float32)
    expected = answers(network, rows)
    if name == "two":
        expected = expected[:, 1]
    found = np.reshape(network.to_keras()(rows), expected.shape)
    assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_arrays_have_a_leading_axis():
    network = fitted("three")
    assert [kernel.shape for kernel in network.coefs_] == [(3, 4, 6), (3, 6, 6), (3, 6, 3)]
    assert [bias.shape for bias in network.intercepts_] == [(3, 6), (3, 6), (3, 3)]
    assert fitted("three", n_estimators=1).coefs_[0].shape == (4, 6)


def test_a_single_network_is_what_it_was():
    alone = fitted("numbers", n_estimators=1)
    first = members_of(fitted("numbers"))[0]
    assert_allclose(alone.predict(X), first.predict(X), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "watched"),
    [("three", {}), ("three", STOPPING | LOG_SOFTMAX), *((name, STOPPING) for name in TARGETS)],
)
def test_both_engines_agree(name, watched):
    # Keras begins anew for each epoch of each member, which takes a while.
    settings = {"dtype": "float64", "learning_rate": 0.05, "n_estimators": 2, "epochs": 2} | watched
    compiled, by_keras = fitted(name, **settings), fitted(name, engine="keras", **settings)
    assert compiled.n_iter_ == by_keras.n_iter_
    assert compiled.best_epoch_ == by_keras.best_epoch_
    for key, values in compiled.history_.items():
        assert_allclose(values, by_keras.history_[key], rtol=1e-6, err_msg=key)
    assert_allclose(answers(compiled), answers(by_keras), rtol=1e-7, atol=1e-9)


def test_early_stopping_watches_the_mean():
    network = fitted("three", early_stopping=True, validation_fraction=0.3, epochs=30)
    held = network.validation_indices_
    best = network.history_["val_loss"][network.best_epoch_ - 1]
    assert best == min(network.history_["val_loss"])
    assert_allclose(log_loss(LETTERS[held], network.predict_proba(X[held])), best, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("head", [{}, LOGITS])
@pytest.mark.parametrize("name", ["two", "three"])
def test_a_scorer_judges_the_mean(name, head):
    settings = {"early_stopping": True, "epochs": 10, "scoring": "neg_log_loss"}
    network = fitted(name, **settings, **head)
    assert_allclose(
        network.history_["val_score"], -np.array(network.history_["val_loss"]), rtol=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_training_goes_on_for_each_member(engine):
    settings = {"engine": engine, "dtype": "float64", "n_estimators": 2}
    network = make("numbers", warm_start=True, epochs=2, **settings)
    network.fit(X, NUMBERS).fit(X, NUMBERS)
    longer = fitted("numbers", epochs=4, **settings)
    assert_allclose(network.predict(X), longer.predict(X), rtol=1e-9)
    chunks = make("three", **settings)
    chunks.partial_fit(X[:60], LETTERS[:60], classes=list("abc")).partial_fit(X[60:], LETTERS[60:])
    assert len(chunks._fitted.states) == 2
    assert chunks.n_iter_ == 2


def test_another_number_cannot_go_on():
    network = fitted("numbers", warm_start=True).set_params(n_estimators=2)
    with pytest.raises(ValueError, match="contradict: n_estimators"):
        network.fit(X, NUMBERS)


def test_weights_sparse_rows_and_metrics():
    weights = np.linspace(0, 2, 120)
    dense = make("three", metrics="accuracy").fit(X, LETTERS, sample_weight=weights)
    sparse = make("three", metrics="accuracy")
    sparse.fit(scipy.sparse.csr_array(X), LETTERS, sample_weight=weights)
    assert_allclose(answers(sparse, X), answers(dense), rtol=1e-5, atol=1e-6)
    assert dense.history_.keys() == {"loss", "accuracy"}
    balanced = fitted("three", class_weight="balanced")
    assert not np.allclose(answers(balanced), answers(fitted("three")))


def test_one_program_for_all_members_and_seeds():
    fitted("three")
    before = trace_count()
    fitted("three", random_state=1, learning_rate=0.1)
    assert trace_count() == before


def test_a_search_over_the_number_of_networks():
    search = GridSearchCV(make("three"), {"n_estimators": [1, 2]}, cv=2).fit(X, LETTERS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_refit_trains_all_members_on_all_rows():
    network = fitted("numbers", early_stopping=True, refit_full=True, epochs=12)
    anew = fitted("numbers", epochs=network.best_epoch_)
    assert_allclose(network.predict(X), anew.predict(X), rtol=1e-9)


def test_progress_is_of_the_group(capsys):
    fitted("numbers", verbose=2, early_stopping=True)
    assert capsys.readouterr().out.count("val_loss") == 5


def test_summary_shows_the_layers_once_or_of_every_network(capsys):
    network = fitted("numbers")
    total = f"Total params: {network.to_keras().count_params():,}"
    network.summary()
    shown = capsys.readouterr().out
    assert shown.startswith("Layers of each of 3 members ")
    assert f"{total} (3 members of " in shown
    assert shown.count("Dense, 6 units") == 2  # of two hidden layers
    network.summary(expand=True)
    shown = capsys.readouterr().out
    assert "member_0" in shown
    assert "member_2" in shown
    assert total in shown


def test_a_diverging_member_ends_the_fit_and_changes_nothing():
    network = fitted("numbers")
    before = network.predict(X)
    network.set_params(learning_rate=1e20, optimizer="sgd")
    with pytest.raises(ValueError, match="must stay finite"):
        network.fit(X, NUMBERS)
    assert_array_equal(network.predict(X), before)


@pytest.mark.parametrize("number", [0, -1, 1.5, None, "3"])
def test_numbers_that_count_nothing_are_errors(number):
    with pytest.raises(ValueError, match="'n_estimators' parameter"):
        fitted("numbers", n_estimators=number)


def test_callbacks_see_one_network():
    with pytest.raises(ValueError, match=r"callbacks see one network\. Got n_estimators=3"):
        fitted("numbers", callbacks=keras.callbacks.Callback())


def test_clones_and_parameters():
    network = make("numbers")
    assert clone(network).get_params()["n_estimators"] == 3
