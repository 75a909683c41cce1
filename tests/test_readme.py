"""README's example runs, and its commands are the ones that continuous integration runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_example_runs_and_learns(capsys):
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.strip().splitlines()) <= 22
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own text
    accuracy = float(capsys.readouterr().out.split()[-1])
    assert accuracy > 0.95


def test_ci_runs_the_test_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert "'.[test]'" in README
    assert "'.[test]'" in script
    assert "python -m pytest" in README
    assert "python -m pytest" in script
