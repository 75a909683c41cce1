"""A benchmark of several sections: its command line, and what each section found."""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _report import Machine, describe_machine, format_table, load_average
from sklearn.exceptions import ConvergenceWarning

Series = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Figure:
    """A result that counts, and its target if it has one."""

    name: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    def row(self) -> list[str]:
        """Return the cells of a table."""
        cells = [self.name, f"{self.value:.3g}"]
        if self.at_most is not None:
            verdict = "met" if self.value <= self.at_most else "MISSED"
            return [*cells, f"at most {self.at_most:.3g}", verdict]
        if self.at_least is not None:
            verdict = "met" if self.value >= self.at_least else "MISSED"
            return [*cells, f"at least {self.at_least:.3g}", verdict]
        return [*cells, "", ""]


@dataclass(frozen=True)
class Result:
    """What one section found.

    Attributes
    ----------
    title : str
        What was done.
    dtype : str
        Of the rows.
    table : str
        For the reader.
    seconds : dict of task to dict of contestant to list of float
        Of each repeat.
    figures : list of Figure
    score : dict of contestant to float
        Accuracy, or R2 of a regression.
    others : dict of quantity to dict like `seconds`
        Memory and the like.
    """

    title: str
    dtype: str
    table: str
    seconds: Series
    figures: list[Figure]
    score: dict[str, float] = field(default_factory=dict)
    others: dict[str, Series] = field(default_factory=dict)

    def show(self) -> None:
        """Print the times, then the figures with their targets."""
        figures = format_table(
            ["skdense", "figure", "target", ""], [figure.row() for figure in self.figures]
        )
        print(f"\n{self.title}\n\n{self.table}\n\n{figures}", flush=True)


Section = Callable[[argparse.Namespace], Result]


def command_line(
    description: str, sections: Sequence[str], repeats: str
) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark understands; `repeats` names the defaults."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    names = {"choices": sections, "default": sections, "metavar": "NAME"}
    parser.add_argument("--only", nargs="+", **names, help=f"any of {', '.join(sections)}")
    parser.add_argument("--quick", action="store_true", help="sizes that show only that it runs")
    parser.add_argument("--repeats", type=int, help=f"instead of {repeats}")
    parser.add_argument("--json", type=Path, help="file to write all times and figures to")
    return parser


def run_sections(options: argparse.Namespace, sections: Mapping[str, Section]) -> None:
    """Run the sections asked for, print what they find, and write it down after each."""
    machine = describe_machine(sgemm_size=256 if options.quick else 2048)
    print(machine, flush=True)
    if options.quick:
        print("quick: too little work for the targets to mean anything")
    found: dict[str, Any] = {}
    for name in options.only:
        load = load_average()
        with warnings.catch_warnings():
            # MLPClassifier warns at its last epoch; here all run the same number on purpose.
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = sections[name](options)
        result.show()
        print("" if load is None else f"\nload average before and after: {load:.2f}, {_load()}")
        found[name] = {"load_average": load, **asdict(result)}
        del found[name]["table"]
        if options.json:
            _write(options.json, machine, found)


def _load() -> str:
    load = load_average()
    return "unknown" if load is None else f"{load:.2f}"


def _write(file: Path, machine: Machine, sections: Mapping[str, Any]) -> None:
    text = json.dumps({"machine": asdict(machine), "sections": sections}, indent=2)
    file.write_text(text + "\n")
