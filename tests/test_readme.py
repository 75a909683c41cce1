"""README's examples run, and its commands are the ones that continuous integration runs."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def names():
    """What the first example defines, and what it prints."""
    found = {}
    run(EXAMPLES[0].replace("print(", "printed = ("), found)
    return found


def run(example, names):
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own text


@pytest.mark.slow
def test_first_example_is_short_and_learns(names):
    assert len(EXAMPLES[0].strip().splitlines()) <= 22
    assert names["printed"][1] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, len(EXAMPLES)))
def test_further_examples_go_on_from_the_first(number, names):
    if "sklearn.callback" in EXAMPLES[number] and not importlib.util.find_spec("sklearn.callback"):
        pytest.skip("scikit-learn has its own callbacks from release 1.9 on")
    run(EXAMPLES[number], dict(names))


@pytest.mark.slow
def test_keras_callback_of_the_readme_gives_each_fit_its_file(names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [example] = [example for example in EXAMPLES if "CSVLogger" in example]
    own = dict(names)
    run(example, own)
    network = own["KerasDenseClassifier"](epochs=2, callbacks=[own["OwnFile"]("unused.csv")])
    X, y = own["columns"].fit_transform(own["X_train"]), own["y_train"]
    network.fit(X, y).fit(X, y)
    assert len(list(tmp_path.glob("training-*.csv"))) == 2


def test_ci_runs_the_test_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert "'.[test]'" in README
    assert "'.[test]'" in script
    assert "python -m pytest -n 2 --dist loadfile" in README
    assert "python -m pytest -n 2 --dist loadfile" in script
