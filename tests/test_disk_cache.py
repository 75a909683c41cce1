"""Compiled programs kept on disk: who shares them, and fits where the directory fails."""

import atexit
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import skdense
from skdense import KerasDenseClassifier
from skdense._backend import disk_cache
from skdense._backend.compiled_function import _name_functions, _trace
from skdense._backend.loading import load_tensorflow

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="programs are kept on disk on Linux only"
)

VARIABLE, FLAGS = "SKDENSE_CACHE_DIR", "TF_XLA_FLAGS"
OWN_FLAG, OTHER_FLAG = "--tf_xla_persistent_cache_directory", "--tf_xla_auto_jit=0"

# What each fresh process begins with; it says what it saw as JSON, by the last line.
START = """
import atexit, gc, json, os, shutil, sys, warnings
from pathlib import Path
import numpy as np
import skdense
from skdense import KerasDenseClassifier

cache = Path(sys.argv[1]) / "cache"
X = np.random.default_rng(0).standard_normal((60, 4))
y = (X[:, 0] > 0).astype(int)
seen = {}
atexit.register(gc.freeze)  # or else Python takes a second to look through TensorFlow's modules

def fit(name):
    network = KerasDenseClassifier(units=5, depth=1, epochs=3, batch_size=16, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seen[name] = network.fit(X, y).predict_proba(X).ravel().tolist()
    seen[name + "_warnings"] = [str(warning.message) for warning in caught]
"""
FIT = "fit('first')"
SAY = "\nprint(json.dumps(seen), flush=True)"

# Does the same in forks of one process. TensorFlow reads the environment when it first runs; and
# skdense must not be imported before the fork, or it would refuse to train.
FORKS = """
import json, os, sys, tempfile
import keras, sklearn.model_selection

for folder, environment in json.loads(sys.argv[2]):
    child = os.fork()
    if child == 0:
        os.environ |= environment
        tempfile.tempdir = None  # to be looked up again
        sys.argv[1] = folder
        exec(sys.argv[3])
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
"""


def run(code, folder, **environment):
    """Run code in a fresh process, whose cache and temporary files are in a folder.

    Returns
    -------
    dict
        What it saw, and "left": what remained of its temporary files.
    """
    done = python(START + code + SAY, str(folder), **environment | with_temporary(folder))
    return json.loads(done[-1]) | left(folder)


def run_each(code, environments):
    """Do the same for each folder and its environment, in processes that share their imports."""
    each = [[str(at), own | with_temporary(at)] for at, own in environments.items()]
    done = python(FORKS, "", json.dumps(each), START + code + SAY)
    return [json.loads(line) | left(at) for line, at in zip(done, environments, strict=True)]


