"""Displays of training and of mistakes, and scikit-learn's own with these estimators."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.colors import to_rgba
from scipy.sparse import bsr_array, coo_array, csr_array
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_blobs
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    LearningCurveDisplay,
    TunedThresholdClassifierCV,
    ValidationCurveDisplay,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdense import (
    ErrorAnalysisDisplay,
    KerasDenseClassifier,
    KerasDenseRegressor,
    TrainingHistoryDisplay,
)

IRIS = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def canvas():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def network(**parameters):
    return KerasDenseClassifier(**{"units": 8, "epochs": 6, "random_state": 0} | parameters)


@pytest.fixture(scope="module")
def plain():
    return network().fit(*IRIS)


@pytest.fixture(scope="module")
def watched():
    return network(validation_fraction=0.2, metrics=["accuracy"]).fit(*IRIS)


def labels(display):
    return [text.get_text() for text in display.axes_[0].get_legend().get_texts()]


# --- TrainingHistoryDisplay ----------------------------------------------------------------


def test_history_has_a_panel_for_each_metric_with_its_curves(watched):
    display = TrainingHistoryDisplay.from_estimator(watched)
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "accuracy"]
    for number, metric in enumerate(["loss", "accuracy"]):
        validation, training = display.lines_["KerasDenseClassifier"][2 * number :][:2]
        assert validation.get_xdata().tolist() == list(range(1, 7))
        assert validation.get_ydata().tolist() == watched.history_[f"val_{metric}"]
        assert training.get_ydata().tolist() == watched.history_[metric]
        assert (validation.get_linestyle(), training.get_linestyle()) == ("-", "--")
        assert validation.get_color() == training.get_color()
    assert all(ax.get_xlabel() == "epoch" for ax in display.axes_)
    best = f"KerasDenseClassifier (best epoch: {watched.best_epoch_})"
    assert labels(display) == [best, "validation", "training"]


def test_history_marks_the_best_epoch_where_it_is(watched):
    display = TrainingHistoryDisplay.from_estimator(watched)
    for ax, metric in zip(display.axes_, ["val_loss", "val_accuracy"], strict=True):
        [mark] = [line for line in ax.lines if line.get_marker() == "o"]
        best = watched.best_epoch_
        assert mark.get_xdata().tolist() == [best]
        assert mark.get_ydata().tolist() == [watched.history_[metric][best - 1]]


def test_history_without_validation_marks_no_epoch(plain):
    display = TrainingHistoryDisplay.from_estimator(plain, name="mine")
    assert labels(display) == ["mine"]
    [line] = display.lines_["mine"]
    assert line.get_linestyle() == "-"
    assert not any(drawn.get_marker() == "o" for drawn in display.axes_[0].lines)
    assert line.get_ydata().tolist() == plain.history_["loss"]


def test_history_of_one_epoch_is_visible():
    display = TrainingHistoryDisplay.from_estimator(network(epochs=1).fit(*IRIS))
    assert display.lines_["KerasDenseClassifier"][0].get_marker() == "."


def test_history_shows_what_early_stopping_watched():
    estimator = network(early_stopping=True, scoring="balanced_accuracy").fit(*IRIS)
    display = TrainingHistoryDisplay.from_estimator(estimator)
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "score"]


def test_histories_of_several_share_a_figure(plain, watched):
    several = {"plain": plain, "watched": watched}
    display = TrainingHistoryDisplay.from_estimators(several)
    best = f"watched (best epoch: {watched.best_epoch_})"
    assert labels(display) == ["plain", best, "validation", "training"]
    one, *further = display.lines_["plain"]
    assert not further  # it has no accuracy
    colors = {line.get_color() for line in display.lines_["watched"]}
    assert len(colors) == 1  # in all panels
    assert one.get_color() not in colors
    handles = display.axes_[0].get_legend().legend_handles
    assert [handle.get_color() for handle in handles[:2]] == [one.get_color(), *colors]


def test_histories_name_a_training_that_has_nothing_to_show(plain, watched):
    several = {"plain": plain, "watched": watched}
    display = TrainingHistoryDisplay.from_estimators(several, metrics="accuracy")
    assert labels(display)[0] == "plain"
    assert display.lines_["plain"] == []


def test_history_continued_without_validation_marks_no_epoch():
    estimator = network(warm_start=True, validation_fraction=0.2).fit(*IRIS)
    estimator.set_params(validation_fraction=None).fit(*IRIS)
    display = TrainingHistoryDisplay.from_estimator(estimator)
    assert labels(display)[0] == "KerasDenseClassifier"
    assert len(display.lines_["KerasDenseClassifier"][0].get_xdata()) == 12


def test_history_of_rarer_validation_is_at_its_epochs():
    recorded = {"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [3.5, 1.5]}
    display = TrainingHistoryDisplay({"keras": recorded}, best_epochs={"keras": 4}).plot()
    assert list(display.lines_["keras"][0].get_xdata()) == [2, 4]
    [mark] = [line for line in display.axes_[0].lines if line.get_marker() == "o"]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (4, 1.5)


def test_history_joins_the_axes_of_another(watched):
    first = TrainingHistoryDisplay.from_estimator(watched, name="first")
    second = TrainingHistoryDisplay.from_estimator(watched, name="second", ax=first.axes_)
    assert second.figure_ is first.figure_
    best = f"(best epoch: {watched.best_epoch_})"
    expected = [f"first {best}", "validation", "training", f"second {best}"]
    assert sorted(labels(second)) == sorted(expected)
    assert first.lines_["first"][0].get_color() != second.lines_["second"][0].get_color()


def test_history_takes_the_place_of_one_axes(watched):
    figure, (left, right) = plt.subplots(1, 2)
    display = TrainingHistoryDisplay.from_estimator(watched, ax=left)
    assert display.figure_ is figure
    assert display.axes_.shape == (2,)
    assert not left.axison
    single = TrainingHistoryDisplay.from_estimator(watched, metrics="accuracy", ax=right)
    assert single.axes_.tolist() == [right]


def test_history_plots_again_and_returns_itself(watched):
    display = TrainingHistoryDisplay.from_estimator(watched)
    before = display.figure_
    assert display.plot() is display
    assert display.figure_ is not before


def test_history_of_keras_own():
    recorded = {"loss": [2.0, 1.0], "val_loss": [2.5, 1.5], "learning_rate": [0.1, 0.01]}
    display = TrainingHistoryDisplay({"keras": recorded}, best_epochs={"keras": 2}).plot()
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "learning_rate"]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: make_pipeline(StandardScaler(), inner),
        lambda inner: FrozenEstimator(inner.fit(*IRIS)),
        lambda inner: GridSearchCV(inner, {"units": [4]}, cv=2),
        lambda inner: make_pipeline(StandardScaler(), GridSearchCV(make_pipeline(inner), {}, cv=2)),
    ],
)
def test_history_finds_the_network_inside(wrap):
    display = TrainingHistoryDisplay.from_estimator(wrap(network()).fit(*IRIS))
    assert labels(display) == ["KerasDenseClassifier"]
    assert len(display.lines_["KerasDenseClassifier"][0].get_ydata()) == 6


@pytest.mark.slow
def test_history_finds_the_network_of_a_tuned_threshold():
    X, y = IRIS
    tuned = TunedThresholdClassifierCV(network(), cv=2).fit(X[:100], y[:100])
    assert labels(TrainingHistoryDisplay.from_estimator(tuned)) == ["KerasDenseClassifier"]


def test_history_says_that_losses_are_of_standardized_targets():
    X, y = IRIS
    inner = KerasDenseRegressor(units=8, epochs=2, random_state=0)
    wrapped = TransformedTargetRegressor(inner, func=np.log1p, inverse_func=np.expm1).fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(wrapped)
    assert display.axes_[0].get_ylabel() == "loss (of the standardized target)"
    inner.set_params(standardize_target=False).fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(inner)
    assert display.axes_[0].get_ylabel() == "loss"


@pytest.mark.parametrize(
    "estimator", [network(), make_pipeline(network()), GridSearchCV(network(), {})]
)
def test_history_needs_a_fitted_estimator(estimator):
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(estimator)


def test_history_needs_a_network_of_ours():
    X, y = IRIS
    other = LogisticRegression(max_iter=500).fit(X, y)
    with pytest.raises(TypeError, match=r"needs an estimator of skdense.* Got LogisticRegression"):
        TrainingHistoryDisplay.from_estimator(make_pipeline(other))
    search = GridSearchCV(network(epochs=1), {}, cv=2, refit=False).fit(X, y)
    with pytest.raises(TypeError, match=r"refit=True.* Got GridSearchCV"):
        TrainingHistoryDisplay.from_estimator(search)
    several = BaggingClassifier(network(epochs=1), n_estimators=2).fit(X, y)
    with pytest.raises(TypeError, match=r"Got BaggingClassifier. .*by from_estimators"):
        TrainingHistoryDisplay.from_estimator(several)


def test_history_of_a_network_not_trained_here(plain):
    adopted = KerasDenseClassifier.from_keras(plain.to_keras())
    with pytest.raises(ValueError, match=r"Got none of given. .*from_keras"):
        TrainingHistoryDisplay.from_estimators({"given": adopted})
    with pytest.raises(ValueError, match="at least one epoch"):
        TrainingHistoryDisplay({})


@pytest.mark.parametrize(
    ("histories", "best_epochs", "error", "message"),
    [
        ({"loss": [1.0]}, {}, TypeError, r"dict of names to histories.* Got \{'loss': \[1.0\]\}"),
        ([{"loss": [1.0]}], {}, TypeError, "dict of names to histories"),
        ({1: {"loss": []}}, {}, ValueError, "Got none of 1"),
        ({"a": {"loss": [1.0] * 3, "val_loss": [1.0] * 2}}, {}, ValueError, "'val_loss': 2}"),
        ({"a": {"loss": [1.0], "val_loss": []}}, {}, ValueError, "'val_loss': 0}"),
        ({"a": {"loss": [1.0]}}, {"a": 2}, ValueError, r"of the trainings \{'a': 1\}. Got 'a': 2"),
        ({"a": {"loss": [1.0]}}, {"a": 0}, ValueError, "Got 'a': 0"),
        ({"a": {"loss": [1.0]}}, {"b": 1}, ValueError, "Got 'b': 1"),
    ],
)
def test_histories_that_do_not_fit(histories, best_epochs, error, message):
    with pytest.raises(error, match=message):
        TrainingHistoryDisplay(histories, best_epochs=best_epochs)


def test_history_of_a_list_of_estimators(plain):
    with pytest.raises(TypeError, match=r"dict of names to estimators. Got list"):
        TrainingHistoryDisplay.from_estimators([plain])


def test_history_of_unknown_metrics(watched):
    message = r"metrics must name some of loss, accuracy, .* Got \['auc'\]"
    with pytest.raises(ValueError, match=message):
        TrainingHistoryDisplay.from_estimator(watched, metrics=["auc"])
    with pytest.raises(ValueError, match="Got \\[\\]"):
        TrainingHistoryDisplay.from_estimator(watched, metrics=[])


def test_history_in_the_wrong_axes(watched, plain):
    axes = plt.subplots(1, 3)[1]
    with pytest.raises(ValueError, match=r"one for each of loss, accuracy. Got 3"):
        TrainingHistoryDisplay.from_estimator(watched, ax=axes)
    with pytest.raises(TypeError, match=r"matplotlib Axes. Got str"):
        TrainingHistoryDisplay.from_estimator(watched, ax="left")
    free = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="outside of a grid"):
        TrainingHistoryDisplay.from_estimator(watched, ax=free)
    assert TrainingHistoryDisplay.from_estimator(plain, ax=free).axes_[0] is free
    with pytest.raises(TypeError, match=r"matplotlib Axes. Got Figure"):
        TrainingHistoryDisplay.from_estimator(plain, ax=plt.figure())


def test_history_in_a_subfigure(watched):
    left, _ = plt.figure().subfigures(1, 2)
    assert TrainingHistoryDisplay.from_estimator(watched, ax=left.subplots()).figure_ is left


# --- ErrorAnalysisDisplay ------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="module")
def reader(digits):
    X, y = digits
    return network(units=16, epochs=15).fit(X[:900], y[:900])


def captions(display):
    return [ax.get_xlabel() for ax in display.axes_]


def test_errors_most_confident_first_then_right_ones_least_confident_first(reader, digits):
    X, y = digits
    display = ErrorAnalysisDisplay.from_estimator(reader, X, y, image_shape=(8, 8), n_samples=6)
    predicted, probability = reader.predict(X), reader.predict_proba(X).max(axis=1)
    wrong, right = display.wrong_indices, display.right_indices
    assert set(wrong) == set(np.flatnonzero(predicted != y))
    assert sorted([*wrong, *right]) == list(range(len(y)))
    assert (np.diff(probability[wrong]) <= 0).all()
    assert (np.diff(probability[right]) >= 0).all()
    first = wrong[0]
    expected = f"{predicted[first]}, {probability[first]:.1%}\ntrue: {y[first]}"
    assert captions(display)[0] == expected
    assert captions(display)[6] == f"{y[right[0]]}, {probability[right[0]]:.1%}"
    assert len(display.axes_) == 12
    titles = [text.get_text() for ax in display.figure_.axes for text in ax.texts]
    assert titles == [
        f"Wrong: {len(wrong)} of 1,797, the most confident first",
        f"Right: {len(right):,} of 1,797, the least confident first",
    ]


def test_errors_draw_the_pixels(reader, digits):
    X, y = digits
    display = ErrorAnalysisDisplay.from_estimator(reader, X, y, image_shape=(8, 8), n_samples=1)
    drawn = display.axes_[0].images[0].get_array()
    np.testing.assert_allclose(drawn, X[display.wrong_indices[0]].reshape(8, 8))


def test_errors_in_colour(reader, digits):
    X, y = digits
    tinted = np.repeat(X[:, :16], 4, axis=1) * 255
    judged = y, np.roll(y, 1), np.full(len(y), 0.5)
    display = ErrorAnalysisDisplay(tinted, *judged, image_shape=(4, 4, 4)).plot(n_samples=3)
    drawn = display.axes_[0].images[0].get_array()
    assert drawn.shape == (4, 4, 4)
    assert drawn.max() <= 1
    constant = ErrorAnalysisDisplay(np.ones((3, 4)), [0] * 3, [1] * 3, [1] * 3, image_shape=(2, 2))
    assert len(constant.plot().axes_) == 3


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [csr_array, pd.DataFrame, pl.DataFrame, np.ndarray.tolist])
def test_errors_of_every_kind_of_table(wrap, reader, digits):
    X, y = digits
    expected = ErrorAnalysisDisplay.from_estimator(reader, X, y, image_shape=(8, 8))
    given = wrap(X)
    if wrap in {pd.DataFrame, pl.DataFrame}:
        names = [f"pixel {number}" for number in range(64)]
        given = wrap(X, **{"columns" if wrap is pd.DataFrame else "schema": names})
        reader = network(units=16, epochs=15).fit(given[:900], y[:900])
    for shape in (8, 8), None:
        display = ErrorAnalysisDisplay.from_estimator(reader, given, y, image_shape=shape)
        assert display.wrong_indices.tolist() == expected.wrong_indices.tolist()


def test_error_tables_of_other_kinds_show_their_numbers(reader, digits):
    X, y = digits
    names = [f"pixel {number}" for number in range(64)]
    judged = y, np.roll(y, 1), np.linspace(1, 0, len(y))
    for given in (csr_array(X), X.tolist(), pl.DataFrame(X, schema=list(map(str, range(64))))):
        display = ErrorAnalysisDisplay(given, *judged, features=[20, 3], feature_names=names)
        found = cells(display.plot().axes_[0])
        assert [found[0, 3], found[0, 4]] == ["pixel 20", "pixel 3"]
        first = display.wrong_indices[0]
        assert [found[1, 3], found[1, 4]] == [f"{X[first, n]:.4g}" for n in (20, 3)]


def cells(ax):
    return {place: cell.get_text().get_text() for place, cell in ax.tables[0].get_celld().items()}


def test_errors_as_tables_of_a_pipeline(penguins, preprocessing):
    X, y = penguins
    model = make_pipeline(preprocessing, network(epochs=3)).fit(X, y)
    features = ["island", "bill_length_mm"]
    display = ErrorAnalysisDisplay.from_estimator(model, X, y, features=features, n_samples=4)
    wrong, right = map(cells, display.axes_)
    header = ["true", "predicted", "probability", *features]
    assert [wrong[0, number] for number in range(5)] == header
    for number, row in enumerate(display.wrong_indices[:4], start=1):
        assert wrong[number, 0] == y[row]
        assert wrong[number, 1] == model.predict(X.iloc[[row]])[0] != y[row]
        assert wrong[number, 2] == f"{model.predict_proba(X.iloc[[row]]).max():.1%}"
        assert wrong[number, 3] == X["island"][row]
        assert wrong[number, 4] == f"{X['bill_length_mm'][row]:.4g}"
    assert right[1, 0] == right[1, 1]
    assert "(2 of 7 features)" in display.axes_[0].get_title(loc="left")


def test_error_tables_shade_numbers_off_the_mean():
    X = np.array([[0.0], [0.0], [0.0], [10.0]])
    display = ErrorAnalysisDisplay(X, list("aaab"), list("aaba"), [0.9, 0.8, 0.7, 0.6]).plot()
    # Of 0, then of 10.
    color = {row: display.axes_[0].tables[0][row, 3].get_facecolor() for row in (1, 2)}
    assert color[1][2] > color[1][0]  # blue below the mean
    assert color[2][0] > color[2][2]  # red above
    text = display.axes_[0].tables[0][1, 0].get_facecolor()
    assert text == to_rgba("white")


def test_errors_name_classes_and_features():
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), network(epochs=2)).fit(X, y)
    names = [f"feature {letter}" for letter in range(30)]
    display = ErrorAnalysisDisplay.from_estimator(
        model, X, y, display_labels=["malignant", "benign"], feature_names=names, features=[3, 29]
    )
    wrong = cells(display.axes_[0])
    assert [wrong[0, 3], wrong[0, 4]] == ["feature 3", "feature 29"]
    assert {wrong[1, 0], wrong[1, 1]} == {"malignant", "benign"}


def test_errors_by_the_prediction_where_a_threshold_moves_it():
    X, y = IRIS
    X, y = X[50:, :2], y[50:]
    model = FixedThresholdClassifier(network(), threshold=0.9, pos_label=2).fit(X, y)
    display = ErrorAnalysisDisplay.from_estimator(model, X, y)
    wrong = model.predict(X) != y
    assert 0 < wrong.sum() == len(display.wrong_indices)
    column = np.searchsorted(model.classes_, model.predict(X))
    expected = model.predict_proba(X)[np.arange(len(y)), column]
    np.testing.assert_array_equal(display.probability, expected)
    assert display.probability.max() < 0.5  # the other class is more likely


def test_names_of_classes_do_not_decide_what_is_wrong():
    X, y = IRIS
    estimator = network(epochs=2).fit(X, y)
    display = ErrorAnalysisDisplay.from_estimator(
        estimator, X, y, display_labels=["small", "large", "large"]
    )
    assert len(display.wrong_indices) == (estimator.predict(X) != y).sum()


def test_texts_are_no_numbers_and_images_say_so(reader, digits):
    X, _ = digits
    as_text = reader.predict(X[:5]).astype(str)
    display = ErrorAnalysisDisplay.from_estimator(reader, X[:5], as_text, image_shape=(8, 8))
    assert len(display.wrong_indices) == 5
    assert all("\ntrue: " in caption for caption in captions(display))


def test_columns_by_name_before_number_and_names_that_repeat():
    judged = [0, 1], [1, 0], [0.9, 0.8]
    X = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=[1, 0])
    assert cells(ErrorAnalysisDisplay(X, *judged, features=[1]).plot().axes_[0])[1, 3] == "1"
    X.columns = ["a", "a"]
    found = cells(ErrorAnalysisDisplay(X, *judged).plot().axes_[0])
    assert [found[0, 3], found[0, 4], found[1, 3], found[1, 4]] == ["a", "a", "1", "2"]
    found = cells(ErrorAnalysisDisplay(X, *judged, features=[1, 1]).plot().axes_[0])
    assert [found[1, 3], found[1, 4]] == ["2", "2"]
    assert cells(ErrorAnalysisDisplay(X, *judged, features="a").plot().axes_[0])[1, 3] == "1"


def test_error_tables_of_gaps_and_long_texts():
    X = pd.DataFrame({"n": pd.array([1, None], "Int64"), "text": ["x" * 2_000, "y"]})
    display = ErrorAnalysisDisplay(X, [0, 1], [1, 0], [0.9, 0.8]).plot()
    found = cells(display.axes_[0])
    assert found[2, 3] == "<NA>"
    assert found[1, 4] == "x" * 29 + "…"
    assert display.figure_.get_figwidth() < 8


@pytest.mark.parametrize("wrap", [coo_array, bsr_array])
def test_errors_of_sparse_images(wrap, reader, digits):
    X, y = digits
    display = ErrorAnalysisDisplay.from_estimator(reader, wrap(X), y, image_shape=(8, 8))
    drawn = display.axes_[0].images[0].get_array()
    np.testing.assert_allclose(drawn, X[display.wrong_indices[0]].reshape(8, 8))


def test_an_infinite_pixel_leaves_the_others():
    X = np.array([[0.0, 1.0, 2.0, np.inf]])
    display = ErrorAnalysisDisplay(X, [0], [1], [0.9], image_shape=(2, 2)).plot()
    np.testing.assert_array_equal(display.axes_[0].images[0].get_array(), [[0, 0.5], [1, 1]])


def test_errors_of_unknown_labels_keep_their_names(reader, digits):
    X, _ = digits
    display = ErrorAnalysisDisplay.from_estimator(
        reader, X[:20], ["unknown"] * 20, image_shape=(8, 8)
    )
    assert len(display.wrong_indices) == 20
    assert all(caption.endswith("true: unknown") for caption in captions(display))


@pytest.mark.parametrize("shape", [(8, 8), None])
def test_no_mistakes_and_nothing_right_are_said(reader, digits, shape):
    X, _ = digits
    predicted = reader.predict(X)
    display = ErrorAnalysisDisplay.from_estimator(reader, X, predicted, image_shape=shape)
    drawn = [text.get_text() for ax in display.figure_.axes for text in ax.texts]
    drawn += [ax.get_title(loc="left") for ax in display.figure_.axes]
    assert any(text.startswith("Wrong: none of 1,797") for text in drawn)
    display = ErrorAnalysisDisplay.from_estimator(reader, X, predicted + 100, image_shape=shape)
    drawn = [text.get_text() for ax in display.figure_.axes for text in ax.texts]
    drawn += [ax.get_title(loc="left") for ax in display.figure_.axes]
    assert any(text.startswith("Right: none of 1,797") for text in drawn)


@pytest.mark.parametrize("shape", [(8, 8), None])
def test_errors_take_the_place_of_an_axes(reader, digits, shape):
    figure, (left, _) = plt.subplots(1, 2)
    display = ErrorAnalysisDisplay.from_estimator(reader, *digits, image_shape=shape, ax=left)
    assert display.figure_ is figure
    assert not left.axison
    figure.canvas.draw()
    assert all(ax.get_position().x1 < 0.5 for ax in display.axes_)


def test_errors_plot_again_and_return_themselves(reader, digits):
    display = ErrorAnalysisDisplay.from_estimator(reader, *digits, image_shape=(8, 8))
    assert display.plot(n_samples=2) is display
    assert len(display.axes_) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (8, 9)}, r"as many values as X has features, 64. Got \(8, 9\), 72"),
        ({"image_shape": (64,)}, r"must be \(height, width\).* Got \(64,\)"),
        ({"image_shape": 8}, r"must be \(height, width\).* Got 8"),
        ({"image_shape": (-8, -8)}, r"must be \(height, width\).* Got \(-8, -8\)"),
        ({"image_shape": (16, 2, 2)}, "1, 3 or 4 channels"),
        ({"image_shape": (8.0, 8.0)}, r"must be \(height, width\)"),
        ({"features": ["area"]}, r"Got \['area'\], of which \['area'\] are unknown"),
        ({"features": [64]}, r"some of the 64 features. Got \[64\]"),
        ({"features": []}, r"Got \[\]"),
        ({"feature_names": ["a"]}, "must name the 64 features of X. Got 1"),
        ({"display_labels": ["a"]}, "must name the 10 classes. Got 1 names"),
        (
            {"image_shape": (8, 8), "features": [1]},
            "features can be given only without image_shape",
        ),
        ({"image_shape": (8, 8), "feature_names": "a" * 64}, "feature_names can be given only"),
        ({"image_shape": (4, 4, 4), "cmap": "gray"}, "cmap can be given only for images of one"),
        ({"cmap": "gray"}, "cmap can be given only for images"),
        ({"n_samples": 0}, "n_samples must be an integer of at least 1. Got 0"),
        ({"n_samples": 2.5}, "n_samples must be an integer of at least 1. Got 2.5"),
    ],
)
def test_errors_refuse_what_does_not_fit(reader, digits, options, message):
    with pytest.raises(ValueError, match=message):
        ErrorAnalysisDisplay.from_estimator(reader, *digits, **options)


def test_errors_need_a_fitted_classifier_with_probabilities(digits):
    X, y = digits
    with pytest.raises(NotFittedError):
        ErrorAnalysisDisplay.from_estimator(network(), X, y)
    with pytest.raises(TypeError, match="Got KerasDenseRegressor, no classifier"):
        ErrorAnalysisDisplay.from_estimator(KerasDenseRegressor(epochs=1).fit(X, y), X, y)
    with pytest.raises(TypeError, match="Got RidgeClassifier, a classifier without predict_proba"):
        ErrorAnalysisDisplay.from_estimator(RidgeClassifier().fit(X, y), X, y)


@pytest.mark.parametrize("shape", [(8, 8), None])
def test_errors_in_the_wrong_axes(reader, digits, shape):
    for wrong in ("left", plt.subplots(1, 2)[1]):
        with pytest.raises(TypeError, match=r"matplotlib Axes. Got (str|ndarray)"):
            ErrorAnalysisDisplay.from_estimator(reader, *digits, image_shape=shape, ax=wrong)


def test_errors_take_a_column_of_labels(reader, digits):
    X, y = digits
    display = ErrorAnalysisDisplay.from_estimator(reader, X, y[:, np.newaxis], image_shape=(8, 8))
    assert len(display.wrong_indices) == (reader.predict(X) != y).sum()


def test_errors_with_dollars_gaps_and_nothing_in_them():
    X = pd.DataFrame({"price $ and $_": [1.0, np.nan, 3.0]})
    judged = ["$a$_", "b", "b"], ["b", "b", "$a$_"], [0.9, 0.8, 0.7]
    for shape in (1, 1), None:
        display = ErrorAnalysisDisplay(X, *judged, image_shape=shape).plot()
        display.figure_.canvas.draw()
        empty = ErrorAnalysisDisplay(X.iloc[:0], [], [], [], image_shape=shape).plot()
        empty.figure_.canvas.draw()
    with pytest.raises(ValueError, match=r"rows and columns. Got shape \(3,\)"):
        ErrorAnalysisDisplay([1, 2, 3], *judged)


def test_errors_need_one_label_for_each_row(reader, digits):
    X, y = digits
    with pytest.raises(
        ValueError, match=r"y must have one value for each row. Got shape \(1797, 10"
    ):
        ErrorAnalysisDisplay.from_estimator(reader, X, np.eye(10)[y])
    several = network(epochs=1).fit(X, np.eye(10, dtype=int)[y])
    with pytest.raises(ValueError, match=r"Got predictions of shape \(1797, 10\)"):
        ErrorAnalysisDisplay.from_estimator(several, X, y)
    with pytest.raises(ValueError, match=r"probability must have one value .* \(1797, 10\)"):
        ErrorAnalysisDisplay(X, y, y, reader.predict_proba(X))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ErrorAnalysisDisplay.from_estimator(reader, X, y[:-1])


def test_displays_without_matplotlib_say_so(watched, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it raises
    message = "needs matplotlib, which is not installed. Install it: pip install matplotlib"
    with pytest.raises(ImportError, match=f"^TrainingHistoryDisplay.from_estimator {message}"):
        TrainingHistoryDisplay.from_estimator(watched)
    with pytest.raises(ImportError, match=f"^ErrorAnalysisDisplay.from_estimator {message}"):
        ErrorAnalysisDisplay.from_estimator(watched, *IRIS)
    with pytest.raises(ImportError, match=f"^TrainingHistoryDisplay.plot {message}"):
        TrainingHistoryDisplay({"a": {"loss": [1.0]}}).plot()
    with pytest.raises(ImportError, match=f"^ErrorAnalysisDisplay.plot {message}"):
        ErrorAnalysisDisplay([[1.0]], [0], [1], [0.5]).plot()


# --- scikit-learn's displays ---------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("response", ["auto", "predict_proba", "decision_function", "predict"])
def test_decision_boundary(n_classes, response):
    X, y = make_blobs(60, centers=n_classes, random_state=0)
    options = {"response_method": response, "grid_resolution": 10}
    if n_classes > 2 and response in {"predict_proba", "decision_function"}:
        options["class_of_interest"] = 1  # which scikit-learn 1.6 has to know
    display = DecisionBoundaryDisplay.from_estimator(network().fit(X, y), X, **options)
    assert np.isfinite(display.response).all()


def test_decision_boundary_of_a_regressor_follows_its_predictions():
    X, y = make_blobs(60, random_state=0)
    estimator = KerasDenseRegressor(units=8, epochs=2, random_state=0).fit(X, y)
    display = DecisionBoundaryDisplay.from_estimator(estimator, X, grid_resolution=10)
    rows = np.column_stack([display.xx0.ravel(), display.xx1.ravel()])
    np.testing.assert_array_equal(display.response.ravel(), estimator.predict(rows))


@pytest.mark.slow
def test_validation_curve_over_units():
    display = ValidationCurveDisplay.from_estimator(
        network(), *IRIS, param_name="units", param_range=[2, 8, 16], cv=3
    )
    assert display.test_scores.shape == (3, 3)
    assert np.isfinite(display.test_scores).all()
    assert display.lines_[0].get_xdata().tolist() == [2, 8, 16]


def test_learning_curve():
    display = LearningCurveDisplay.from_estimator(
        network(), *IRIS, train_sizes=[0.3, 1.0], cv=3, shuffle=True, random_state=0
    )
    assert np.isfinite(display.test_scores).all()


def test_confusion_matrix_has_the_classes(penguins, preprocessing):
    X, y = penguins
    model = make_pipeline(preprocessing, network()).fit(X, y)
    display = ConfusionMatrixDisplay.from_estimator(model, X, y)
    assert display.confusion_matrix.sum() == len(y)
    assert display.display_labels.tolist() == ["Adelie", "Chinstrap", "Gentoo"]


def test_prediction_error():
    X, y = IRIS
    estimator = KerasDenseRegressor(units=8, epochs=2, random_state=0).fit(X, y)
    display = PredictionErrorDisplay.from_estimator(estimator, X, y)
    np.testing.assert_array_equal(display.y_pred, estimator.predict(X))
