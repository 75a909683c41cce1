"""`scoring="calibrated_loss"`: what remains after the best calibration, out of fold or not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.forward import forward

RNG = np.random.default_rng(0)
X = RNG.standard_normal((160, 4))
NUMBERS = np.tanh(X @ [1.0, -1.0, 0.5, 0.2]) + 0.3 * RNG.standard_normal(160)
LETTERS = np.array(list("abc"))[np.digitize(NUMBERS, [-0.4, 0.4])]
LABELS = np.c_[NUMBERS > 0, X[:, 1] > 0].astype(int)
SETTINGS = {"units": 8, "epochs": 12, "batch_size": 16, "learning_rate": 0.03, "random_state": 0}
SETTINGS |= {"scoring": "calibrated_loss", "early_stopping": True, "patience": 99}
SETTINGS |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
FOLDS = {"n_estimators": 4, "validation_fraction": "folds"}


def classifier(**changes):
    return KerasDenseClassifier(**SETTINGS | {"calibration": "temperature"} | changes)


def regressor(**changes):
    return KerasDenseRegressor(**SETTINGS | {"n_estimators": 2} | changes)


def held_out_outputs(network, *, activate=False):
    """Return what is said of rows that are held out, (members, rows, outputs), and the rows."""
    fitted = network._fitted
    if network.validation_fraction == "folds":
        folds = network.validation_folds_
        rows = np.argsort(folds, kind="stable")
        parts = [
            forward(fitted.network, own, X[folds == number], activate=activate)
            for number, own in enumerate(fitted.members)
        ]
        return np.concatenate(parts)[np.newaxis], rows
    rows = network.validation_indices_
    outputs = [forward(fitted.network, own, X[rows], activate=activate) for own in fitted.members]
    return np.stack(outputs), rows


def best_log_loss(logits, codes):
    """Return the log-loss by the best temperature, one row of any class counted in."""

    def loss(logarithm):
        logs = log_softmax(logits / np.exp(logarithm), axis=1)
        of_any = logs.mean(axis=1).mean()
        return -(logs[np.arange(len(codes)), codes].sum() + of_any) / (len(codes) + 1)

    return minimize_scalar(loss, bounds=(-4, 4), method="bounded").fun


@pytest.mark.slow
@pytest.mark.parametrize("changes", [FOLDS, {}])
def test_of_classes_it_is_the_log_loss_by_the_best_temperature(changes):
    network = classifier(**changes, dtype="float64").fit(X, LETTERS)
    logits, rows = held_out_outputs(network)
    codes = np.searchsorted(network.classes_, LETTERS[rows])
    watched = network.history_["val_calibrated_loss"]
    assert network.best_epoch_ == 1 + np.argmin(watched)
    assert_allclose(min(watched), best_log_loss(logits[0], codes), rtol=1e-4)
    assert len(network.history_["val_loss"]) == len(watched)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [FOLDS, {}, {"n_estimators": 3}])
def test_of_numbers_it_is_the_error_of_predictions_drawn_toward_their_mean(changes):
    network = regressor(**changes, standardize_target=False, dtype="float64").fit(X, NUMBERS)
    outputs, rows = held_out_outputs(network)
    mean, y = outputs.mean(axis=0), NUMBERS[rows]
    shares = np.linspace(0, 1, 10_001)[:, np.newaxis]
    drawn = mean.mean() + shares * (mean.ravel() - mean.mean())
    expected = np.mean((y - drawn) ** 2, axis=1).min()
    assert_allclose(min(network.history_["val_calibrated_loss"]), expected, rtol=1e-4)


def test_weights_of_rows_count():
    counts = np.arange(160) % 3
    rows = np.repeat(np.arange(160), counts)
    weighted = regressor(standardize_target=False, dtype="float64", batch_size=200, epochs=3)
    given = {"X_val": X, "y_val": NUMBERS}
    weighted.fit(X, NUMBERS, **given, sample_weight_val=counts.astype(float))
    repeated = regressor(standardize_target=False, dtype="float64", batch_size=200, epochs=3)
    repeated.fit(X, NUMBERS, X_val=X[rows], y_val=NUMBERS[rows])
    assert_allclose(
        weighted.history_["val_calibrated_loss"],
        repeated.history_["val_calibrated_loss"],
        rtol=1e-6,
    )


@pytest.mark.slow
@pytest.mark.parametrize("changes", [FOLDS, {}])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_both_engines_agree(make, changes):
    y = LETTERS if make is classifier else NUMBERS
    settings = changes | {"dtype": "float64", "epochs": 4}
    settings |= {"n_estimators": 2} if changes else {}
    compiled, by_keras = (make(**settings, engine=engine) for engine in ("compiled", "keras"))
    compiled.fit(X, y), by_keras.fit(X, y)
    assert compiled.best_epoch_ == by_keras.best_epoch_
    for name, values in compiled.history_.items():
        assert_allclose(values, by_keras.history_[name], rtol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "y"),
    [
        ({}, LABELS),
        ({}, LABELS[:, 0]),
        ({"output_activation": "softmax"}, LABELS[:, 0]),
        ({"output_activation": "sigmoid", "loss": "binary_crossentropy"}, LETTERS),
        ({"calibration": None} | FOLDS, LETTERS),
    ],
)
def test_every_kind_of_classes(changes, y):
    network = classifier(**changes).fit(X, y)
    watched = network.history_["val_calibrated_loss"]
    assert network.best_epoch_ == 1 + np.argmin(watched)
    assert 0 < min(watched) < 0.7 * len(set(LETTERS)) / 2


def test_several_outputs_and_a_constant_one():
    y = np.c_[NUMBERS, X[:, 0] ** 2, np.full(160, 5.0)]
    network = regressor(**FOLDS).fit(X, y)
    assert np.isfinite(network.history_["val_calibrated_loss"]).all()


def test_it_is_never_above_the_plain_loss_of_numbers():
    history = regressor(**FOLDS, epochs=40).fit(X, NUMBERS).history_
    gains = np.subtract(history["val_loss"], history["val_calibrated_loss"])
    assert gains.min() > -1e-6
    assert gains.max() > 1e-3


def test_warm_start_goes_on_watching_it():
    whole = classifier(**FOLDS, warm_start=True, epochs=6).fit(X, LETTERS)
    whole.fit(X, LETTERS)
    assert len(whole.history_["val_calibrated_loss"]) == 12


def test_without_rows_held_out_nothing_is_watched():
    network = classifier(early_stopping=False, calibration=None, n_estimators=2).fit(X, LETTERS)
    assert network.history_.keys() == {"loss"}


def test_predictions_of_the_wrong_sign_or_scale_are_not_mended():
    y = 3 * X[:, 1] + 1
    plain, watched = (
        regressor(depth=0, epochs=300, learning_rate=0.01, scoring=scoring, patience=10)
        for scoring in ("loss", "calibrated_loss")
    )
    assert watched.fit(X, y).score(X, y) > plain.fit(X, y).score(X, y) - 0.01


def test_a_constant_target_is_learned():
    network = regressor(epochs=60, patience=5).fit(X, np.full(160, 5.0))
    watched = network.history_["val_calibrated_loss"]
    assert watched[0] > watched[1] > watched[2]


@pytest.mark.filterwarnings("ignore::skdense.FeatureScaleWarning")  # the case itself
def test_huge_logits_cool_down():
    rows = np.repeat([[-1000.0], [1000.0]], 20, axis=0).astype(np.float32)
    network = classifier(depth=0, epochs=30, learning_rate=0.1, validation_fraction=0.5)
    network.fit(rows, np.repeat([0, 1], 20))
    assert network.history_["val_calibrated_loss"][-1] < 0.4
    probabilities = network.predict_proba(rows).max(axis=1)
    assert (probabilities > 0.8).all()


@pytest.mark.parametrize("make", [classifier, regressor])
def test_huge_weights_of_rows_leave_it_a_number(make):
    y = LETTERS if make is classifier else NUMBERS
    network = make(epochs=2).fit(X, y, sample_weight=np.full(160, 1e307))
    plain = make(epochs=2).fit(X, y)
    expected = plain.history_["val_calibrated_loss"]
    assert_allclose(network.history_["val_calibrated_loss"], expected, rtol=1e-5)


def test_one_classifier_without_a_calibration_is_refused():
    network = KerasDenseClassifier(scoring="calibrated_loss", early_stopping=True)
    with pytest.raises(ValueError, match=r"mean of several networks\. Got n_estimators=1 and cal"):
        network.fit(X, LETTERS)


def test_of_one_network_of_numbers_it_is_the_squared_error():
    history = regressor(n_estimators=1, epochs=3).fit(X, NUMBERS).history_
    assert_allclose(history["val_calibrated_loss"], history["val_loss"], rtol=1e-5)


def test_no_metric_may_have_its_name():
    def calibrated_loss(y_true, y_pred):
        return abs(y_true - y_pred)[:, 0]

    with pytest.raises(ValueError, match="none of loss, score, calibrated_loss"):
        regressor(metrics=[calibrated_loss]).fit(X, NUMBERS)


def test_outputs_that_have_no_logits_are_refused():
    with pytest.raises(ValueError, match=r"divides logits.*set calibration=None and scoring="):
        classifier(output_activation="tanh", loss="hinge").fit(X, LABELS[:, 0])


def test_other_texts_name_it():
    with pytest.raises(ValueError, match="'loss', 'calibrated_loss', a name of"):
        classifier(scoring="calibrated").fit(X, LETTERS)
