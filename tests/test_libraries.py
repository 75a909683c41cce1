"""The page on other libraries: its blocks run where these are installed, and do what it says."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skdense
from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)

PAGE = (Path(__file__).parents[1] / "docs" / "guide" / "libraries.md").read_text()
START, *SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
X = np.random.default_rng(0).standard_normal((60, 4))
Y = np.array(list("abc"))[np.arange(60) % 3]


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


BLOCKS = {text.partition("\n")[0]: blocks(text) for text in SECTIONS}


def skip_unless_installed(code):
    nodes = list(ast.walk(ast.parse(code)))
    modules = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    for package in sorted({module.partition(".")[0] for module in modules}):
        if not importlib.util.find_spec(package):
            pytest.skip(f"{package} is not installed")


@pytest.fixture(scope="module")
def rows():
    """What the first block of the page defines."""
    names = {"__name__": "page"}
    [code] = blocks(START)
    exec(code, names)  # noqa: S102 - our own text
    return names


def covers(printed, names):
    """Intervals of 90 % hold about as many, of 43 rows and more."""
    assert all(0.8 <= coverage <= 1 for coverage, width in printed if np.ndim(coverage) == 0)
    assert all(width > 0 for coverage, width in printed if np.ndim(coverage) == 0)


def crepes_sets_and_values(printed, names):
    covers(printed[:1], names)
    sets, values = printed[1]
    assert len(sets) == 3
    assert ((values > 0) & (values <= 1)).all()


def predicts_the_same(printed, names):
    assert printed == [(True,)]


def mlflow_has_losses_and_scores(printed, names):
    [(is_same,), (metrics,)] = printed
    assert is_same
    assert metrics["loss"] == names["network"].history_["loss"][-1]
    assert metrics["val_loss"] == names["network"].history_["val_loss"][-1]
    assert metrics["training_score"] == names["pipeline"].score(names["X_train"], names["y_train"])
    assert names["network"].engine_ == "compiled"


def wandb_has_losses(printed, names):
    [(loss, folder)] = printed
    assert loss == names["network"].history_["val_loss"][-1]
    assert list(Path(folder).parent.glob("*.wandb"))
    assert names["network"].engine_ == "compiled"


def the_bar_is_full(printed, names):
    assert names["bar"].epoch_bar.n == names["network"].n_iter_ == 10
    assert names["network"].engine_ == "compiled"


def skrub_learns(printed, names):
    assert printed[0][0] > 0.95
    assert printed[1][0] > 0.95
    assert {"l2", "learning_rate", "mean_test_score"} == set(printed[1][1])


def scores_are_high(printed, names):
    assert all(score > 0.8 for (score,) in printed)


def shap_adds_up(printed, names):
    sums, probabilities = printed[0]
    assert_allclose(sums, probabilities, atol=1e-6)
    sums = names["by_gradient"][..., 0].sum(axis=1)
    expected = probabilities - names["probability"](names["background"]).mean()
    assert_allclose(sums, expected, atol=0.1)  # of 1,000 draws


def the_forecast_is_near(printed, names):
    assert printed[0][0] < 1  # of a series that goes up and down by 3


CHECKS = {
    "MAPIE": covers,
    "Conformalized quantile regression": covers,
    "crepes": crepes_sets_and_values,
    "skops": predicts_the_same,
    "mlflow": mlflow_has_losses_and_scores,
    "Weights & Biases": wandb_has_losses,
    "tqdm": the_bar_is_full,
    "skrub": skrub_learns,
    "imbalanced-learn": scores_are_high,
    "shap": shap_adds_up,
    "sktime": the_forecast_is_near,
}
# By section, what their libraries warn of.
WARNINGS = {
    "mlflow": [
        "ignore:The ``noload`` loader strategy is deprecated",
        "ignore:`y_pred` was renamed to `y_proba`:FutureWarning",
        "ignore:.*Any type hint is inferred as AnyType:UserWarning",
    ],
    "shap": [
        "ignore:The set_:PendingDeprecationWarning",  # of matplotlib's colors
        # It gives Keras a list of one.
        "ignore:The structure of `inputs` doesn't match the expected structure:UserWarning",
    ],
    "sktime": ["ignore:The default of config ``remember_data`` will change:FutureWarning"],
}


def with_marks(heading):
    marks = [pytest.mark.filterwarnings(warning) for warning in WARNINGS.get(heading, [])]
    return pytest.param(heading, marks=marks)


def test_every_section_with_code_is_run():
    assert set(CHECKS) | {"Ray Tune"} >= {heading for heading, own in BLOCKS.items() if own}
    assert set(CHECKS) <= set(BLOCKS)


@pytest.mark.slow
@pytest.mark.parametrize("heading", [with_marks(heading) for heading in CHECKS])
def test_sections_do_what_they_say(heading, rows, tmp_path, monkeypatch):
    for code in BLOCKS[heading]:
        skip_unless_installed(code)
    if not BLOCKS[heading]:
        pytest.skip("there is no code")
    monkeypatch.chdir(tmp_path)  # for the files they write
    printed = []
    names = rows | {"print": lambda *values: printed.append(values)}
    for code in BLOCKS[heading]:
        exec(compile(code, heading, "exec"), names)  # noqa: S102 - our own text
    CHECKS[heading](printed, names)


@pytest.mark.slow
@pytest.mark.cluster
def test_ray_tune_hears_of_every_epoch(tmp_path):
    [code] = BLOCKS["Ray Tune"]
    skip_unless_installed(f"import pydantic\n{code}")  # which Tune needs, and Ray alone does not
    script = tmp_path / "tune.py"
    script.write_text("\n".join([*blocks(START), code, "print('best', best.config)"]))
    environment = os.environ | {
        # Else it would write a token and the results to the home directory.
        "RAY_AUTH_TOKEN": "0" * 32,
        "HOME": str(tmp_path),
        "RAY_worker_niceness": "0",
    }
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, str(script)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "best {'learning_rate': 0.01}" in done.stdout


# --- skops -------------------------------------------------------------------------------

SETTINGS = {"units": 4, "epochs": 2, "random_state": 0}
LOADABLE = {
    "classifier": (KerasDenseClassifier(**SETTINGS, early_stopping=True), Y),
    "several labels": (KerasDenseClassifier(**SETTINGS), (X[:, :2] > 0).astype(int)),
    "regressor": (KerasDenseRegressor(**SETTINGS, warm_start=True), X[:, 0]),
    "table of classes": (KerasTabularClassifier(**SETTINGS, n_estimators=2), Y),
    "table of numbers": (KerasTabularRegressor(**SETTINGS, n_estimators=2), X[:, 0]),
    "Keras objects": (
        KerasDenseClassifier(
            **SETTINGS,
            optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
            activation=keras.layers.LeakyReLU(negative_slope=0.3),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        ),
        Y,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("network", "target"), LOADABLE.values(), ids=LOADABLE)
def test_skops_has_to_trust_nothing_but_the_class(network, target):
    io = pytest.importorskip("skops.io")
    content = io.dumps(network.fit(X, target))
    kind = type(network)
    assert io.get_untrusted_types(data=content) == [f"{kind.__module__}.{kind.__name__}"]
    twin = io.loads(content, trusted=skdense.skops_trusted_types)
    assert_array_equal(twin.predict(X), network.predict(X))
    assert twin.get_params().keys() == network.get_params().keys()
    assert_array_equal(twin.fit(X, target).predict(X), network.fit(X, target).predict(X))


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [{"callbacks": [keras.callbacks.TerminateOnNaN()]}, {"activation": keras.activations.gelu}],
    ids=lambda given: next(iter(given)),
)
def test_skops_loads_no_functions_by_our_word(given):
    io = pytest.importorskip("skops.io")
    content = io.dumps(KerasDenseClassifier(**SETTINGS, **given).fit(X, Y))
    with pytest.raises(io.exceptions.UntrustedTypesFoundException, match="Pickled"):
        io.loads(content, trusted=skdense.skops_trusted_types)


def test_trusted_types_are_those_that_there_are():
    for name in skdense.skops_trusted_types:
        module, _, kind = name.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), kind), type)
