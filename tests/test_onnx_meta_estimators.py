"""Meta-estimators of scikit-learn around networks, in ONNX: what predict says, or an error."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RANSACRegressor, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import LinearSVC

import skdense
from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)

# What skl2onnx does with NumPy 2 and scikit-learn 1.9, not with the estimators here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:skl2onnx"),
    pytest.mark.filterwarnings("ignore::FutureWarning:sklearn"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:y contains no unlabeled samples"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3)).astype(np.float32)
NEW = 1.5 * RNG.normal(size=(40, 3)).astype(np.float32)
BINARY = (X[:, 0] + 0.3 * RNG.normal(size=90) > 0).astype(int)
CODES = np.digitize(X[:, 0] + 0.3 * RNG.normal(size=90), [-0.5, 0.5])
TARGETS = {
    "binary": BINARY,
    "three": CODES,
    "strings": np.array(["a", "b", "c"])[CODES],
    "two strings": np.array(["no", "yes"])[BINARY],
    "labels": np.c_[BINARY, CODES > 0].astype(int),
    "classes": np.c_[BINARY, CODES],
    "numbers": (X[:, 0] + X[:, 1] ** 2).astype(float),
    "two numbers": np.c_[X[:, 0] + X[:, 1] ** 2, X[:, 2]].astype(float),
}
SETTINGS = {"units": 4, "depth": 1, "epochs": 6, "random_state": 0}
CLASSIFIER, REGRESSOR = KerasDenseClassifier(**SETTINGS), KerasDenseRegressor(**SETTINGS)
OF_TABLES = SETTINGS | {"n_estimators": 2}
MEMBERS = [("network", CLASSIFIER), ("linear", LogisticRegression()), ("other", CLASSIFIER)]
NUMBERS = [("network", REGRESSOR), ("linear", Ridge())]
PIPELINE = make_pipeline(StandardScaler(), CLASSIFIER)


def run(model):
    """Return what onnxruntime gives for new rows."""
    session = onnxruntime.InferenceSession(
        skdense.to_onnx(model, X).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    inputs = session.get_inputs()
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64}
    columns = [NEW] if len(inputs) == 1 else [NEW[:, [n]] for n in range(len(inputs))]
    return session.run(
        None, {i.name: own.astype(kinds[i.type]) for i, own in zip(inputs, columns, strict=True)}
    )


def assert_agrees(model, y):
    model = clone(model).fit(X, TARGETS[y])
    first, *others = run(model)
    expected = model.predict(NEW)
    if not is_classifier(model):
        scale = max(1, np.ptp(expected))
        assert_allclose(first, expected.reshape(first.shape), rtol=0, atol=1e-5 * scale)
        return
    assert_array_equal(first, expected)
    if not hasattr(model, "predict_proba"):
        assert not others  # no other scores pass for probabilities
        return
    probabilities = model.predict_proba(NEW)
    if not isinstance(probabilities, list):
        others, probabilities = [others], [probabilities]
    for converted, probability in zip(others[0], probabilities, strict=True):
        assert_allclose(converted, probability, rtol=0, atol=1e-5)


def vote(**parameters):
    return VotingClassifier(MEMBERS, **parameters)


def stack(**parameters):
    return StackingClassifier(MEMBERS[:2], LogisticRegression(), cv=2, **parameters)


def threshold(estimator=CLASSIFIER, **parameters):
    return FixedThresholdClassifier(estimator, threshold=0.3, **parameters)


CASES = [
    (CalibratedClassifierCV(CLASSIFIER, cv=2), "binary"),
    (CalibratedClassifierCV(CLASSIFIER, cv=2), "strings"),
    (CalibratedClassifierCV(CLASSIFIER, method="isotonic", cv=2), "two strings"),
    (CalibratedClassifierCV(CLASSIFIER, method="temperature", cv=2), "three"),
    (CalibratedClassifierCV(PIPELINE, cv=2, ensemble=False), "three"),
    (vote(voting="soft", weights=[1, 3, 2]), "three"),
    (vote(voting="hard", weights=[1, 3, 2]), "strings"),
    (BaggingClassifier(CLASSIFIER, 2, max_features=2, random_state=0), "three"),
    (stack(stack_method="decision_function"), "binary"),
    (stack(stack_method="predict", passthrough=True), "three"),
    (stack(), "strings"),
    (OneVsRestClassifier(CLASSIFIER), "strings"),
    (OneVsRestClassifier(CLASSIFIER), "labels"),
    (OneVsOneClassifier(CLASSIFIER), "strings"),
    (AdaBoostClassifier(CLASSIFIER, n_estimators=2, random_state=0), "three"),
    (MultiOutputClassifier(CLASSIFIER), "classes"),
    (ClassifierChain(CLASSIFIER, order=[1, 0]), "labels"),
    (threshold(), "binary"),
    (threshold(response_method="decision_function"), "binary"),
    (threshold(pos_label="no"), "two strings"),
    (TunedThresholdClassifierCV(CLASSIFIER, cv=2), "binary"),
    (VotingRegressor(NUMBERS, weights=[1, 3]), "numbers"),
    (StackingRegressor(NUMBERS, Ridge(), cv=2, passthrough=True), "numbers"),
    (AdaBoostRegressor(REGRESSOR, n_estimators=3, random_state=0), "numbers"),
    (RegressorChain(REGRESSOR, order=[1, 0]), "two numbers"),
    (TransformedTargetRegressor(REGRESSOR, transformer=StandardScaler()), "numbers"),
]
CASES_OF_DETAILS = [
    (CalibratedClassifierCV(CLASSIFIER, method="temperature", cv=2), "binary"),
    (CalibratedClassifierCV(CLASSIFIER, method="isotonic", cv=2, ensemble=False), "three"),
    (CalibratedClassifierCV(MLPClassifier((4,), random_state=0, max_iter=50), cv=2), "binary"),
    (CalibratedClassifierCV(BaggingClassifier(CLASSIFIER, 2, random_state=0), cv=2), "three"),
    (CalibratedClassifierCV(BaggingClassifier(CLASSIFIER, 2, random_state=0), cv=2), "binary"),
    (vote(), "binary"),
    (VotingClassifier([*MEMBERS, ("none", "drop")], voting="soft"), "two strings"),
    (vote(voting="soft", flatten_transform=False), "binary"),
    (BaggingClassifier(PIPELINE, 2, random_state=0), "two strings"),
    (stack(stack_method="decision_function"), "three"),
    (stack(stack_method="predict_proba", passthrough=True), "binary"),
    (StackingClassifier([("linear", LogisticRegression())], CLASSIFIER, cv=2), "strings"),
    (OneVsRestClassifier(CLASSIFIER), "two strings"),
    (OneVsRestClassifier(REGRESSOR), "three"),
    (OneVsOneClassifier(CLASSIFIER), "binary"),
    (OutputCodeClassifier(CLASSIFIER, random_state=0), "three"),
    (AdaBoostClassifier(CLASSIFIER, n_estimators=2, random_state=0), "two strings"),
    (ClassifierChain(CLASSIFIER, chain_method="decision_function"), "labels"),
    (SelfTrainingClassifier(CLASSIFIER), "binary"),
    (GridSearchCV(threshold(), {"threshold": [0.2]}, cv=2), "binary"),
    (RandomizedSearchCV(CLASSIFIER, {"epochs": [6]}, n_iter=1, cv=2), "three"),
    (threshold(PIPELINE), "binary"),
    (threshold(CalibratedClassifierCV(CLASSIFIER, cv=2)), "binary"),
    (VotingClassifier([("network", threshold())]), "binary"),
    (make_pipeline(StandardScaler(), threshold(response_method="decision_function")), "binary"),
    (TunedThresholdClassifierCV(CLASSIFIER, response_method="decision_function", cv=2), "binary"),
    (BaggingRegressor(REGRESSOR, 2, max_features=2, random_state=0), "two numbers"),
    (make_pipeline(StandardScaler(), VotingRegressor(NUMBERS)), "numbers"),
    (MultiOutputRegressor(REGRESSOR), "two numbers"),
    (StackingRegressor([("linear", Ridge())], REGRESSOR, cv=2), "numbers"),
    (RANSACRegressor(REGRESSOR, min_samples=30, max_trials=2, random_state=0), "numbers"),
    (
        TransformedTargetRegressor(
            REGRESSOR, func=np.arcsinh, inverse_func=np.sinh, check_inverse=False
        ),
        "numbers",
    ),
]


@pytest.mark.parametrize(("model", "y"), CASES)
def test_meta_estimators_agree(model, y):
    assert_agrees(model, y)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "y"), CASES_OF_DETAILS)
def test_meta_estimators_agree_in_details(model, y):
    assert_agrees(model, y)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "y"),
    [
        (CalibratedClassifierCV(KerasTabularClassifier(**OF_TABLES), cv=2), "three"),
        (VotingClassifier([("table", KerasTabularClassifier(**OF_TABLES))]), "strings"),
        (BaggingRegressor(KerasTabularRegressor(**OF_TABLES), 2, random_state=0), "numbers"),
        (FixedThresholdClassifier(KerasTabularClassifier(**OF_TABLES), threshold=0.3), "binary"),
        (RegressorChain(KerasTabularRegressor(**OF_TABLES)), "two numbers"),
    ],
)
def test_estimators_of_tables_agree(model, y):
    assert_agrees(model, y)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "y"),
    [
        ({"output_activation": "softmax"}, "binary"),
        ({"loss": "hinge"}, "binary"),
        ({"loss": "categorical_hinge"}, "binary"),
        ({"loss": "categorical_crossentropy", "output_activation": "sigmoid"}, "binary"),
        ({"loss": "categorical_crossentropy", "output_activation": "softplus"}, "binary"),
        ({"loss": "mse", "output_activation": "log_softmax"}, "three"),
    ],
)
def test_decision_values_of_every_head(parameters, y):
    assert_agrees(CalibratedClassifierCV(KerasDenseClassifier(**SETTINGS, **parameters), cv=2), y)


def test_a_frozen_network_is_converted():
    frozen = FrozenEstimator(clone(CLASSIFIER).fit(X, BINARY))
    assert_agrees(CalibratedClassifierCV(frozen), "binary")


def test_conversion_leaves_the_model_as_it_is():
    model = make_pipeline(StandardScaler(), CalibratedClassifierCV(CLASSIFIER, cv=2))
    model.fit(X, BINARY)
    steps, parameters = list(model.steps), model.get_params()
    skdense.to_onnx(model, X)
    assert model.steps == steps
    assert model.get_params() == parameters


# --- what is refused -----------------------------------------------------------------------------


class Renamed(VotingClassifier):
    """A meta-estimator that nothing here knows."""


def test_unknown_meta_estimators_are_refused():
    model = Renamed(MEMBERS, voting="soft").fit(X, BINARY)
    with pytest.raises(ValueError, match=r"that to_onnx converts around Keras.*Got Ren"):
        skdense.to_onnx(model, X)


def test_steps_that_transform_by_networks_are_refused():
    model = make_pipeline(vote(voting="soft"), LogisticRegression()).fit(X, BINARY)
    with pytest.raises(ValueError, match=r"last step.*Got VotingClassifier in step"):
        skdense.to_onnx(model, X)


def test_decision_values_that_skl2onnx_does_not_have_are_refused():
    members = [("network", CLASSIFIER), ("linear", LinearSVC())]
    model = StackingClassifier(members, LogisticRegression(), cv=2).fit(X, BINARY)
    with pytest.raises(ValueError, match=r"decision_function ONNX gives.*Got LinearSVC"):
        skdense.to_onnx(model, X)


def test_transformations_of_y_without_a_form_are_refused():
    model = TransformedTargetRegressor(REGRESSOR, func=np.cbrt, inverse_func=lambda y: y**3)
    with pytest.raises(ValueError, match=r"inverse_func must be one of np.exp, .*regressor_"):
        skdense.to_onnx(model.fit(X, TARGETS["numbers"]), X)


def test_votes_of_pairs_need_classifiers():
    model = OneVsOneClassifier(REGRESSOR).fit(X, CODES)
    with pytest.raises(ValueError, match="estimator must be a classifier in OneVsOneClassifier"):
        skdense.to_onnx(model, X)


# --- tables within other models ------------------------------------------------------------------

FRAME = pd.DataFrame(
    {
        "id": np.arange(90),
        "x": X[:, 0],
        "c": np.where(np.arange(90) % 7, np.tile(["a", "b", "c"], 30), None),
        "y": X[:, 1],
    }
)
TABLE = KerasTabularClassifier(**OF_TABLES)


def assert_agrees_on_a_frame(model):
    model = model.fit(FRAME, CODES)
    session = onnxruntime.InferenceSession(skdense.to_onnx(model, FRAME).SerializeToString())
    kinds = {"tensor(float)": np.float32, "tensor(double)": float, "tensor(int64)": np.int64}
    inputs = {
        i.name: FRAME[[i.name]].astype(object).to_numpy().astype(kinds.get(i.type, object))
        for i in session.get_inputs()
    }
    assert list(inputs) == list(FRAME)
    label, probabilities = session.run(None, inputs)
    assert_array_equal(label, model.predict(FRAME))
    assert_allclose(probabilities, model.predict_proba(FRAME), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "columns", [["x", "c"], slice("x", "c"), [1, 2], [False, True, True, False]]
)
def test_columns_that_a_selector_passes_reach_the_network(columns):
    selector = ColumnTransformer([("some", "passthrough", columns)])
    assert_agrees_on_a_frame(make_pipeline(selector.set_output(transform="pandas"), TABLE))


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(TABLE, cv=2),
        VotingClassifier([("table", TABLE)], voting="soft"),
        BaggingClassifier(TABLE, 2, random_state=0),
        StackingClassifier([("table", TABLE)], LogisticRegression(), cv=2),
        OneVsRestClassifier(TABLE),
    ],
)
def test_raw_tables_in_meta_estimators(model):
    assert_agrees_on_a_frame(model)


def test_steps_that_change_columns_beside_strings_are_refused():
    preparation = ColumnTransformer([("n", StandardScaler(), ["x"]), ("c", "passthrough", ["c"])])
    model = make_pipeline(preparation, TABLE).fit(FRAME, CODES)
    with pytest.raises(ValueError, match=r"pass or drop columns only.*model\[-1\]"):
        skdense.to_onnx(model, FRAME)
