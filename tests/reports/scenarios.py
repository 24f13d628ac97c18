"""What a Dag file says about itself. The file is read, never imported: it belongs to the sides."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

DAGS = Path(__file__).parent / "dags"


@dataclass(frozen=True)
class Scenario:
    """One promise: its Dags, how their runs end, and where an agent is different, with the reason."""

    name: str
    promise: str
    ends: Mapping[str, Sequence[str]]  # Dag id → the states its runs end in, oldest first
    triggers: Sequence[
        str
    ]  # the Dags that are triggered; the others are started by these or by their schedule
    ends_locally: Mapping[str, Sequence[str]] = field(
        default_factory=dict
    )  # where LocalExecutor ends otherwise
    conf: Mapping[str, Any] = field(default_factory=dict)
    logical_date: bool = True  # False: as triggered in the UI, without one
    play: str = "trigger"  # what a person does, a function in `plays`
    plugin: bool = False  # only where the plugin is installed
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # "<dag>/<task>" → lines its log has to have, on every side
    differs: Mapping[str, str] = field(default_factory=dict)  # pattern of a difference → why it is right
    differs_under_strict: Mapping[str, str] = field(default_factory=dict)  # the same, under the strict policy

    def expected(self, difference: str, *, strict: bool) -> bool:
        """Whether the scenario states this difference."""
        patterns = [*self.differs, *(self.differs_under_strict if strict else ())]
        return any(fnmatchcase(difference, pattern) for pattern in patterns)


def read(path: Path) -> Scenario:
    """The scenario a Dag file states in its docstring and in `SCENARIO`, a literal."""
    tree = ast.parse(path.read_text())
    docstring = ast.get_docstring(tree)
    stated: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == ["SCENARIO"]:
            stated = ast.literal_eval(node.value)
    if not docstring or "apache/airflow#" not in docstring:
        raise ValueError(f"{path.name} names no public report in its docstring")
    ends = {dag: _states(states) for dag, states in stated.pop("ends").items()}
    locally = {dag: _states(states) for dag, states in stated.pop("ends_locally", {}).items()}
    triggers = stated.pop("triggers", list(ends))
    return Scenario(
        name=path.stem,
        promise=docstring.splitlines()[0],
        ends=ends,
        ends_locally=locally,
        triggers=triggers,
        **stated,
    )


def read_all(folder: Path = DAGS) -> list[Scenario]:
    """Every scenario of the folder, by name. Modules that Dag files share state none."""
    return [read(path) for path in sorted(folder.glob("*.py")) if "SCENARIO = " in path.read_text()]


def _states(states: str | Sequence[str]) -> Sequence[str]:
    return (states,) if isinstance(states, str) else tuple(states)
