"""Train on a file that memory need not hold, read in chunks by pandas and then by Dask.

A chunk is read, scaled, trained on and forgotten, so that memory holds one at a time however long
the file is. The first pass over the file fits the scaler and collects the classes, all of which
``partial_fit`` has to know before it has met them; each further pass is an epoch. Of every ten
rows, the last is held out, and counts for the accuracy only.

pandas reads so many rows at a time, Dask so many bytes; after that the two are treated alike. Dask
reads many files, Parquet and object stores too, and prepares columns before they arrive here.

Rows have to lie in the file in random order: they are shuffled within their chunk only, and a
network that sees one class after another forgets the first.

Without ``--csv`` the script trains on a file that it writes: points in three shells around a
centre, whose coordinates have scales from a thousandth to ten thousands.

Run ``python examples/out_of_core.py --help`` for the options.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseClassifier

try:
    import dask.dataframe as dd
except ImportError:  # of Dask, or of what its tables need
    dd = None

SEED = 0
SCALES = 10.0 ** np.arange(-3, 5)
SHELLS = np.array(["inner", "middle", "outer"])

Reader = Callable[[], Iterator[pd.DataFrame]]  # starts over at each call


class Survey(NamedTuple):
    """What a first pass finds out."""

    scaler: StandardScaler
    classes: list[str]
    chunk_sizes: list[int]  # in bytes, once read


def write_csv(path: Path, n_rows: int, chunk_rows: int) -> None:
    """Write points and the shell they are in, never holding more than a chunk either."""
    generator = np.random.default_rng(SEED)
    for start in range(0, n_rows, chunk_rows):
        points = generator.standard_normal((min(chunk_rows, n_rows - start), len(SCALES)))
        shells = SHELLS[np.digitize(np.linalg.norm(points[:, ::3], axis=1), [1.2, 1.8])]
        table = pd.DataFrame(points * SCALES).add_prefix("x").assign(shell=shells)
        mode = "a" if start else "w"
        table.to_csv(path, mode=mode, header=not start, index=False, float_format="%.5g")


def pandas_chunks(path: Path, chunk_rows: int) -> Iterator[pd.DataFrame]:
    """Read so many rows at a time."""
    with pd.read_csv(path, chunksize=chunk_rows) as chunks:
        yield from chunks


def dask_chunks(path: Path, chunk_bytes: int) -> Iterator[pd.DataFrame]:
    """Read whole rows of about so many bytes of the file at a time."""
    for partition in dd.read_csv(path, blocksize=chunk_bytes).partitions:
        yield partition.compute()


def split(chunk: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to train on, and every tenth, which is held out."""
    is_held_out = np.arange(len(chunk)) % 10 == 9
    return chunk[~is_held_out], chunk[is_held_out]


def features_and_target(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Take the last column as the target."""
    return rows.iloc[:, :-1], rows.iloc[:, -1]


def look_through(read: Reader) -> Survey:
    """Fit the scaler and collect the classes, chunk by chunk."""
    scaler, classes, sizes = StandardScaler(), set(), []
    for chunk in read():
        X, y = features_and_target(split(chunk)[0])
        scaler.partial_fit(X)
        classes.update(y.unique())
        sizes.append(int(chunk.memory_usage(deep=True).sum()))
    return Survey(scaler, sorted(classes), sizes)


def train(read: Reader, survey: Survey, epochs: int) -> Pipeline:
    """Return the scaler and a network trained chunk by chunk, ready for raw rows."""
    network = KerasDenseClassifier(units=64, random_state=SEED)
    for _ in range(epochs):
        for chunk in read():
            X, y = features_and_target(split(chunk)[0])
            network.partial_fit(survey.scaler.transform(X), y, classes=survey.classes)
    return Pipeline([("scale", survey.scaler), ("network", network)])


def accuracy(read: Reader, model: Pipeline) -> float:
    """Return the share of the held-out rows that are recognised, chunk by chunk."""
    hits = [
        model.predict(X) == y.to_numpy()
        for X, y in (features_and_target(split(chunk)[1]) for chunk in read())
        if len(X)
    ]
    return float(np.concatenate(hits).mean())


def run(name: str, read: Reader, epochs: int) -> Survey:
    """Train from one reader, print how it went, and return what its first pass found."""
    survey = look_through(read)
    share = accuracy(read, train(read, survey, epochs))
    sizes = survey.chunk_sizes
    print(f"{name}: {len(sizes)} chunks of at most {max(sizes) / 1e6:.1f} MB, ", end="")
    print(f"{epochs} epochs, held-out accuracy {share:.3f}")
    return survey


def train_from(path: Path, chunk_rows: int, epochs: int) -> None:
    """Train from a file through pandas, then through Dask where it is installed."""
    n_bytes = path.stat().st_size
    print(f"{path.name}: {n_bytes / 1e6:.1f} MB")
    survey = run("pandas", partial(pandas_chunks, path, chunk_rows), epochs)
    if dd is None:
        print("Dask: left out, as it is not installed. Try: pip install 'dask[dataframe]'")
        return
    chunk_bytes = -(-n_bytes // len(survey.chunk_sizes))  # for as many chunks
    run("Dask", partial(dask_chunks, path, chunk_bytes), epochs)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Train on a file, chunk by chunk.")
    parser.add_argument("--csv", type=Path, help="numbers, and a class in the last column")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the file to write")
    parser.add_argument("--chunk-rows", type=int, default=20_000, help="rows held in memory")
    parser.add_argument("--epochs", type=int, default=5, help="passes over the file")
    arguments = parser.parse_args(argv)

    if arguments.csv:
        train_from(arguments.csv, arguments.chunk_rows, arguments.epochs)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shells.csv"
        write_csv(path, arguments.rows, arguments.chunk_rows)
        train_from(path, arguments.chunk_rows, arguments.epochs)


if __name__ == "__main__":
    main()
