"""`numeric_embedding` and `learned_scale`: learned functions of columns, in every view."""

import pickle

import keras
import numpy as np
import onnxruntime
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.stages import LearnedScale, Periodic, PiecewiseLinear
from skdense._networks.stages.quantiles import find_bin_ends
from skdense._networks.stages.stage import Kind
from skdense._training.program import trace_count

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)
RNG = np.random.default_rng(0)
# Columns 0, 2 and 4 vary; 1 has two values, 3 one.
X = RNG.standard_normal((150, 5))
X[:, 1], X[:, 3] = X[:, 1] > 0, 7.0
X[:, 4] = np.round(X[:, 4])
Y = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * RNG.standard_normal(150)
CLASSES = np.array(list("abc"))[np.digitize(Y, [-0.5, 0.5])]
SETTINGS = {"units": 8, "depth": 1, "epochs": 5, "batch_size": 32, "random_state": 0}
SETTINGS |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
PIECEWISE = {"numeric_embedding": "piecewise_linear", "embedding_units": 3, "n_bins": 6}
PERIODIC = {"numeric_embedding": "periodic", "embedding_units": 3}
ALL = {"input_scaling": "robust", "learned_scale": True}
EVERY = [
    PIECEWISE,
    PERIODIC,
    {"learned_scale": True},
    PIECEWISE | ALL,
    PERIODIC | ALL,
    PIECEWISE | {"n_bins": 1},
    PIECEWISE | {"n_bins": 2, "embedding_units": 1},
]


def name(changes):
    """Return a name for parameters; None leaves it to pytest."""
    return "-".join(map(str, changes.values())) if isinstance(changes, dict) else None


def regressor(**changes):
    return KerasDenseRegressor(**SETTINGS | changes)


def stage_of(network, kind, member=0):
    stages = network._fitted.network.stages
    place = next(number for number, stage in enumerate(stages) if isinstance(stage, kind))
    return stages[place], network._fitted.members[member][place]


def piecewise_by_hand(column, ends, weights, place):
    """Return what a column becomes, straight from the formula."""
    t = (column[:, None] - ends[:-1]) / np.diff(ends)
    t[:, 1:] = np.maximum(t[:, 1:], 0)
    t[:, :-1] = np.minimum(t[:, :-1], 1)
    n_bins = len(ends) - 1
    rows = [*range(1, n_bins), weights["kernel"].shape[1] - 1]
    linear = column[:, None] * weights["kernel"][place, 0] + weights["bias"][place]
    return linear + t @ weights["kernel"][place, rows]


def test_columns_become_piecewise_linear_functions_of_them():
    # Of 149 rows no sixth is met exactly.
    network = regressor(**PIECEWISE, dtype="float64").fit(X[:149], Y[:149])
    stage, weights = stage_of(network, PiecewiseLinear)
    assert stage == PiecewiseLinear(5, (0, 2, 4), 3, 6)
    rows = np.r_[X, X[:1] * 100, X[:1] * -100]  # beyond the ends too
    found = stage.forward(rows.copy(), weights)
    assert found.shape == (152, 3 * 3 + 2)
    shares = np.linspace(0, 1, 7)
    for place, column in enumerate(stage.columns):
        values = np.unique(X[:149, column])
        ends = np.quantile(X[:149, column], shares, method="averaged_inverted_cdf")
        ends = values if len(values) <= 7 else ends
        expected = piecewise_by_hand(rows[:, column], ends, weights, place)
        assert_allclose(found[:, 3 * place : 3 * place + 3], expected, rtol=1e-9, atol=1e-9)
    assert_array_equal(found[:, 9:], rows[:, [1, 3]])


BIN_ENDS = {
    "as many values as ends": ([3.0, 1.0, 1.0, 2.0], 3, [1, 2, 3]),
    "mostly one value": ([0.0] * 90 + [*range(1, 11)], 5, [0, 1, 3.5, 6, 8, 10]),
    "two heavy values": ([0.0] * 50 + [9.0] * 40 + [*range(1, 9)], 4, [0, 1, 4.5, 8, 9]),
    "one bin": ([0.0, 1.0, 2.0, 5.0], 1, [0, 5]),
    "even": ([float(n) for n in range(101)], 4, [0, 25, 50, 75, 100]),
}


