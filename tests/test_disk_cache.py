"""Compiled programs kept on disk: who shares them, and fits where the directory fails."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import skdense
from skdense import KerasDenseClassifier, _disk_cache

VARIABLE, FLAGS = "SKDENSE_CACHE_DIR", "TF_XLA_FLAGS"
OWN_FLAG, OTHER_FLAG = "--tf_xla_persistent_cache_directory", "--tf_xla_auto_jit=0"

# What each fresh process begins with; it says what it saw as JSON, by the last line.
START = """
import json, os, shutil, sys, warnings
from pathlib import Path
import numpy as np
import skdense
from skdense import KerasDenseClassifier

cache = Path(sys.argv[1]) / "cache"
X = np.random.default_rng(0).standard_normal((60, 4))
y = (X[:, 0] > 0).astype(int)
seen = {}

def fit(name):
    network = KerasDenseClassifier(units=5, depth=1, epochs=3, batch_size=16, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seen[name] = network.fit(X, y).predict_proba(X).ravel().tolist()
    seen[name + "_warnings"] = [str(warning.message) for warning in caught]
"""
FIT = "fit('first')"


def run(code, folder, **environment):
    """Run code in a fresh process, whose cache and temporary files are in a folder.

    Returns
    -------
    dict
        What it saw, and "left": what remained of its temporary files.
    """
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    inherited = {k: v for k, v in os.environ.items() if k not in (VARIABLE, FLAGS)}
    done = subprocess.run(  # noqa: S603 - the code is this file's own
        [sys.executable, "-c", START + code + "\nprint(json.dumps(seen))", str(folder)],
        env=inherited | {"TMPDIR": str(temporary)} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    left = [path.name for path in temporary.iterdir()]
    return json.loads(done.stdout.splitlines()[-1]) | {"left": left}


def entries(cache):
    """Return what is kept, by name: each entry's content, and when it was written."""
    paths = sorted(cache.glob("*/*"))
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


@pytest.fixture(scope="module")
def expected():
    """What the fit of a fresh process predicts, trained in this one without a directory."""
    X = np.random.default_rng(0).standard_normal((60, 4))
    network = KerasDenseClassifier(units=5, depth=1, epochs=3, batch_size=16, random_state=0)
    return network.fit(X, (X[:, 0] > 0).astype(int)).predict_proba(X).ravel().tolist()


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A process that was the first to use a directory: what it saw, and the directory."""
    folder = tmp_path_factory.mktemp("first")
    code = """
skdense.set_cache_dir(cache)
fit("first")
fit("again")
skdense.set_cache_dir(cache)
seen["flags"] = os.environ["TF_XLA_FLAGS"]
targets = [os.path.realpath(path) for path in Path("/proc/self/fd").glob("*")]
seen["descriptors"] = [target for target in targets if target.startswith(sys.argv[1])]
"""
    return run(code, folder, **{FLAGS: OTHER_FLAG}), folder / "cache"


@pytest.fixture
def cache(first, tmp_path):
    """A directory as the first process left it."""
    return shutil.copytree(first[1], tmp_path / "cache")


# --- sharing -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_process_keeps_its_program_in_a_private_folder(first):
    seen, cache = first
    [folder] = cache.iterdir()
    assert folder.name.startswith(f"tensorflow-{version('tensorflow')}-")
    assert folder.stat().st_mode & 0o777 == 0o700 or os.name == "nt"
    [name] = entries(cache)
    assert name.startswith("xla_compile_cache__")
    assert seen["first_warnings"] == seen["again_warnings"] == []
    assert seen["first"] == seen["again"]


def test_the_first_process_leaves_nothing_else(first):
    seen, cache = first
    assert seen["flags"] == OTHER_FLAG
    assert seen["descriptors"] in ([], [str(next(cache.iterdir()).resolve())])
    assert seen["left"] == []


@pytest.mark.slow
def test_another_process_loads_the_program_and_gives_the_bits_of_one_without(
    first, cache, expected, tmp_path
):
    before = entries(cache)
    seen = run(FIT, tmp_path, **{VARIABLE: str(cache)})
    assert entries(cache) == before
    assert seen["first_warnings"] == []
    assert seen["first"] == first[0]["first"] == expected


@pytest.mark.slow
def test_worker_processes_share_the_directory(tmp_path):
    code = """
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import GridSearchCV

skdense.set_cache_dir(cache)
network = KerasDenseClassifier(units=5, depth=1, epochs=3, batch_size=16, random_state=0)
search = GridSearchCV(network, {"learning_rate": [0.01, 0.1]}, cv=4, n_jobs=2, refit=False)

def kept():
    return {path.name: path.stat().st_mtime_ns for path in cache.glob("*/*")}

for name in ("workers", "later_workers"):
    search.fit(X, y)
    seen[name] = search.cv_results_["mean_test_score"].tolist(), kept()
    get_reusable_executor().shutdown()
"""
    seen = run(code, tmp_path)
    assert len(seen["workers"][1]) == 1
    assert seen["later_workers"] == seen["workers"]


@pytest.mark.slow
def test_a_directory_given_to_tensorflow_by_the_user_is_used_in_its_place(expected, tmp_path):
    own, flag = tmp_path / "own", f"{OWN_FLAG}={tmp_path / 'own'}"
    own.mkdir()
    cache = tmp_path / "cache"
    code = FIT + "; seen['flags'] = os.environ['TF_XLA_FLAGS']"
    seen = run(code, tmp_path, **{VARIABLE: str(cache), FLAGS: flag})
    assert seen["flags"] == flag
    assert seen["first_warnings"] == []
    assert seen["first"] == expected
    assert list(own.glob("xla_compile_cache__*"))
    assert not cache.exists()


# --- when it is set ----------------------------------------------------------------------


@pytest.fixture
def fresh(monkeypatch):
    """Let this process seem not to have told TensorFlow of a directory."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(FLAGS, raising=False)
    monkeypatch.setattr(_disk_cache, "_cache", _disk_cache._Cache())


def test_until_the_first_fit_it_can_be_set_again(fresh, tmp_path):
    skdense.set_cache_dir("~/cache")
    assert Path(os.environ[VARIABLE]) == Path("~/cache").expanduser().resolve()
    skdense.set_cache_dir(str(tmp_path / "cache"))
    assert Path(os.environ[VARIABLE]) == (tmp_path / "cache").resolve()
    assert not list(tmp_path.iterdir())


def test_after_a_fit_another_directory_is_an_error_and_the_same_one_is_not(fresh, tmp_path):
    skdense.set_cache_dir(tmp_path)
    _disk_cache._cache.is_settled = True
    skdense.set_cache_dir(tmp_path)
    with pytest.raises(RuntimeError, match=rf"before the first fit.*Got .*other.*{VARIABLE}"):
        skdense.set_cache_dir(tmp_path / "other")
    assert os.environ[VARIABLE] == str(tmp_path.resolve())


@pytest.mark.slow
def test_after_other_use_of_tensorflow_it_is_too_late(expected, tmp_path):
    code = """
import tensorflow as tf
tf.ones(2) + 1
fit("first")
fit("again")
try:
    skdense.set_cache_dir("elsewhere")
except RuntimeError as error:
    seen["error"] = str(error)
"""
    seen = run(code, tmp_path, **{VARIABLE: str(tmp_path / "cache")})
    [warning] = seen["first_warnings"]
    assert "TensorFlow had run before" in warning
    assert VARIABLE in warning
    assert seen["again_warnings"] == []
    assert seen["first"] == seen["again"] == expected
    assert "before the first fit" in seen["error"]
    assert not entries(tmp_path / "cache")
    assert seen["left"] == []


# --- directories that fail ---------------------------------------------------------------


def be_a_file(cache, monkeypatch):
    cache.write_text("")


def be_where_none_can_be(cache, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/proc/nowhere/cache")


def be_open_to_others(cache, monkeypatch):
    folder = cache / _disk_cache._folder_name("1.0")
    folder.mkdir(parents=True)
    folder.chmod(0o777)


def be_full(cache, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100_000))


@pytest.mark.skipif(os.name == "nt", reason="rights and paths are others there")
@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (be_a_file, "File exists"),
        (be_where_none_can_be, "nowhere"),
        (be_open_to_others, "others may write to it"),
        (be_full, "no space left"),
    ],
    ids=["a_file", "uncreatable", "open_to_others", "full"],
)
def test_a_directory_that_cannot_be_used_is_a_warning(fail, reason, fresh, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    fail(tmp_path / "cache", monkeypatch)
    has_run = []
    tensorflow = SimpleNamespace(__version__="1.0")
    _disk_cache.run_first(tensorflow, lambda: has_run.append(os.environ.get(FLAGS)))
    assert has_run == [None]
    message = rf"not kept in {os.environ[VARIABLE]!r} \({VARIABLE}\).*Got: .*{reason}.*compiles"
    with pytest.warns(UserWarning, match=message):
        _disk_cache.report()
    assert not list(tmp_path.glob("**/trial-*"))


@pytest.mark.slow
def test_a_fit_without_the_directory_gives_the_same_bits(expected, tmp_path):
    be_a_file(tmp_path / "cache", None)
    seen = run(FIT + "; fit('again')", tmp_path, **{VARIABLE: str(tmp_path / "cache")})
    [warning] = seen["first_warnings"]
    assert "File exists" in warning
    assert seen["again_warnings"] == []
    assert seen["first"] == seen["again"] == expected
    assert seen["left"] == []


DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "garbage": lambda content: np.random.default_rng(0).bytes(len(content)),
    "overwritten": lambda content: bytes(4_096) + content[4_096:],
    "flipped": lambda content: bytes([content[0] ^ 0xFF]) + content[1:],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_programs_are_replaced(name, cache, expected, tmp_path):
    [path] = cache.glob("*/*")
    path.write_bytes(DAMAGES[name](path.read_bytes()))
    damaged = path.read_bytes()
    seen = run(FIT, tmp_path, **{VARIABLE: str(cache)})
    assert seen["first_warnings"] == []
    assert seen["first"] == expected
    [(content, _)] = entries(cache).values()
    assert content != damaged
    assert seen["left"] == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs descriptors with paths")
def test_a_directory_deleted_between_fits_is_a_warning(expected, tmp_path):
    code = """
skdense.set_cache_dir(cache)
fit("first")
shutil.rmtree(cache)
skdense.clear_cache()
fit("without")
skdense.clear_cache()
fit("again")
"""
    seen = run(code, tmp_path)
    [warning] = seen["without_warnings"]
    assert f"({VARIABLE})" in warning
    assert "No such file or directory" in warning
    assert seen["first_warnings"] == seen["again_warnings"] == []
    assert seen["first"] == seen["without"] == seen["again"] == expected
    assert seen["left"] == []


@pytest.mark.slow
def test_a_program_is_found_whatever_was_compiled_before_it(tmp_path):
    def fits(*units):
        arguments = "depth=1, epochs=1, batch_size=16"
        return "\n".join(f"KerasDenseClassifier(units={u}, {arguments}).fit(X, y)" for u in units)

    given = {VARIABLE: str(tmp_path / "cache")}
    run(fits(5, 3), tmp_path, **given)
    before = entries(tmp_path / "cache")
    run(fits(3, 5), tmp_path, **given)
    assert entries(tmp_path / "cache") == before


@pytest.mark.slow
def test_error_that_is_not_the_directorys_leaves_it_as_it_is(tmp_path):
    code = """
import tensorflow as tf

def uncompilable(y, outputs):
    return tf.reduce_mean(tf.py_function(lambda x: x, [y - outputs], outputs.dtype), axis=-1)

fit("first")
before = sorted(cache.glob("*/*"))
try:
    skdense.KerasDenseRegressor(loss=uncompilable, engine="compiled", epochs=1).fit(X, X[:, 0])
except tf.errors.OpError as error:
    seen["error"] = type(error).__name__
seen["is_same"] = sorted(cache.glob("*/*")) == before
"""
    seen = run(code, tmp_path, **{VARIABLE: str(tmp_path / "cache")})
    assert seen["error"] == "InvalidArgumentError"
    assert seen["is_same"]
    assert not seen["left"]
