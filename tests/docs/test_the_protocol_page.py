"""The description of the Remote Execution API and the page about the protocol are those of the code."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tradewind_protocol import paths
from tradewind_protocol.errors import Code
from tradewind_protocol.states import ATTEMPT_MOVES, AgentState, AttemptState, OutcomeKind

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def made() -> ModuleType:
    spec = importlib.util.spec_from_file_location("protocol_page", DOCS / "scripts" / "protocol_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_description_is_current(made: ModuleType) -> None:
    assert made.DESCRIPTION.read_text(encoding="utf-8") == made.description(), "run: make schemas"


def test_the_page_is_current(made: ModuleType) -> None:
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run: make schemas"


def test_the_page_has_every_code_state_and_move(made: ModuleType) -> None:
    page = made.PAGE.read_text(encoding="utf-8")
    assert all(f"| `{code.value}` | " in page for code in Code)
    for kind in (AgentState, AttemptState, OutcomeKind):
        assert all(f"| `{one.value}` | " in page for one in kind)
    moves = {f"{one.value} --> {each.value}" for one, after in ATTEMPT_MOVES.items() for each in after}
    assert {line.strip() for line in page.splitlines() if " --> " in line} == {"[*] --> queued", *moves}


def test_every_reference_of_the_description_leads_somewhere(made: ModuleType) -> None:
    described = json.loads(made.DESCRIPTION.read_text(encoding="utf-8"))
    assert described["paths"].keys() >= {f"/v1{paths.SESSIONS}", f"/v1{paths.POLL}"}

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            here = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return here.union(*(references(one) for one in value.values()))
        return set().union(*(references(one) for one in value)) if isinstance(value, list) else set()

    for reference in references(described):
        at: Any = described
        for part in reference.removeprefix("#/").split("/"):
            assert part in at, reference
            at = at[part]