@pytest.mark.parametrize("name", BIN_ENDS)
def test_bins_leave_room_beside_values_that_many_rows_have(name):
    values, n_bins, expected = BIN_ENDS[name]
    column = np.array(values)
    assert_allclose(find_bin_ends(column, None, n_bins), expected, atol=0.51)
    assert len(find_bin_ends(column, None, n_bins)) == len(expected)
    weights = RNG.integers(1, 4, len(column))
    assert_allclose(
        find_bin_ends(column, weights.astype(float), n_bins),
        find_bin_ends(np.repeat(column, weights), None, n_bins),
    )


def test_columns_become_sums_of_cosines_beside_themselves():
    network = regressor(**PERIODIC, dtype="float64").fit(X, Y)
    stage, weights = stage_of(network, Periodic)
    found = stage.forward(X.copy(), weights)
    for place, column in enumerate(stage.columns):
        own = {name: array[place] / 10 for name, array in weights.items()}
        angles = 2 * np.pi * X[:, [column]] * own["frequencies"] + own["phases"]
        expected = np.c_[X[:, column], np.cos(angles) @ own["kernel"] + own["bias"]]
        assert_allclose(found[:, 3 * place : 3 * place + 3], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_training_starts_from_a_linear_function_and_learns_all():
    tiny = {"learning_rate": 1e-30, "epochs": 1, "dtype": "float64"}
    start = stage_of(regressor(**PIECEWISE, **tiny).fit(X, Y), PiecewiseLinear)[1]
    assert not start["kernel"][:, 1:].round(20).any()
    assert 0 < np.abs(start["kernel"][:, 0]).max() <= 3**-0.5
    scale = stage_of(regressor(learned_scale=True, **tiny).fit(X, Y), LearnedScale)[1]
    assert_allclose(scale["factor"] * 6, 1)
    network = regressor(**PIECEWISE, learned_scale=True, dtype="float64").fit(X, Y)
    trained = stage_of(network, PiecewiseLinear)[1]
    assert np.abs(trained["kernel"][0, 1:]).min() > 1e-4
    assert np.ptp(stage_of(network, LearnedScale)[1]["factor"]) > 1e-3
    cosines = stage_of(regressor(**PERIODIC, **tiny).fit(X, Y), Periodic)[1]
    assert np.abs(cosines["frequencies"]).std() / 10 < 0.3
    assert np.abs(cosines["phases"]).max() <= 10 * np.pi


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "dtype"),
    [*((changes, "float64") for changes in EVERY), (PIECEWISE | ALL, "float32")],
    ids=name,
)
def test_both_engines_agree(dtype, changes):
    # Adam divides gradients that are nothing but rounding, of rows at the very edge of a bin.
    common = changes | {"optimizer": "sgd", "weight_decay": 0.01, "l2": 0.01, "dtype": dtype}
    compiled = regressor(**common).fit(X, Y)
    by_keras = regressor(**common, engine="keras").fit(X, Y)
    tolerance = 1e-5 if dtype == "float32" else 1e-9
    for own, theirs in zip(compiled._fitted.members[0], by_keras._fitted.members[0], strict=True):
        for key, array in own.items():
            assert_allclose(array, theirs[key], rtol=tolerance, atol=tolerance, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "optimizer"),
    [(PIECEWISE, "adam"), (PERIODIC, "nadam"), (PIECEWISE, "adafactor")],
    ids=name,
)
def test_files_keep_the_optimizer_of_either_engine(changes, optimizer, tmp_path):
    common = changes | {"optimizer": optimizer, "learned_scale": True, "dtype": "float64"}
    engines = ["keras"] if optimizer == "adafactor" else ["compiled", "keras"]
    networks = [regressor(**common, engine=engine).fit(X, Y) for engine in engines]
    assert_allclose(networks[0].predict(X), networks[-1].predict(X), rtol=1e-7, atol=1e-7)
    for network in networks:
        network.save(tmp_path / "network.skdense")
        twin = skdense.load(tmp_path / "network.skdense")
        assert_array_equal(twin.partial_fit(X, Y).predict(X), network.partial_fit(X, Y).predict(X))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_weight_decay_leaves_them_alone(engine):
    common = {"engine": engine, "dtype": "float64", "epochs": 1, "learning_rate": 0.1}
    common |= {"optimizer": keras.optimizers.SGD(), **PIECEWISE, "learned_scale": True}
    plain = regressor(**common, batch_size=150).fit(X, Y)
    decayed = regressor(**common, batch_size=150, weight_decay=0.5).fit(X, Y)
    for kind in (PiecewiseLinear, LearnedScale):
        own, others = stage_of(plain, kind)[1], stage_of(decayed, kind)[1]
        for key, array in own.items():
            assert_allclose(array, others[key], err_msg=key)
    assert np.linalg.norm(decayed.coefs_[0]) < 0.97 * np.linalg.norm(plain.coefs_[0])