def python(code, *arguments, **environment):
    inherited = {k: v for k, v in os.environ.items() if k not in (VARIABLE, FLAGS)}
    done = subprocess.run(  # noqa: S603 - the code is this file's own
        [sys.executable, "-c", code, *arguments],
        env=inherited | environment,
        capture_output=True,
        text=True,
        errors="replace",  # TensorFlow quotes what it cannot read
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def with_temporary(folder):
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    return {"TMPDIR": str(temporary)}


def left(folder):
    return {"left": [path.name for path in (folder / "temporary").iterdir()]}


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
    assert folder.stat().st_mode & 0o777 == 0o700
    [name] = entries(cache)
    assert name.startswith("xla_compile_cache__")
    assert seen["first_warnings"] == seen["again_warnings"] == []
    assert seen["first"] == seen["again"]


@pytest.mark.slow
def test_the_first_process_leaves_nothing_else(first):
    seen, cache = first
    assert seen["flags"] == OTHER_FLAG
    assert seen["descriptors"] == [str(next(cache.iterdir()).resolve())]
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
    """Let this process seem not to have told TensorFlow of a directory.

    Yields what it does at its end.
    """
    at_end = []
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(FLAGS, raising=False)
    monkeypatch.setattr(disk_cache, "_settled", None)
    monkeypatch.setattr(disk_cache, "_told", None)
    monkeypatch.setattr(atexit, "register", at_end.append)
    yield at_end
    for function in reversed(at_end):
        function()
    if disk_cache._told is not None:
        os.close(disk_cache._told)


class Told:
    """Stands for TensorFlow, which reads where programs are to be kept once.

    Attributes
    ----------
    folder : Path
        Where it was told to keep them.
    """

    def __init__(self, monkeypatch, cache):
        monkeypatch.setenv(VARIABLE, str(cache))

    def __call__(self):
        if not hasattr(self, "folder"):
            self.folder = Path(os.environ[FLAGS].partition(f"{OWN_FLAG}=")[2])
        self.keep("trial")

    def keep(self, name):
        (self.folder / f"xla_compile_cache__{name}").write_text(name)

    def start(self):
        return disk_cache.run_first(SimpleNamespace(__version__="1.0"), self)


def test_until_the_first_fit_it_can_be_set_again(fresh, tmp_path):
    skdense.set_cache_dir("~/cache")
    assert Path(os.environ[VARIABLE]) == Path("~/cache").expanduser().resolve()
    skdense.set_cache_dir(str(tmp_path / "cache"))
    assert Path(os.environ[VARIABLE]) == (tmp_path / "cache").resolve()
    assert not list(tmp_path.iterdir())


def test_a_home_of_nobody_is_an_error_when_it_is_set(fresh):
    with pytest.raises(ValueError, match=r"user who exists. Got .*'~nosuchuser/x'. Write"):
        skdense.set_cache_dir("~nosuchuser/x")
    assert not os.environ[VARIABLE]


def test_after_a_fit_another_directory_is_an_error_and_the_same_one_is_not(
    fresh, monkeypatch, tmp_path
):
    assert Told(monkeypatch, tmp_path).start() is None
    skdense.set_cache_dir(tmp_path)
    with pytest.raises(RuntimeError, match=rf"before the first fit.*Got .*other.*{VARIABLE}"):
        skdense.set_cache_dir(tmp_path / "other")
    assert os.environ[VARIABLE] == str(tmp_path.resolve())


def test_after_a_first_operation_that_failed_the_next_one_is_told_the_same(
    fresh, monkeypatch, tmp_path
):
    told = Told(monkeypatch, tmp_path / "cache")
    monkeypatch.setenv(FLAGS, OTHER_FLAG)

    def fail():
        told()
        raise RuntimeError("no memory on the GPU")

    with pytest.raises(RuntimeError, match="no memory"):
        disk_cache.run_first(SimpleNamespace(__version__="1.0"), fail)
    assert os.environ[FLAGS] == OTHER_FLAG
    assert told.start() is None
    told.keep("program")
    assert list(entries(tmp_path / "cache")) == ["xla_compile_cache__program"]


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


def be_a_loop(cache, monkeypatch):
    cache.symlink_to(cache)


def be_within_a_loop(cache, monkeypatch):
    cache.symlink_to(cache)
    monkeypatch.setenv(VARIABLE, str(cache / "cache"))


def be_at_home_with_nobody(cache, monkeypatch):
    monkeypatch.setenv(VARIABLE, "~nosuchuser/cache")


def be_open_to_others(cache, monkeypatch):
    cache.mkdir()
    cache.chmod(0o777)


def be_open_to_a_group(cache, monkeypatch):
    cache.mkdir()
    cache.chmod(0o770)


def make_folder(cache):
    folder = cache / disk_cache._folder_name("1.0")
    folder.mkdir(parents=True)
    return folder


def have_a_folder_open_to_others(cache, monkeypatch):
    make_folder(cache).chmod(0o777)


def have_a_folder_of_another_user(cache, monkeypatch):
    user = make_folder(cache).stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)


def have_a_folder_elsewhere(cache, monkeypatch):
    folder = make_folder(cache)
    folder.rename(cache / "elsewhere")
    folder.symlink_to("elsewhere")


def have_an_unreadable_folder(cache, monkeypatch):
    make_folder(cache).chmod(0)
    if os.geteuid() == 0:  # whom rights do not stop
        os.seteuid(65_534)


def be_read_only(cache, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)


def be_full(cache, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100_000))


def lack_room_for_temporary_files(cache, monkeypatch):
    def disk_usage(path):
        return SimpleNamespace(free=2**30 if path.startswith("/proc/self/fd") else 0)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)


FAULTS = {
    be_a_file: "File exists",
    be_where_none_can_be: "nowhere",
    be_a_loop: "File exists|symbolic links",
    be_within_a_loop: "symbolic links",
    be_at_home_with_nobody: "nosuchuser",
    be_open_to_others: "no sticky bit",
    be_open_to_a_group: "no sticky bit",
    have_a_folder_open_to_others: "open to others",
    have_a_folder_of_another_user: "another user's",
    have_a_folder_elsewhere: "Not a directory|symbolic links",
    have_an_unreadable_folder: "Permission denied",
    be_read_only: "not writable",
    be_full: "no space left",
    lack_room_for_temporary_files: "no space left for temporary files",
}


