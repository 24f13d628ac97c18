"""A table of values pushed and pulled through the site's backend and through Airflow's own: same type, same value, and the
same error where a value cannot be pushed or pulled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support import forked, prepared_hosts

HERE = Path(__file__).parent

BETTER = {
    "very large int": "MessagePack between a task and its supervisor ends at 64 bits; a stored value does not pass it",
    "negative int": "as above",
    "large Decimals": "as above: Airflow writes them as integers",
    "nan": "a request to the plane is JSON without NaN; a stored value is Python's JSON",
    "infinity": "as above",
    "lone surrogate": "MessagePack and the plane's database want UTF-8; a stored value is ASCII",
}
"""Values that Airflow's own way refuses and the site's backend keeps."""

OTHER_WORDS = {
    "not JSON": "a `serialize()` that returns no JSON: TypeError here, pydantic's words in Airflow",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: Any) -> dict[str, list[Any]]:
    folder = tmp_path_factory.mktemp("site")
    answer = forked.run(
        (HERE / "through_both.py").read_text(),
        str(folder / "state"),
        env=prepared_hosts.environment(),
        also={
            "PYTHONPATH": str(HERE),
            "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.* task_values.*",
        },
        prepared=prepared_hosts.AIRFLOW,
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, list[Any]] = json.loads(answer.stdout.splitlines()[-1])
    return found


def test_every_value_is_pushed_and_pulled_as_without_a_backend(found):
    other = {
        name: f"{ours}   INSTEAD OF   {theirs}" for name, (alike, ours, theirs) in found.items() if not alike
    }
    assert set(other) - set(BETTER) - set(OTHER_WORDS) == set(), other


@pytest.mark.parametrize("name", BETTER)
def test_a_value_that_airflow_refuses_is_kept(found, name):
    alike, ours, theirs = found[name]
    assert alike or (ours.startswith(" ") and theirs.startswith("push: ")), (ours, theirs)


def test_what_cannot_be_pushed_is_the_task_sdks_error(found):
    for name in ("Opaque", "Opaque inside", "function", "bytearray", "ndarray", "Series"):
        assert found[name][1].startswith("push: TypeError"), found[name]
        assert "Cannot serialize object of type" in found[name][1]
    assert found["not JSON"][1].startswith("push: TypeError")


@pytest.mark.parametrize(
    "name", ["DataFrame", "DataFrames", "own equality", "rows of fetchall", "namedtuple"]
)
def test_what_was_lost_before_comes_back(found, name):
    alike, ours, _ = found[name]
    assert alike
    assert ours.startswith(" ")
