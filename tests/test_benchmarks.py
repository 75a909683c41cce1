"""The benchmarks run and write what they measured; nothing here depends on how fast."""

import importlib
import json
import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


@pytest.fixture
def benchmark(monkeypatch):
    """Import one of the modules in the folder."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def quickly(benchmark, tmp_path):
    """Run a script, and read what it wrote."""

    def run(script, *arguments):
        file = tmp_path / "found.json"
        benchmark(script).main(["--quick", *map(str, arguments), "--json", str(file)])
        found = json.loads(file.read_text())
        assert found["machine"]["sgemm_gflops"] > 0
        assert found["machine"]["versions"].keys() >= {"skdense", "scikit-learn", "tensorflow"}
        for section in found["sections"].values():
            assert section["dtype"] in {"float32", "float64"}
            assert {"title", "load_average", "figures"} <= section.keys()
        return found["sections"]

    return run


@pytest.fixture
def in_one_process(benchmark, monkeypatch):
    """Let what asks for fresh processes share one, which imports TensorFlow once.

    Not those with an environment, nor those whose imports are measured.
    """
    processes = benchmark("_processes")
    with processes.FreshProcess() as process:

        def run(function, environment=None, **arguments):
            if environment or function.__name__ == "time_first_answer":
                return processes.run_fresh(function, environment, **arguments)
            return process.call(function, **arguments)

        for script in ("grid_search", "searches", "serving", "tables"):
            monkeypatch.setattr(benchmark(script), "run_fresh", run)
        monkeypatch.setattr(benchmark("serving"), "FreshProcess", lambda: nullcontext(process))
        yield


def repeats(section):
    """Count the times of each contestant at each task, all of which must be positive."""
    times = section["seconds"].values()
    assert all(second > 0 for task in times for each in task.values() for second in each)
    return {
        task: {name: len(each) for name, each in by_name.items()}
        for task, by_name in section["seconds"].items()
    }


def figures(section):
    return {figure["name"]: figure["value"] for figure in section["figures"]}


@pytest.mark.slow
def test_speed_times_fits_and_predictions_of_all(quickly, write_digits, tmp_path):
    mnist = write_digits(tmp_path / "mnist", 150, 10)
    chosen = ["small-regression-float64", "large"]
    sections = quickly("speed", "--repeats", 1, "--only", *chosen, "--data", mnist)
    assert list(sections) == chosen
    for name, section in sections.items():
        contestants = {"skdense", "MLP", "Keras", "keras.wrappers"}
        if name.endswith("float64"):
            contestants.add("skdense, dtype='auto'")
        counts = repeats(section)
        optional = counts["fit"].keys() & {"skorch"}
        expected = dict.fromkeys(contestants | optional, 1)
        assert counts["predict_row"] == counts["predict_all"] == expected
        assert counts["fit"] == {**expected, "skdense, first fit": 1, "Keras, new model": 1}
        assert counts["product"] == {"large matrix product": 1}
        assert section["score"].keys() == expected.keys()
        assert all(value > 0 for value in figures(section).values() if "extra" not in name)
    assert sections["large"]["title"].startswith("large: MNIST 150 x 784")


@pytest.mark.slow
def test_quality_judges_all_by_the_same_rows(quickly, benchmark, capsys):
    forest = "HistGradientBoosting"
    names = ["skdense", "skdense, recipe", "MLP", forest, f"{forest}, typed"]
    asked = ["--only", "penguins", "--seeds", 0, 1, "--contestants", *names]
    section = quickly("quality", *asked)["penguins"]
    assert repeats(section) == {"fit": dict.fromkeys(names, 2)}
    losses = section["others"]["loss"]["test"]
    assert all(0 < loss < 2 for name in names for loss in losses[name])
    assert set(section["score"]) == set(names)
    printed = capsys.readouterr().out
    assert "mean rank" in printed
    assert "penguins, seed 1, MLP" in printed
    ranks = benchmark("quality").rank({"a": {"x": [1.0], "y": [2.0]}}, {"a": {"x": [1], "y": [3]}})
    assert [line.split()[:2] for line in ranks.splitlines()[1:]] == [["x", "1.00"], ["y", "2.00"]]


@pytest.mark.slow
def test_every_part_of_the_recipe_can_be_left_out(quickly, benchmark):
    section = quickly("quality", "--only", "penguins", "--ablate")["penguins"]
    parts = [f"recipe without {part}" for part in benchmark("quality").PARTS]
    assert list(section["score"]) == ["skdense, recipe", *parts]


@pytest.mark.slow
def test_quantiles_are_compared_with_a_forest_for_each(quickly, capsys):
    section = quickly("quantiles", "--only", "penguins")["penguins"]
    names = ["KerasTabular", "KerasDense", "HistGradientBoosting"]
    assert repeats(section) == {"fit": dict.fromkeys(names, 1)}
    assert all(0 < own <= 1 for own in section["score"].values())  # share of rows covered
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.split()[:1] and line.split()[0] in names]
    crossing = {row[0]: float(row[-2]) for row in rows}
    assert crossing["KerasTabular"] == crossing["KerasDense"] == 0 <= crossing[names[-1]]


def test_quality_needs_the_folder_of_its_tables(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark("quality").main(["--only", "adult"])
    assert "--data is needed" in capsys.readouterr().err


def test_tables_become_numbers_without_gaps(benchmark, tmp_path):
    tables = benchmark("_tables")
    penguins = tables.split(tables.TABLES["penguins"], None, seed=0, most_rows=100)
    assert penguins.X_train.shape == (100, penguins.X_test.shape[1])
    assert np.isfinite(penguins.X_train).all()
    assert set(penguins.y_train) == {0, 1, 2}
    typed, typed_test = penguins.typed
    assert typed.select_dtypes("category").columns.tolist() == ["island", "sex"]
    assert set(penguins.raw_train["sex"].dropna()) | {"missing"} == set(typed["sex"])
    assert typed_test.dtypes.equals(typed.dtypes)
    lines = ["a,b,y", *(f"{n}.5,{'?' if n % 3 else 'x'},{n % 7}" for n in range(40))]
    (tmp_path / "own.csv").write_text("\n".join(lines))
    table = tables.Table("y", "own.csv", is_regression=True, missing="?")
    own = tables.split(table, tmp_path, seed=0, most_rows=1000)
    assert own.X_train.shape == (30, 3)
    assert len(own.y_test) == 10


@pytest.mark.slow
@pytest.mark.usefixtures("in_one_process")
def test_searches_compare_programs_and_peers(quickly):
    sections = quickly("searches")
    assert list(sections) == ["widths", "columns", "large", "architectures"]
    assert repeats(sections["large"]) == {"search": {"skdense": 1, "skdense, side by side": 1}}
    assert figures(sections["widths"])["programs, side by side"] >= 1
    assert figures(sections["architectures"])["programs"] > 10
    assert repeats(sections["columns"])["RFE"] == {"skdense": 1, "MLP": 1}


@pytest.mark.slow
@pytest.mark.usefixtures("in_one_process")
def test_grid_searches_train_every_network_for_all_epochs(quickly, monkeypatch):
    # Wherever the tests keep their programs, a benchmark has its own directory, or none.
    monkeypatch.setenv("SKDENSE_CACHE_DIR", os.devnull)
    sections = quickly("grid_search", "--repeats", 1, "--only", "one-job")
    ours = {
        "skdense, no disk cache": 1,
        "skdense, no disk cache, once more": 1,
        "skdense, cold disk cache": 1,
        "skdense, warm disk cache": 1,
    }
    sampled = "keras.wrappers, scaled up from 2 of 3 candidates"
    assert repeats(sections["one-job"]) == {"search": {**ours, "MLP": 1, sampled: 1}}
    for section in sections.values():
        # The same seed gives the same network, wherever it is trained.
        assert len({section["score"][name] for name in ours}) == 1


@pytest.mark.slow
def test_many_fits_follow_time_memory_and_threads(quickly):
    section = quickly("many_fits", "--repeats", 1)["fits"]
    both = {"skdense": 1, "MLP": 1}
    assert repeats(section) == {"fits 1": both, "fits 2": both, "fits 3": both}
    assert section["others"].keys() == {"megabytes", "threads"}
    assert all(
        quantity.keys() == section["seconds"].keys() for quantity in section["others"].values()
    )
    assert figures(section)["threads more than after the first"] == 0


@pytest.mark.slow
def test_scaling_measures_each_layout_in_processes_of_their_own(quickly, tmp_path):
    chosen = ["sparse", "map"]
    sections = quickly("scaling", "--repeats", 1, "--only", *chosen, "--data", tmp_path)
    both = {"skdense": 1, "MLP": 1}
    assert list(map(repeats, sections.values())) == [
        {"2,000 x 1,000, units 64": both, "2,000 x 1,000 CSR, units 64": both},
        {"2,000 x 250 map, units 64": both},
    ]
    for section in sections.values():
        assert section["others"].keys() == {"megabytes, peak", "megabytes, anonymous"}
    assert (tmp_path / "2000x250.npy").stat().st_size > 4 * 2000 * 250


@pytest.mark.slow
def test_start_up_measures_what_a_process_loads(quickly):
    sections = quickly("start_up", "--only", "small", "predict")
    everyone = dict.fromkeys(sections["predict"]["seconds"]["load"], 1)
    assert everyone.keys() >= {"skdense", "MLP", "Keras"}
    cached = {"skdense, cold disk cache": 1, "skdense, warm disk cache": 1}
    # A difference of two times may be negative.
    derived = ("first - later", "another's - later")
    extras = [sections["small"]["seconds"].pop(phase) for phase in derived]
    imports = sections["small"]["seconds"].pop("TensorFlow's import")
    assert all(extra.keys() == everyone.keys() | cached.keys() for extra in extras)
    assert imports["skdense"][0] > 0.1
    assert set(repeats(sections["small"])) == {
        "import",
        "first fit",
        "later fit",
        "another's first",
        "start to fitted",
    }
    assert repeats(sections["small"])["first fit"] == {**everyone, **cached}
    assert repeats(sections["predict"]) == dict.fromkeys(["load", "predict", "process"], everyone)
    loads = sections["predict"]["others"]["loads TensorFlow"]
    assert (loads["skdense"], loads["Keras"]) == ([0], [1])


@pytest.mark.slow
def test_training_options_compare_the_same_work_and_trace_one_program(quickly):
    sections = quickly("training_options", "--repeats", 1)
    watched = ["early stopping", "early stopping, metrics", "validation, metrics"]
    watched += ["early stopping on accuracy", "verbose=2"]
    units = [f"{name}, {units}" for units in ("12-12", "128-128") for name in ("skdense", "MLP")]
    assert {name: repeats(section) for name, section in sections.items()} == {
        "watching": {"fit": dict.fromkeys(["silent", *watched], 1)},
        "penguins": {"fit": dict.fromkeys(units, 1)},
        "stream": {"chunk": {"skdense": 6, "MLP": 6}},
    }
    for section in sections.values():
        [seconds] = section["seconds"].values()
        assert section["score"].keys() == seconds.keys()
    # With verbose=2 the same rows are trained on in the same order, to the same weights.
    score = sections["watching"]["score"]
    assert score["verbose=2"] == score["silent"]
    assert figures(sections["stream"])["programs traced"] == 1


@pytest.mark.slow
def test_keras_wrapper_trains_for_the_epochs_that_fit_is_told(benchmark):
    search = benchmark("_search").Search((4,), (1,), ("relu",), (0.01,), n_folds=2, epochs=3)
    grid_search, options = benchmark("_search")._searches(search, "keras.wrappers", 1, None)
    X, y = benchmark("_data").penguins()
    grid_search.fit(X, y, **options)  # each fit is looked at
    assert len(grid_search.best_estimator_[-1].history_.epoch) == 3
    # Told at any other place, it would not.
    grid_search.estimator[-1].set_params(fit_kwargs={"epochs": 3})
    with pytest.raises(RuntimeError, match=r"must run 3 epochs\. Got 1 of"):
        grid_search.fit(X, y, network__verbose=0)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_explains_its_command_line(benchmark, script, capsys):
    with pytest.raises(SystemExit, match="0"):
        benchmark(script).main(["--help"])
    printed = capsys.readouterr().out
    assert all(option in printed for option in ("--quick", "--json", "--repeats", "--only"))


def test_ratios_are_of_times_in_the_same_turn(benchmark):
    # The second turn found the machine busy, the third one a disturbance of one contestant.
    assert benchmark("_timing").paired_ratio([2.0, 20.0, 9.0], [1.0, 10.0, 1.0]) == 2


def test_contestants_take_turns_until_slow_ones_sit_out(benchmark):
    turns = []
    runs = {name: lambda name=name: turns.append(name) for name in ("fast", "slow")}
    found = benchmark("_timing").in_turns(runs, 3, {"slow": 1})
    assert turns == ["fast", "slow", "fast", "fast"]
    assert found == {"fast": [None] * 3, "slow": [None]}


@pytest.mark.parametrize(
    ("target", "verdict"),
    [({"at_most": 2}, "met"), ({"at_least": 2}, "MISSED"), ({}, "")],
    ids=["at most", "at least", "none"],
)
def test_figures_are_held_against_their_targets(benchmark, target, verdict):
    assert benchmark("_sections").Figure("ratio", 1.5, **target).row()[-1] == verdict


def test_operations_of_a_fit_are_those_of_its_matrix_products(benchmark):
    workload = benchmark("_workloads").Workload("name", 100, 10, 3, (20,), 10, 5)
    first, last = 10 * 20, 20 * 3
    # Forward and gradient of the weights; gradient of the inputs of the last layer.
    assert workload.gflop == pytest.approx(2e-9 * 100 * 5 * (2 * first + 3 * last))
    assert workload.n_steps == 50


def test_rows_are_the_same_however_they_are_kept(benchmark):
    X, y = benchmark("_data").generate(70_000, 3, 3)
    out = np.empty_like(X)
    again, labels = benchmark("_data").generate(70_000, 3, 3, out=out)
    assert again is out
    np.testing.assert_array_equal(X, out)
    np.testing.assert_array_equal(y, labels)


def test_sparse_rows_have_as_many_numbers_as_they_should(benchmark):
    module = benchmark("_fit_at_size")
    size = module.Size(50, 100, (4,), layout="CSR", n_filled=5)
    X, y = module._rows(size)
    assert X.has_canonical_format
    np.testing.assert_array_equal(np.diff(X.indptr), 5)
    assert X.indices.max() < 100
    assert set(y) == {0, 1, 2}


def test_fresh_processes_return_results_and_errors(benchmark):
    processes, memory = benchmark("_processes"), benchmark("_memory")
    environment = {"SKDENSE_CACHE_DIR": "unused"}
    with processes.FreshProcess(environment) as process:
        resident = process.call(memory.resident_megabytes)
        assert process.call(memory.live_threads) == 1
    assert 1 < resident < memory.resident_megabytes()
    with pytest.raises(RuntimeError, match=r"megabytes failed with exit code 1(.|\n)*TypeError"):
        processes.run_fresh(memory.resident_megabytes, unknown=1)


def test_peak_memory_is_seen_after_it_is_gone(benchmark):
    memory = benchmark("_memory")
    memory.forget_peak()
    with memory.watched_anonymous_memory() as anonymous:
        before = memory.peak_megabytes(), anonymous.megabytes
        array = np.ones(20_000_000, np.uint8)
        anonymous.look()
        del array
    assert memory.peak_megabytes() > before[0] + 10
    assert anonymous.megabytes > before[1] + 10


@pytest.mark.slow
@pytest.mark.usefixtures("in_one_process")
def test_serving_compares_the_same_answers(quickly):
    sections = quickly("serving")
    everybody = {
        "skdense, pickle": 1,
        "skdense, load": 1,
        "MLP, pickle": 1,
        "to_keras().predict": 1,
        "onnxruntime": 1,
    }
    phases = dict.fromkeys(["load", "answer", "process"], everybody)
    tabular = {"KerasTabular, load": 1}
    assert repeats(sections["cold"]) == {name: own | tabular for name, own in phases.items()}
    assert figures(sections["cold"])["loads TensorFlow"] == 0
    assert repeats(sections["latency"]) == dict.fromkeys(["one penguin", "200 penguins"], everybody)
    differences = [v for k, v in figures(sections["latency"]).items() if k.startswith("difference")]
    assert len(differences) == 3
    assert max(differences) < 1e-5
    assert repeats(sections["bulk"]) == {"bulk": everybody}


@pytest.mark.slow
@pytest.mark.usefixtures("in_one_process")
def test_tables_compare_matrices_of_the_same_columns(quickly, benchmark):
    sections = quickly("tables")
    peers = {"skdense": 1, "OrdinalEncoder": 1}
    assert repeats(sections["mixed"]) == {"encode": peers | {"HistGradientBoosting": 1}}
    assert repeats(sections["many texts"]) == {"encode": peers}
    mixed = benchmark("_encoding").make_table("mixed", 500)
    assert mixed.shape == (500, 14)
    assert mixed.isna().any().sum() == 2


@pytest.mark.slow
def test_reproduce_sets_published_results_beside_ours(
    benchmark, write_digits, tmp_path, monkeypatch, capsys
):
    for name in ("mnist", "fashion_mnist"):
        write_digits(tmp_path / name, 300, 100)
    reproduce = benchmark("reproduce")
    chosen = [one for one in reproduce.PUBLISHED if one.data == "fashion_mnist"]
    chosen += [one for one in reproduce.PUBLISHED if one.learning_rates]
    monkeypatch.setattr(reproduce, "PUBLISHED", chosen)
    file = tmp_path / "found.json"
    reproduce.main(["--data", str(tmp_path), "--quick", "--repeats", "2", "--json", str(file)])
    groups = json.loads(file.read_text())["groups"]
    assert [len(groups[name]) for name in ("normalised", "raw", "xor")] == [2, 1, 10]
    for row in groups["normalised"]:
        assert len({trained["accuracy"] for trained in row["ours"]}) == 2  # of two seeds
        assert not any(trained["warned"] for trained in row["ours"])
        assert row["verdict"] == "MISSED"  # after one epoch on 300 rows
    [row] = groups["raw"]
    assert all(trained["warned"] for trained in row["ours"])
    [by_keras] = row["by_keras"]  # rounding grows on raw pixels: a few images come out otherwise
    assert by_keras["accuracy"] == pytest.approx(row["ours"][0]["accuracy"], abs=0.15)
    epochs = [one["first_epoch"] for one in groups["xor"]]
    assert sum(epoch is not None and epoch <= 4_000 for epoch in epochs) >= 5
    assert "1 of 1 warned" in capsys.readouterr().out


def test_published_results_are_those_of_the_tutorials(benchmark):
    published = benchmark("_published")
    rows = [(one.data, one.inputs, *one.accuracies) for one in published.PUBLISHED]
    mnist = [0.9802, 0.9776, 0.9792, 0.9776, 0.9782, 0.9497, 0.9663, 0.9747, 0.9803, 0.981]
    mnist += [0.9826, 0.9821]
    raw = [0.1251, 0.8824, 0.9371, 0.4798, 0.9133, 0.9559, 0.1438]
    expected = {("mnist", "divided by 255"): mnist, ("mnist", "raw 0-255"): raw}
    expected["fashion_mnist", "divided by 255"] = [0.8506, 0.8863]
    for (data, inputs), accuracies in expected.items():
        found = [number for row in rows if row[:2] == (data, inputs) for number in row[2:]]
        assert found == accuracies