def test_penalties_leave_them_alone():
    network = regressor(**PIECEWISE, **ALL).fit(X, Y)
    assert [kernel.shape for kernel in network.coefs_] == [(11, 8), (8, 1)]
    assert len(network._fitted.network.penalised(network._fitted.members[0])) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        *((changes, KerasDenseRegressor) for changes in EVERY),
        (PERIODIC, KerasDenseClassifier),
        (PIECEWISE | ALL | {"n_estimators": 2}, KerasDenseClassifier),
    ],
    ids=name,
)
def test_every_view_has_them(kind, changes, tmp_path):
    y = Y if kind is KerasDenseRegressor else CLASSES
    network, rows = kind(**SETTINGS | changes).fit(X, y), X.astype(np.float32)

    def answers(estimator):
        return getattr(estimator, "predict_proba", estimator.predict)(rows)

    expected = answers(network)
    network.to_keras().save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert {type(layer).__module__.partition(".")[0] for layer in model.layers} == {"keras"}
    assert_allclose(np.reshape(model(rows), expected.shape), expected, rtol=1e-4, atol=1e-5)
    given = {} if kind is KerasDenseRegressor else {"classes": network.classes_}
    again = kind.from_keras(model, **given)
    for key in ("input_scaling", "numeric_embedding", "learned_scale", "n_estimators"):
        assert getattr(again, key) == getattr(network, key)
    assert_allclose(answers(again), expected, rtol=1e-4, atol=1e-5)
    again.set_params(warm_start=True, epochs=1).fit(X, y)
    session = onnxruntime.InferenceSession(skdense.to_onnx(network, rows).SerializeToString())
    *_, outputs = session.run(None, {session.get_inputs()[0].name: rows})
    assert_allclose(np.reshape(outputs, expected.shape), expected, rtol=1e-4, atol=1e-5)
    network.save(tmp_path / "network.skdense")
    assert_array_equal(answers(skdense.load(tmp_path / "network.skdense")), expected)
    assert_array_equal(answers(pickle.loads(pickle.dumps(network))), expected)  # noqa: S301 - its own
    for stage in network._fitted.network.stages:
        assert stage.description in network._repr_html_()


def test_models_that_compute_something_else_are_not_taken_for_them():
    network = regressor(**PIECEWISE).fit(X, Y)
    model = network.to_keras()
    embedding = model.layers[0]
    place = next(layer for layer in embedding.layers if layer.name.endswith("_place"))
    place.kernel.assign(place.kernel * 2)
    with pytest.raises(ValueError, match="model must be made of Dense"):
        KerasDenseRegressor.from_keras(model)


