"""Out-of-fold predictions, and calibrations of them that do not see a row's own fold."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.forward import forward
from skdense._networks.stages import SortedQuantiles
from skdense._problem.calibration.choice import cross_fit
from skdense._problem.calibration.shifts import Shifts
from skdense._problem.calibration.temperature import Temperature
from skdense._problem.rows import Rows
from skdense._problem.targets.classes import ClassTarget
from skdense._problem.targets.numbers import RegressionTarget

LEVELS = (0.1, 0.5, 0.9)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((101, 3))
NUMBERS = X[:, 0] + 0.5 * RNG.standard_normal(101)
LETTERS = np.array(list("abc"))[np.digitize(NUMBERS, [-0.4, 0.4])]
SETTINGS = {
    "units": 6,
    "epochs": 8,
    "batch_size": 16,
    "learning_rate": 0.03,
    "random_state": 0,
    "n_estimators": 4,
    "validation_fraction": "folds",
    "early_stopping": True,
    "scoring": "calibrated_loss",
}


def make_problem(y, n_folds, **own):
    """Return what a calibration reads of a problem, rows dealt out to folds in turn."""
    rows = Rows(np.zeros((len(y), 1)), y, None, np.arange(len(y)))
    folds = [(None, rows.at(np.arange(start, len(y), n_folds))) for start in range(n_folds)]
    return SimpleNamespace(folds=folds, held_out=None, **own)


def make_shifts(y, n_folds):
    target = RegressionTarget(np.zeros(1), np.ones(1), is_1d=True, quantiles=LEVELS)
    network = SimpleNamespace(output=SortedQuantiles("linear", 1, len(LEVELS)))
    return Shifts(make_problem(y, n_folds, target=target, network=network))


def make_temperature(y, n_folds):
    target = ClassTarget(3, 3, is_sparse=True, link="probabilities", decides_on_logits=True)
    return Temperature(make_problem(y, n_folds, target=target))


def by_fold(calibration, outputs, n_folds):
    """Return what the calibration of each fold found, of outputs by row."""
    rows = [held.index for _, held in calibration.problem.folds]
    found = cross_fit(calibration, outputs[np.concatenate(rows)][np.newaxis], list(map(len, rows)))
    values = [value for one in found for value in one.keywords.values()]
    return np.array(values).reshape(n_folds, -1)


@pytest.mark.parametrize("make", [make_shifts, make_temperature])
def test_a_fold_is_calibrated_by_the_others(make):
    is_shift = make is make_shifts
    y = RNG.standard_normal(40) if is_shift else RNG.integers(3, size=40)
    outputs = RNG.standard_normal((40, 3))
    found = by_fold(make(y, 4), outputs, 4)
    assert len(np.unique(found, axis=0)) == 4
    changed = y.copy()
    changed[::4] = y[::4] + 9 if is_shift else (y[::4] + 1) % 3
    again = by_fold(make(changed, 4), outputs, 4)
    assert_array_equal(again[0], found[0])
    assert (again[1:] != found[1:]).any(axis=1).all()


def test_conformal_intervals_of_shifted_quantiles_cover():
    """Over 200 sets, of quantiles too close together; shifted by the same rows they do not."""
    n_rows, n_folds, covered, by_the_same = 40, 8, [], []
    level = int(np.ceil(0.8 * (n_rows + 1))) - 1
    rng = np.random.default_rng(0)

    def draw(size):
        return rng.standard_normal(size), [-0.4, 0, 0.4] + 0.5 * rng.standard_normal((size, 1))

    for _ in range(200):
        (y, quantiles), (y_new, new) = draw(n_rows), draw(500)
        shifts = make_shifts(y, n_folds)
        rows = np.concatenate([held.index for _, held in shifts.problem.folds])
        by_all = shifts.find(quantiles[rows][np.newaxis]).keywords["shifts"]
        by_others = by_fold(shifts, quantiles, n_folds)[np.arange(n_rows) % n_folds]
        for shift, found in ((by_others, covered), (by_all, by_the_same)):
            low, _, high = np.sort(quantiles + shift, axis=1).T
            widening = np.sort(np.maximum(low - y, y - high))[level]
            low, _, high = np.sort(new + by_all, axis=1).T
            found.append(np.mean((low - widening <= y_new) & (y_new <= high + widening)))
    assert np.mean(covered) > 0.8 > np.mean(by_the_same)


def uncalibrated(network, *, activate):
    """Return what each network says of the rows that it held out, before calibration."""
    fitted, folds = network._fitted, network.validation_folds_
    spec = fitted.network
    if isinstance(spec.output, SortedQuantiles):
        spec = replace(spec, output=replace(spec.output, shifts=()))
    outputs = np.empty((len(X), spec.n_outputs))
    for number, own in enumerate(fitted.members):
        outputs[folds == number] = forward(spec, own, X[folds == number], activate=activate)
    return outputs * (getattr(network, "temperature_", None) or 1)


def test_probabilities_are_by_the_temperature_of_other_folds():
    network = KerasDenseClassifier(**SETTINGS, calibration="temperature").fit(X, LETTERS)
    logits, codes = uncalibrated(network, activate=False), np.searchsorted(list("abc"), LETTERS)
    temperatures = set()
    for number in range(4):
        own, others = (network.validation_folds_ == number) == [[True], [False]]

        def loss(logarithm, others=others):
            logs = log_softmax(logits[others] / np.exp(logarithm), axis=1)
            right = logs[np.arange(others.sum()), codes[others]]
            return -right.sum() - logs.mean(axis=1).mean()  # one row of any class counted in

        temperature = np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x)
        expected = softmax(logits[own] / temperature, axis=1)
        assert_allclose(network.oof_prediction_[own], expected, rtol=1e-3)
        temperatures.add(round(temperature, 6))
    assert len({*temperatures, round(network.temperature_, 6)}) == 5


def test_quantiles_are_shifted_by_other_folds():
    network = KerasDenseRegressor(**SETTINGS, quantiles=LEVELS).fit(X, NUMBERS)
    target = network._fitted.target
    plain = target.decode_quantiles(uncalibrated(network, activate=True))
    shifts = []
    for number in range(4):
        own = network.validation_folds_ == number
        # Where sorting leaves their order, as here.
        [shift] = np.unique((network.oof_prediction_ - plain)[own].round(5), axis=0)
        shifts.append(shift)
        above = (NUMBERS[~own, np.newaxis] <= (plain[~own] + shift) + 1e-4).mean(axis=0)
        assert_allclose(above, LEVELS, atol=0.02)
    assert len(np.unique(shifts, axis=0)) == 4
