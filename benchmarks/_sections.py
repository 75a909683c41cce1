"""A benchmark of several sections: its command line, and what each section found."""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from _peers import start_tensorflow
from _report import Machine, describe_machine, format_table, load_average
from sklearn.exceptions import ConvergenceWarning


@dataclass(frozen=True)
class Figure:
    """A result that counts, and its target if it has one."""

    name: str
    value: float
    at_most: float | None = None

    def row(self) -> list[str]:
        """Return the cells of a table."""
        if self.at_most is None:
            return [self.name, f"{self.value:.3g}", "", ""]
        verdict = "met" if self.value <= self.at_most else "MISSED"
        return [self.name, f"{self.value:.3g}", f"at most {self.at_most:.3g}", verdict]


@dataclass(frozen=True)
class Result:
    """What one section found.

    Attributes
    ----------
    seconds : dict of task to dict of contestant to list of float
        Of each repeat.
    accuracy : dict of contestant to float
    figures : list of Figure
    """

    title: str
    seconds: dict[str, dict[str, list[float]]]
    accuracy: dict[str, float]
    figures: list[Figure]

    def show(self, table: str) -> None:
        """Print the times, then the figures with their targets."""
        figures = format_table(
            ["skdense", "figure", "target", ""], [figure.row() for figure in self.figures]
        )
        print(f"\n{self.title}\n\n{table}\n\n{figures}", flush=True)


Section = Callable[[argparse.Namespace, Machine], Result]


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
    """Run the sections asked for, each of which prints what it finds."""
    machine = describe_machine(sgemm_size=256 if options.quick else 2048)
    print(machine, flush=True)
    if options.quick:
        print("quick: too little work for the targets to mean anything")
    start_tensorflow()
    with warnings.catch_warnings():
        # MLPClassifier warns at its last epoch; here all run the same number on purpose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        results = {
            name: run(options, machine) for name, run in sections.items() if name in options.only
        }
    if (load := load_average()) is not None:
        print(f"\nload average at the end {load:.2f}")
    if options.json:
        found = {name: asdict(result) for name, result in results.items()}
        text = json.dumps({"machine": asdict(machine), "sections": found}, indent=2)
        options.json.write_text(text + "\n")