@pytest.mark.parametrize("changes", [PIECEWISE, PIECEWISE | ALL], ids=name)
def test_rows_and_their_weights_place_the_bins(changes):
    counts = np.arange(150) % 4
    counted = regressor(**changes, epochs=1).fit(X, Y, sample_weight=counts)
    repeated = regressor(**changes, epochs=1).fit(
        np.repeat(X, counts, axis=0), np.repeat(Y, counts)
    )
    for key in ("edges", "slopes"):
        own, theirs = (stage_of(n, PiecewiseLinear)[1][key] for n in (counted, repeated))
        assert_allclose(own, theirs, rtol=1e-5)


@pytest.mark.slow
def test_folds_place_bins_each_by_its_own_rows():
    network = regressor(**PIECEWISE, n_estimators=3, validation_fraction="folds").fit(X, Y)
    for member in range(3):
        rows = X[network.validation_folds_ != member]
        edges = stage_of(network, PiecewiseLinear, member)[1]["edges"]
        assert_allclose(edges[:, 0], rows[:, [0, 2, 4]].min(axis=0), rtol=1e-6)


def test_training_goes_on_with_the_first_columns_and_bins():
    network = regressor(**PIECEWISE, warm_start=True).fit(X, Y)
    edges = stage_of(network, PiecewiseLinear)[1]["edges"]
    others = X.copy()
    others[:, 3] = np.arange(150)
    network.fit(others, Y)
    stage, weights = stage_of(network, PiecewiseLinear)
    assert stage.columns == (0, 2, 4)
    assert_array_equal(weights["edges"], edges)
    with pytest.raises(ValueError, match="contradict: numeric_embedding"):
        regressor(warm_start=True).fit(X, Y).set_params(**PIECEWISE).fit(X, Y)
    for key, value in {"numeric_embedding": None, "n_bins": 5, "learned_scale": True}.items():
        with pytest.raises(ValueError, match=f"contradict: {key}"):
            regressor(**PIECEWISE, warm_start=True).fit(X, Y).set_params(**{key: value}).fit(X, Y)


def test_a_stream_embeds_every_column_by_the_bins_of_its_first_chunk():
    stream = regressor(**PIECEWISE).partial_fit(X[:60], Y[:60])
    edges = stage_of(stream, PiecewiseLinear)[1]["edges"]
    stream.partial_fit(X[60:] + 1, Y[60:])
    stage, weights = stage_of(stream, PiecewiseLinear)
    assert stage.columns == (0, 1, 2, 3, 4)
    assert_array_equal(weights["edges"], edges)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "engine"),
    [
        (PIECEWISE, "compiled"),
        (PERIODIC, "compiled"),
        ({"learned_scale": True}, "compiled"),
        (PIECEWISE | ALL, "keras"),
    ],
    ids=name,
)
def test_several_networks_watch_shared_rows(changes, engine):
    watched = {"n_estimators": 2, "early_stopping": True, "engine": engine}
    network = regressor(**changes, **watched, standardize_target=False).fit(X, Y)
    held = network.validation_indices_
    error = np.mean((network.predict(X[held]) - Y[held]) ** 2)
    assert_allclose(error, min(network.history_["val_loss"]), rtol=1e-4)


@pytest.mark.filterwarnings("error")
def test_far_outliers_warn_of_nothing():
    far = X.copy()
    far[3, 0] = 1e25
    regressor(**PIECEWISE | ALL).fit(far.astype(np.float32), Y)


def test_other_rows_and_another_fold_compile_nothing():
    regressor(**PIECEWISE).fit(X, Y)
    before = trace_count()
    regressor(**PIECEWISE, random_state=1).fit(X[:140] * 3, Y[:140])
    assert trace_count() == before


def test_columns_of_one_or_two_values_pass_by():
    plain = X[:, [1, 3]]
    network = regressor(**PIECEWISE, dtype="float64").fit(plain, Y)
    without = regressor(dtype="float64").fit(plain, Y)
    assert_array_equal(network.predict(plain), without.predict(plain))


