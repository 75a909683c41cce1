"""What is said of arguments that are misspelt, misplaced, or called otherwise elsewhere."""

import inspect
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import skdense
from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)
from skdense._estimators import argument_hints
from skdense._problem.known_names import suggest_names

KINDS = [
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
]
X, Y = np.linspace(-1, 1, 40).reshape(20, 2), [0, 1] * 10


class Derived(KerasTabularClassifier):
    """A user's own."""


OF_FIT = {
    "validation_data": "Use X_val and y_val in place of validation_data.",
    "eval_set": "Use X_val and y_val in place of eval_set.",
    "eval_sample_weight": "Use sample_weight_val in place of eval_sample_weight.",
    "sample_weights": "Did you mean 'sample_weight'",
    "epochs": "Pass it to the constructor: {}(epochs=...).",
    "batch_size": "Pass it to the constructor: {}(batch_size=...).",
    "callbacks": "Pass it to the constructor: {}(callbacks=...).",
    "verbose": "Pass it to the constructor: {}(verbose=...).",
    "validation_split": "Pass it to the constructor: {}(validation_fraction=...).",
    "early_stopping_rounds": "Pass it to the constructor: {}(early_stopping=..., patience=...).",
}


@pytest.mark.parametrize("kind", [*KINDS, Derived], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", OF_FIT)
def test_unknown_keyword_of_fit(kind, name):
    with pytest.raises(TypeError) as error:
        kind().fit(X, Y, **{name: None})
    start = f"{kind.__name__}.fit() got an unexpected keyword argument {name!r}. "
    assert str(error.value).startswith(start + OF_FIT[name].format(kind.__name__))


OF_CONSTRUCTOR = {
    "hidden_layer_sizes": "Use units in place of hidden_layer_sizes.",
    "max_iter": "Use epochs in place of max_iter.",
    "lr": "Use learning_rate in place of lr.",
    "unit": "Did you mean 'units'?",
    "eval_set": "Pass X_val and y_val to fit.",
    "model": "Use {}.from_keras(model) for a trained Keras model.",
}


@pytest.mark.parametrize("kind", [*KINDS, Derived], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", OF_CONSTRUCTOR)
def test_unknown_parameter(kind, name):
    hint = OF_CONSTRUCTOR[name].format(kind.__name__)
    with pytest.raises(TypeError) as error:
        kind(**{name: 1})
    start = f"{kind.__name__}.__init__() got an unexpected keyword argument {name!r}. "
    assert str(error.value) == start + hint
    with pytest.raises(ValueError, match=f"^Invalid parameter '{name}' for estimator") as error:
        make_pipeline(kind()).set_params(**{f"{kind.__name__.lower()}__{name}": 1})
    assert str(error.value).endswith(f"]. {hint}")


def test_categories_belong_to_estimators_of_tables():
    for given in ({"cat_features": [0]}, {"categorical_features": [0]}):
        with pytest.raises(TypeError, match=r"numeric features. Use KerasTabularRegressor\(cat"):
            KerasDenseRegressor(**given)
    with pytest.raises(TypeError, match=r"Use categorical_features in place of cat_features\."):
        KerasTabularClassifier(cat_features=[0])
    with pytest.raises(TypeError, match=r"constructor: KerasTabularClassifier\(categorical_fea"):
        KerasTabularClassifier().fit(X, Y, cat_features=[0])


def test_several_unknown_keywords_get_a_hint_each():
    with pytest.raises(TypeError, match=r"\(epochs=\.\.\.\)\. Use X_val and y_val in place"):
        KerasDenseClassifier().fit(X, Y, epochs=3, eval_set=[(X, Y)])


CALLS = {
    "fit() missing a required argument: 'y'": lambda network: network.fit(X),
    "fit() too many positional arguments": lambda network: network.fit(X, Y, None, None),
    "partial_fit() missing a required argument: 'y'": lambda network: network.partial_fit(X),
    "predict() got an unexpected keyword argument 'verbose'": lambda n: n.predict(X, verbose=0),
    "predict_proba() missing a required argument: 'X'": lambda network: network.predict_proba(),
    "decision_function() missing a required argument: 'X'": lambda n: n.decision_function(),
    "predict_log_proba() missing a required argument: 'X'": lambda n: n.predict_log_proba(),
    "encode() missing a required argument: 'X'": lambda network: network.encode(),
    "save() missing a required argument: 'path'": lambda network: network.save(),
    "to_keras() too many positional arguments": lambda network: network.to_keras(1),
    "from_keras() missing a required argument: 'model'": lambda network: network.from_keras(),
    "__init__() too many positional arguments": lambda network: type(network)(64),
}


@pytest.mark.parametrize("start", CALLS)
def test_messages_of_methods_name_the_users_class(start):
    with pytest.raises(TypeError, match=re.escape(f"Derived.{start}")):
        CALLS[start](Derived())


def test_other_type_errors_stay():
    with pytest.raises(TypeError, match=r"X must be numbers\. Got datetime64") as error:
        KerasDenseRegressor().fit(X.astype("M8[s]"), Y)
    assert "fit()" not in str(error.value)


def test_counterparts_exist():
    known = set()
    for kind in KINDS:
        known |= {*inspect.signature(kind).parameters, *inspect.signature(kind.fit).parameters}
    for name, right in argument_hints._COUNTERPARTS.items():
        assert name not in known or right == (name,)
        assert known.issuperset(right) or right == ("from_keras",)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_signatures_stay(kind):
    parameters = inspect.signature(kind).parameters
    assert set(parameters) == kind().get_params().keys()
    assert {one.kind for one in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    names = ["self", "X", "y", "sample_weight", "groups", "X_val", "y_val", "sample_weight_val"]
    assert list(inspect.signature(kind.fit).parameters) == names
    with sklearn.config_context(enable_metadata_routing=True):
        network = clone(kind(epochs=3)).set_fit_request(X_val=True, y_val="target_val")
        requests = network.get_metadata_routing().fit.requests
    assert requests["X_val"] is True
    assert requests["y_val"] == "target_val"
    assert set(requests) == set(names[3:])
    assert pickle.loads(pickle.dumps(network)).epochs == 3  # noqa: S301 - our own bytes


@pytest.mark.parametrize("kind", [*KINDS, Derived], ids=lambda kind: kind.__name__)
def test_one_class_names_the_users_class(kind):
    network = kind(epochs=1)
    if not hasattr(network, "predict_proba"):
        return
    with pytest.raises(ValueError, match=f"^{kind.__name__} needs rows of at least 2 classes"):
        network.fit(X, np.ones(20))


def test_missing_values_lead_to_estimators_of_tables():
    missing = np.where(X > 0.5, np.nan, X)
    for kind, right in zip(KINDS[:2], KINDS[2:], strict=True):
        message = rf"^Input X contains NaN\. {kind.__name__} takes no .* Use {right.__name__},"
        with pytest.raises(ValueError, match=message) as error:
            kind().fit(missing, Y)
        assert "HistGradientBoosting" not in str(error.value)
        with pytest.raises(ValueError, match=f"Input X contains NaN.*Use {right.__name__},"):
            kind(early_stopping=True).fit(X, Y, X_val=missing, y_val=Y)
        with pytest.raises(ValueError, match="Input y contains NaN"):
            KerasDenseRegressor().fit(X, missing)


def test_no_message_names_a_class_of_its_own_accord():
    """What a message says of classes depends on the estimator, but for advice to use another."""
    named = r"Keras(Dense|Tabular)(Classifier|Regressor) (needs|must|takes|has)"
    for path in Path(skdense.__file__).parent.rglob("*.py"):
        for line in path.read_text().splitlines():
            assert not re.search(named, line), f"{path.name}: {line}"


SUGGESTED = [
    ("ReLU", ["relu", "gelu", "silu"], "'relu'"),
    ("he-normal", ["HeNormal", "he_normal", "glorot_uniform"], "'he_normal'"),
    ("BinaryCrossEntropy", ["binary_crossentropy", "BinaryCrossentropy"], "'binary_crossentropy'?"),
]


@pytest.mark.parametrize(("value", "known", "right"), SUGGESTED)
def test_nearest_names_whatever_their_case(value, known, right):
    assert suggest_names(value, known).startswith(f" Did you mean {right}")
    assert suggest_names("quite another", known) == ""


MISSPELT = [
    ({"metrics": "acuracy"}, "Did you mean 'accuracy'"),
    ({"scoring": "calibrated_los"}, "Did you mean 'calibrated_loss'?"),
    ({"scoring": "los"}, "Did you mean 'loss'?"),
    ({"loss": "pinbal"}, "Did you mean 'pinball'?"),
    ({"activation": "ReLU"}, "Did you mean 'relu'"),
    ({"output_activation": "softmx"}, "Did you mean 'softmax'"),
    ({"optimizer": "adm"}, "Did you mean 'adam'"),
    ({"kernel_initializer": "glorot"}, "Did you mean 'glorot_normal'"),
    ({"learning_rate_schedule": "cosin"}, "must be a str among .*'cosine'.* Got 'cosin'"),
]


@pytest.mark.parametrize(("given", "message"), MISSPELT)
def test_misspelt_values_get_the_nearest_name(given, message):
    network = KerasDenseClassifier(early_stopping=True, epochs=1, units=2, **given)
    with pytest.raises(ValueError, match=message):
        network.fit(X, Y)
