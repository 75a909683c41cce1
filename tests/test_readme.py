"""README's examples run, and its commands are the ones that continuous integration runs."""

import os
import re
import subprocess
import sys
from inspect import signature
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import pytest
from keras.wrappers import SKLearnClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skdense import KerasDenseClassifier

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = ROOT / "docs"
GUIDE = DOCS / "guide"


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


# A table in one line, and a search that goes on from its rows.
TABLE, SEARCH = blocks(README)
# The site's first page, which has both, and goes on from them.
PAGE = (DOCS / "start.md").read_text()
START = blocks(PAGE)
# test_docs.py leaves them out: they start workers.
ON_CLUSTERS = [
    block
    for block in blocks((GUIDE / "searches.md").read_text())
    if "dask.distributed" in block or "import ray" in block
]


@pytest.fixture(scope="module")
def names():
    """What the blocks of the first page define, and what README's two print."""
    plt.switch_backend("Agg")
    found, printed = {}, {TABLE: "of_table", SEARCH: "of_search"}
    for block in START:
        # Empty lines ahead, so that an error names the line of the page.
        above = "\n" * PAGE[: PAGE.index(block)].count("\n")
        own = block.replace("print(", f"{printed[block]} = (") if block in printed else block
        run(above + own, found, "docs/start.md")
    yield found
    plt.close("all")


def run(example, names, page="README.md"):
    exec(compile(example, page, "exec"), names)  # noqa: S102 - our own text


def test_first_page_goes_on_from_the_readme():
    assert [block for block in START if block in (TABLE, SEARCH)] == [TABLE, SEARCH]


@pytest.mark.slow
def test_first_examples_are_short_and_learn(names):
    assert len(TABLE.strip().splitlines()) <= 10
    assert len(SEARCH.strip().splitlines()) <= 20
    assert names["of_table"][0] > 0.95
    assert names["of_search"][1] > 0.95
    assert names["pipeline"].score(names["X_test"], names["y_test"]) > 0.9
    assert [ax.get_title() for ax in names["display"].axes_.ravel()]


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("number", range(len(ON_CLUSTERS)))
def test_examples_on_clusters_run_as_scripts(number, tmp_path):
    # Scripts, because workers read the main module again. One small candidate does.
    rows = TABLE[: TABLE.index("model = ")].replace(
        "from skdense import KerasTabularClassifier\n", ""
    )
    start = rows + SEARCH[: SEARCH.index("print(")].replace("epochs=50", "epochs=2")
    start = re.sub(r"(: |= )\[([^,\]]+), [^\]]+\]", r"\1[\2]", start)
    script = tmp_path / "search.py"
    script.write_text(start + ON_CLUSTERS[number] + "\nprint('ended')\n")
    # Ray would write a token of its own to the home directory, and its workers, at a low priority,
    # would wait for all other tests.
    environment = os.environ | {"RAY_AUTH_TOKEN": "0" * 32, "RAY_worker_niceness": "0"}
    command = [sys.executable, str(script)]
    done = subprocess.run(  # noqa: S603 - our own text
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ended" in done.stdout


@pytest.mark.slow
def test_keras_callback_of_the_guide_gives_each_fit_its_file(names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [example] = [e for e in blocks((GUIDE / "callbacks.md").read_text()) if "CSVLogger" in e]
    own = names | {"keras": keras}
    run(example.partition("\n\n\nKeras")[0], own)
    network = own["KerasDenseClassifier"](epochs=2, callbacks=[own["OwnFile"]("unused.csv")])
    X, y = own["columns"].fit_transform(own["X_train"]), own["y_train"]
    network.fit(X, y).fit(X, y)
    assert len(list(tmp_path.glob("training-*.csv"))) == 2


def test_ci_runs_the_test_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert "'.[test]'" in README
    assert "'.[test]'" in script
    command = "python -m pytest -n 4 --dist loadfile"
    assert f"{command}\n" in README
    assert f"{command} " in script


PICTURES = "https://raw.githubusercontent.com/skdense/skdense/main/"
PAGES = "https://github.com/skdense/skdense/blob/main/"
FOLDERS = "https://github.com/skdense/skdense/tree/main/"


def test_links_of_the_readme_work_wherever_it_is_shown():
    """An index of packages shows it without the repository, where a relative link leads nowhere."""
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    links = set(re.findall(r"\]\(([^)]+)\)", README))
    assert f"{PICTURES}docs/pictures/quality.png" in pictures
    assert f"{PAGES}docs/start.md" in links
    for link in links:
        start = PICTURES if link in pictures else PAGES if ".md" in link else FOLDERS
        assert link.startswith(start)
        path = ROOT / link.removeprefix(start)
        assert path.is_dir() if start == FOLDERS else path.is_file()


def test_every_benchmark_is_in_the_guide():
    page = (GUIDE / "speed.md").read_text()
    assert all(f"`{script.name}`" in page for script in (ROOT / "benchmarks").glob("[!_]*.py"))


def test_parameters_to_migrate_exist():
    names = {
        "ours": {*dir(KerasDenseClassifier), *KerasDenseClassifier().get_params()},
        "MLP": {*dir(MLPClassifier), *MLPClassifier().get_params(), *MLPRegressor().get_params()},
        "wrappers": {*dir(SKLearnClassifier), *signature(SKLearnClassifier).parameters},
    }
    # What only a fit makes.
    names["ours"] |= {"history_", "best_epoch_", "y_val"}
    names["MLP"] |= {"loss_curve_", "validation_scores_", "coefs_", "intercepts_"}
    names["MLP"] |= {"loss"}  # of a regressor, from scikit-learn 1.7 on
    names["wrappers"] |= {"history_", "model_"}
    page = (ROOT / "docs" / "coming_from.md").read_text()
    table = page.partition("| skdense | `MLPClassifier`")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert len(rows) > 12
    seen = set()
    for own, mlp, _, wrapper in rows:
        for text, whose in ((own, "ours"), (mlp, "MLP"), (wrapper, "wrappers")):
            found = set(re.findall(r"(?:`|, )(\w+)(?==|`|\()", text)) - {"clone"}
            assert found <= names[whose], f"{whose}: {found - names[whose]}"
            seen |= found if whose == "ours" else set()
    parameters = KerasDenseClassifier().get_params().keys()
    # The others have no like of these.
    alone = {"weight_decay", "clipnorm", "refit_full", "dtype", "engine"}
    assert parameters - seen == alone | {
        "n_estimators",
        "learning_rate_schedule",
        "calibration",
        "input_scaling",
        "numeric_embedding",
        "embedding_units",
        "n_bins",
        "learned_scale",
    }