@pytest.mark.parametrize("fail", FAULTS, ids=lambda fail: fail.__name__)
def test_a_directory_that_cannot_be_used_is_a_warning(fail, fresh, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    user, has_run = os.geteuid(), []
    tensorflow = SimpleNamespace(__version__="1.0")
    try:
        fail(tmp_path / "cache", monkeypatch)
        complaint = disk_cache.run_first(tensorflow, lambda: has_run.append(os.getenv(FLAGS)))
    finally:
        os.seteuid(user)
    assert has_run == [None]
    message = rf"not kept in {os.environ[VARIABLE]!r} \({VARIABLE}\).*Got: .*({FAULTS[fail]})"
    assert re.search(message, complaint)
    assert complaint.endswith("This process compiles its own.")
    assert not (tmp_path / "~nosuchuser").exists()


def be_relative(cache, monkeypatch):
    monkeypatch.chdir(cache.parent)
    monkeypatch.setenv(VARIABLE, cache.name)


def be_a_symlink(cache, monkeypatch):
    (cache.parent / "elsewhere").mkdir()
    cache.symlink_to("elsewhere")


def be_a_dangling_symlink(cache, monkeypatch):
    cache.symlink_to("elsewhere")


def be_open_to_all_with_the_sticky_bit(cache, monkeypatch):
    cache.mkdir()
    cache.chmod(0o1777)


@pytest.mark.parametrize(
    "be",
    [be_relative, be_a_symlink, be_a_dangling_symlink, be_open_to_all_with_the_sticky_bit],
    ids=lambda be: be.__name__,
)
def test_a_directory_of_any_kind_is_used(be, fresh, monkeypatch, tmp_path):
    told = Told(monkeypatch, tmp_path / "cache")
    be(tmp_path / "cache", monkeypatch)
    assert told.start() is None
    told.keep("program")
    assert list(entries(tmp_path / "cache")) == ["xla_compile_cache__program"]
    [folder] = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("what", ["base", "folder"])
def test_a_folder_swapped_while_tensorflow_starts_is_the_one_that_was_checked(
    what, fresh, monkeypatch, tmp_path
):
    cache, moved = tmp_path / "cache", tmp_path / "moved"
    told = Told(monkeypatch, cache)

    def swap():
        told()
        path = cache if what == "base" else next(cache.iterdir())
        path.rename(moved)
        path.write_text("not a directory")

    assert disk_cache.run_first(SimpleNamespace(__version__="1.0"), swap) is None
    told.keep("program")
    [program] = moved.glob("**/xla*")
    assert program.read_text() == "program"


FAILS = [be_a_file, be_a_loop, be_at_home_with_nobody]


@pytest.fixture(scope="module")
def without_directory(tmp_path_factory):
    """What fits saw that could not use their directory, by what it was."""
    environments = {}
    for fail in FAILS:
        folder = tmp_path_factory.mktemp(fail.__name__)
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv(VARIABLE, str(folder / "cache"))
            fail(folder / "cache", monkeypatch)
            environments[folder] = {VARIABLE: os.environ[VARIABLE]}
    return dict(zip(FAILS, run_each(FIT + "; fit('again')", environments), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("fail", FAILS, ids=lambda fail: fail.__name__)
def test_a_fit_without_the_directory_gives_the_same_bits(fail, expected, without_directory):
    seen = without_directory[fail]
    [warning] = seen["first_warnings"]
    assert re.search(FAULTS[fail], warning)
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


@pytest.fixture(scope="module")
def damaged(first, tmp_path_factory):
    """What fits saw that found a damaged program, and what was kept before and after them."""
    caches = {name: tmp_path_factory.mktemp(name) / "cache" for name in DAMAGES}
    before = {}
    for name, cache in caches.items():
        shutil.copytree(first[1], cache)
        [path] = cache.glob("*/*")
        path.with_name("xla_compile_cache__of_another_process").write_text("")
        path.write_bytes(DAMAGES[name](path.read_bytes()))
        before[name] = entries(cache)
    environments = {cache.parent: {VARIABLE: str(cache)} for cache in caches.values()}
    seen = run_each(FIT + "; fit('again')", environments)
    return {
        name: (own, before[name], entries(caches[name]))
        for name, own in zip(DAMAGES, seen, strict=True)
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_program_is_a_warning_and_all_programs_stay(name, damaged, expected):
    seen, before, after = damaged[name]
    [warning] = seen["first_warnings"]
    assert "TensorFlow failed there" in warning
    assert "delete the directory" in warning
    assert seen["again_warnings"] == []
    assert seen["first"] == seen["again"] == expected
    assert after == before
    assert seen["left"] == []


@pytest.mark.slow
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
    code = """
import keras
from skdense import KerasDenseRegressor

def named(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

def fit_all(rate, order):
    settings = [
        {{"units": 5}},
        {{"units": 3, "metrics": ["mae", named], "dropout": rate}},
        {{"units": 3, "loss": named}},
        {{"units": 3, "loss": keras.losses.Huber(0.1)}},
        {{"units": 3, "loss": keras.losses.Huber(1.0)}},
    ]
    for own in settings[::order]:
        KerasDenseRegressor(depth=1, epochs=1, batch_size=16, **own).fit(X, X[:, 0])

fit_all({}, {})
"""
    given = {VARIABLE: str(tmp_path / "cache")}
    run(code.format(0.1, 1), tmp_path, **given)
    before = entries(tmp_path / "cache")
    run(code.format(0.3, -1), tmp_path, **given)
    assert entries(tmp_path / "cache") == before


def test_functions_have_the_same_names_whatever_was_traced_before():
    def double(x):
        return load_tensorflow().while_loop(lambda i, _: i < 1, lambda i, x: (i + 1, 2 * x), (0, x))

    def names():
        definition = _trace(double, (np.ones(3, np.float32),)).graph.as_graph_def()
        _name_functions(definition)
        return {function.signature.name for function in definition.library.function}

    assert names() == names() != set()


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


@pytest.fixture(scope="module")
def errors():
    return load_tensorflow().errors


def test_memory_that_runs_out_is_not_the_directorys_fault(fresh, errors, monkeypatch, tmp_path):
    told = Told(monkeypatch, tmp_path)
    assert told.start() is None
    told.keep("of another process")
    before = entries(tmp_path)
    n_runs = 0

    def run_out_of_memory_once():
        nonlocal n_runs
        n_runs += 1
        if n_runs == 1:
            raise errors.ResourceExhaustedError(None, None, "Out of memory allocating 8 bytes")

    with pytest.raises(errors.ResourceExhaustedError, match="Out of memory"):
        disk_cache.compile_anyway(run_out_of_memory_once, SimpleNamespace(errors=errors))
    assert n_runs == 1
    assert entries(tmp_path) == before
    told.keep("program")
    assert len(entries(tmp_path)) == 2


def test_a_disk_that_runs_full_is_a_warning(fresh, errors, monkeypatch, tmp_path):
    told = Told(monkeypatch, tmp_path)
    assert told.start() is None
    fds = len(os.listdir("/proc/self/fd"))

    def keep_where_there_is_space():
        if os.path.samefile(told.folder, next(tmp_path.iterdir())):
            message = f"{told.folder}/xla; No space left on device"
            raise errors.ResourceExhaustedError(None, None, message)
        told.keep("program")
        return 1

    tensorflow = SimpleNamespace(errors=errors)
    with pytest.warns(UserWarning, match=rf"not kept in {str(tmp_path)!r}.*Got: .*No space left"):
        assert disk_cache.compile_anyway(keep_where_there_is_space, tensorflow) == 1
    assert disk_cache.compile_anyway(keep_where_there_is_space, tensorflow) == 1
    assert not entries(tmp_path)
    elsewhere = told.folder.resolve()
    fresh.pop()()
    assert not elsewhere.exists()
    assert len(os.listdir("/proc/self/fd")) == fds


def test_an_error_is_the_same_where_there_is_nowhere_to_turn_to(
    fresh, errors, monkeypatch, tmp_path
):
    told = Told(monkeypatch, tmp_path)
    assert told.start() is None
    be_full(None, monkeypatch)

    def fail():
        raise errors.NotFoundError(None, None, f"{told.folder}; No such file or directory")

    with pytest.raises(errors.NotFoundError, match="No such file"):
        disk_cache.compile_anyway(fail, SimpleNamespace(errors=errors))


def test_threads_in_which_the_directory_fails_at_once_all_go_on(
    fresh, errors, monkeypatch, tmp_path
):
    told = Told(monkeypatch, tmp_path / "cache")
    assert told.start() is None
    shutil.rmtree(tmp_path / "cache")
    n_threads = 8
    all_have_started = threading.Barrier(n_threads)

    def compile_in(thread):
        has_waited = False

        def keep():
            nonlocal has_waited
            if not has_waited:
                has_waited = True
                all_have_started.wait()
                raise errors.NotFoundError(None, None, f"{told.folder}; No such file")
            told.keep(thread)
            return thread

        return disk_cache.compile_anyway(keep, SimpleNamespace(errors=errors))

    threads = [str(i) for i in range(n_threads)]
    pool = ThreadPoolExecutor(n_threads)
    with pytest.warns(UserWarning, match="No such file") as warned:
        assert list(pool.map(compile_in, threads)) == threads
    pool.shutdown()
    assert len(warned) == n_threads
