"""The early-stopping rule alone, on plain numbers, and against Keras' callback."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from skdense._training.early_stopping import EarlyStopping

NAN, INF = float("nan"), float("inf")

directions = pytest.mark.parametrize("greater_is_better", [True, False])


def stop_epoch(rule, scores):
    """Return the epoch, from 1, after which the rule stops; None if it never does."""
    for epoch, score in enumerate(scores, start=1):
        rule.follow(score, epoch)
        if rule.has_stalled:
            return epoch
    return None


def followed(scores, **parameters):
    """Return the rule after all scores, whatever its patience."""
    rule = EarlyStopping(**{"greater_is_better": False} | parameters)
    is_best = [rule.follow(score, epoch) for epoch, score in enumerate(scores, start=1)]
    return rule, is_best


def improving(scores, greater_is_better):
    return scores if greater_is_better else [-score for score in scores]


# --- the best epoch ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "best_epoch"),
    [
        ([3.0], 1),
        ([3.0, 2.0, 1.0], 3),
        ([1.0, 2.0, 3.0], 1),
        ([2.0, 1.0, 3.0, 0.5, 4.0], 4),
        ([-1.0, -3.0, -2.0], 2),
        ([1.0, -1.0, 0.0], 2),
    ],
)
def test_best_epoch_has_the_lowest_loss(scores, best_epoch):
    rule, _ = followed(scores)
    assert (rule.best_epoch, rule.best_score) == (best_epoch, min(scores))


@pytest.mark.parametrize(
    ("scores", "best_epoch"), [([-5.0, -3.0, -4.0], 2), ([0.1, 0.9, 0.8], 2), ([0.0, -1.0], 1)]
)
def test_best_epoch_has_the_greatest_score(scores, best_epoch):
    rule, _ = followed(scores, greater_is_better=True)
    assert (rule.best_epoch, rule.best_score) == (best_epoch, max(scores))


@directions
def test_of_equal_scores_the_first_is_best(greater_is_better):
    scores = improving([1.0, 2.0, 2.0, 2.0, 1.0], greater_is_better)
    rule, is_best = followed(scores, greater_is_better=greater_is_better)
    assert rule.best_epoch == 2
    assert is_best == [True, True, False, False, False]


@directions
def test_negative_zero_is_no_improvement_on_zero(greater_is_better):
    _, is_best = followed([0.0, -0.0, 0.0], greater_is_better=greater_is_better)
    assert is_best == [True, False, False]


@directions
def test_best_epoch_ignores_min_delta(greater_is_better):
    scores = improving([1.0, 1.25, 1.125], greater_is_better)
    rule, is_best = followed(scores, greater_is_better=greater_is_better, min_delta=10.0)
    assert rule.best_epoch == 2
    assert is_best == [True, True, False]


@directions
def test_best_epoch_of_random_scores_with_gaps_is_that_of_numpy(greater_is_better):
    rng = np.random.default_rng(0)
    best = np.nanargmax if greater_is_better else np.nanargmin
    for _ in range(50):
        scores = rng.normal(size=12)
        scores[rng.choice(12, 4, replace=False)] = np.nan
        rule, _ = followed(scores.tolist(), greater_is_better=greater_is_better)
        assert rule.best_epoch == best(scores) + 1


# --- patience ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "patience", "stop"),
    [
        ([3.0, 2.0, 2.5], 1, 3),
        ([3.0, 2.0, 1.0], 1, None),
        ([3.0, 3.0], 1, 2),
        ([1.0, 2.0, 3.0, 4.0], 3, 4),
        ([1.0, 2.0, 3.0, 0.5, 2.0, 3.0], 3, None),
        ([1.0, 2.0, 3.0, 0.5, 2.0, 3.0, 0.5], 3, 7),
        ([1.0], 1, None),
        ([-1.0, -2.0, -1.5, -1.0], 2, 4),
    ],
)
def test_stops_after_epochs_in_a_row_without_improvement(scores, patience, stop):
    assert stop_epoch(EarlyStopping(False, patience), scores) == stop
    mirrored = [-score for score in scores]
    assert stop_epoch(EarlyStopping(True, patience), mirrored) == stop


@directions
def test_without_patience_it_never_stops(greater_is_better):
    assert stop_epoch(EarlyStopping(greater_is_better), [1.0] * 50) is None


@directions
def test_a_step_of_min_delta_alone_does_not_count(greater_is_better):
    scores = improving([0.0, 0.5, 0.25], greater_is_better)
    assert stop_epoch(EarlyStopping(greater_is_better, 2, min_delta=0.5), scores) == 3


@directions
def test_a_step_of_more_than_min_delta_counts(greater_is_better):
    scores = improving([0.0, 0.75, 0.25], greater_is_better)
    assert stop_epoch(EarlyStopping(greater_is_better, 2, min_delta=0.5), scores) is None


@directions
def test_small_steps_count_once_they_add_up(greater_is_better):
    # Each step is half of min_delta: the third since the last restored patience exceeds it.
    scores = improving([0.25 * epoch for epoch in range(12)], greater_is_better)
    assert stop_epoch(EarlyStopping(greater_is_better, 3, min_delta=0.5), scores) is None
    assert stop_epoch(EarlyStopping(greater_is_better, 2, min_delta=0.5), scores) == 3


# --- NaN and infinity --------------------------------------------------------------------


@directions
def test_nan_at_first_uses_up_patience_until_there_is_a_number(greater_is_better):
    rule, is_best = followed([NAN, NAN, 5.0, NAN], greater_is_better=greater_is_better)
    assert is_best == [False, False, True, False]
    assert (rule.best_epoch, rule.best_score, rule.n_stalled) == (3, 5.0, 1)
    assert stop_epoch(EarlyStopping(greater_is_better, 2), [NAN, NAN, 5.0]) == 2
    assert stop_epoch(EarlyStopping(greater_is_better, 3), [NAN, NAN, 5.0, NAN]) is None


@directions
def test_nan_in_the_middle_is_no_improvement_and_hides_none(greater_is_better):
    scores = improving([1.0, NAN, 2.0, NAN, NAN], greater_is_better)
    rule, is_best = followed(scores, greater_is_better=greater_is_better, patience=2)
    assert is_best == [True, False, True, False, False]
    assert rule.best_epoch == 3
    assert stop_epoch(EarlyStopping(greater_is_better, 2), scores) == 5


@directions
def test_nan_always_has_no_best_epoch_and_stops(greater_is_better):
    rule, is_best = followed([NAN] * 4, greater_is_better=greater_is_better)
    assert not any(is_best)
    assert rule.best_epoch == 0
    assert np.isnan(rule.best_score)
    assert stop_epoch(EarlyStopping(greater_is_better, 4), [NAN] * 9) == 4


@directions
def test_any_number_improves_on_the_worst_infinity(greater_is_better):
    scores = improving([-INF, -INF, 3.0], greater_is_better)
    rule, is_best = followed(scores, greater_is_better=greater_is_better, min_delta=1.0)
    assert is_best == [True, False, True]
    assert (rule.best_epoch, rule.n_stalled) == (3, 0)


@directions
def test_nothing_improves_on_the_best_infinity(greater_is_better):
    scores = improving([1.0, INF, INF, 7.0], greater_is_better)
    rule, is_best = followed(scores, greater_is_better=greater_is_better)
    assert is_best == [True, True, False, False]
    assert (rule.best_epoch, rule.n_stalled) == (2, 2)


# --- Keras' callback ---------------------------------------------------------------------


def keras_stop_epoch(scores, greater_is_better, patience, min_delta):
    """Return where Keras' callback stops, and its best epoch; driven without a model."""
    mode = "max" if greater_is_better else "min"
    callback = keras.callbacks.EarlyStopping(
        "watched", mode=mode, patience=patience, min_delta=min_delta
    )
    model = SimpleNamespace(stop_training=False)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, score in enumerate(scores):
        callback.on_epoch_end(epoch, {"watched": score})
        if model.stop_training:
            return epoch + 1, callback.best_epoch + 1
    return None, callback.best_epoch + 1


def random_scores(rng):
    """Return scores on a grid, which float arithmetic keeps exact and which has many ties."""
    scores = rng.integers(-8, 8, size=rng.integers(1, 25)) / 8
    scores = scores.astype(float)
    # Not at first: Keras never gets over a NaN there.
    for special in (NAN, INF, -INF):
        scores[1:][rng.random(len(scores) - 1) < 0.05] = special
    return scores.tolist()


@directions
@pytest.mark.parametrize("patience", [1, 2, 5])
@pytest.mark.parametrize("min_delta", [0.0, 0.125, 0.5])
def test_stops_where_keras_stops(greater_is_better, patience, min_delta):
    rng = np.random.default_rng(patience)
    stops = []
    for _ in range(100):
        scores = random_scores(rng)
        rule = EarlyStopping(greater_is_better, patience, min_delta)
        stop, best_epoch = keras_stop_epoch(scores, greater_is_better, patience, min_delta)
        assert stop_epoch(rule, scores) == stop, scores
        if min_delta == 0:
            assert rule.best_epoch == best_epoch, scores
        stops.append(stop)
    assert None in stops
    assert len(set(stops)) > 3