@pytest.mark.slow
def test_columns_that_one_fold_alone_sees_constant_are_numbers():
    rare = np.zeros((60, 1))
    rare[:2, 0] = 1, 2
    network = regressor(**PIECEWISE, n_estimators=5, validation_fraction="folds", dtype="float64")
    assert np.isfinite(network.fit(rare, Y[:60]).predict(rare)).all()


@pytest.mark.slow
@pytest.mark.parametrize("changes", [PIECEWISE, PERIODIC, PIECEWISE | ALL], ids=name)
@pytest.mark.parametrize("n_rows", [2, 3])
def test_few_rows_are_enough(changes, n_rows):
    assert np.isfinite(regressor(**changes).fit(X[:n_rows], Y[:n_rows]).predict(X)).all()


def test_values_that_are_hardly_apart_give_numbers():
    steps = np.nextafter(np.float32(1), np.float32(2)) ** np.arange(150, dtype=np.float32)
    tiny = np.arange(150) * 1e-310
    for column in (steps, tiny):
        network = regressor(**PIECEWISE, dtype="float64").fit(np.c_[column, X[:, 0]], Y)
        assert np.isfinite(network.predict(np.c_[column, X[:, 0]])).all()


@pytest.mark.slow
def test_callers_rows_stay_as_they_are():
    for changes in EVERY:
        rows = X.copy()
        regressor(**changes).fit(rows, Y).predict(rows)
        assert_array_equal(rows, X)


@pytest.mark.parametrize("changes", [PIECEWISE, PERIODIC, {"learned_scale": True}], ids=name)
def test_sparse_rows_are_refused(changes):
    with pytest.raises(ValueError, match=r"Got sparse X.* or pass X\.toarray"):
        regressor(**changes).fit(scipy.sparse.csr_array(X), Y)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numeric_embedding": "linear"}, "'numeric_embedding' parameter"),
        ({"embedding_units": 0}, "'embedding_units' parameter"),
        ({"n_bins": 0}, "'n_bins' parameter"),
        ({"learned_scale": "yes"}, "'learned_scale' parameter"),
        (PERIODIC | {"embedding_units": 1}, "2 or more. Got 1"),
    ],
    ids=name,
)
def test_parameters_that_cannot_be_are_errors(changes, message):
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=message):
            getattr(regressor(**changes), method)(X, Y)


def test_more_columns_than_memory_holds_say_what_to_do():
    wide = RNG.standard_normal((20, 10_000))
    network = regressor(**PIECEWISE | {"embedding_units": 10_000, "n_bins": 100})
    with pytest.raises(MemoryError, match="n_bins, embedding_units"):
        network.fit(wide, Y[:20])


@pytest.mark.slow
def test_many_columns_predict_in_bounded_memory():
    wide = np.tile(RNG.standard_normal((40, 500)), (1, 4))
    network = regressor(**PIECEWISE, epochs=1).fit(wide, Y[:40])
    assert network._fitted.network.width_inside == 2000 * (3 + 7)
    assert np.isfinite(network.predict(np.tile(wide, (20, 1)))).all()


def test_stages_say_what_they_are_and_files_cannot_lie():
    assert PiecewiseLinear(3, (0, 2), 4, 6).description == (
        "PiecewiseLinear, 2 columns as 4 numbers each"
    )
    assert PiecewiseLinear(3, (0, 2), 4, 6).is_sound
    for columns in ((), (0, 0), (3,), (-1,), [0], (True,)):
        assert not PiecewiseLinear(3, columns, 4, 6).is_sound
    assert not Periodic(3, (0,), 1).is_sound
    assert not PiecewiseLinear(3, (0,), 4, 0).is_sound
    with pytest.raises(ValueError, match="3 columns gets 4"):
        Periodic(3, (0,), 2).width_out(4)
    specs = PiecewiseLinear(3, (0, 2), 4, 6).weight_specs
    assert [spec.kind for spec in specs.values()] == [Kind.FITTED] * 2 + [Kind.TRAINED] * 2
