"""What an upgrade meets is known before it begins (scenario 15)."""

from __future__ import annotations

from typing import Any

import pytest

from tradewind_platform.domain import catalogue, preflight
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.preflight import Verdict
from tradewind_protocol.errors import Refused


def agent(name: str, *airflows: str) -> dict[str, Any]:
    environments = [{"name": f"e{number}", "airflow": one} for number, one in enumerate(airflows)]
    return {"name": name, "environments": environments}


def test_scenario_15_an_agent_that_is_two_minors_behind_is_named() -> None:
    found = preflight.agents(
        "3.4.0", [agent("lab", "3.3.2"), agent("eu-1", "3.3.0", "3.2.9"), agent("new", "")]
    )
    assert found.verdict is Verdict.REFUSED
    assert "agent eu-1, environment e1" in found.message and "3.2.9" in found.message
    assert "lab" not in found.message and "3.3.x" in found.remedy or "3.4.x" in found.remedy


def test_agents_of_the_minor_before_are_well() -> None:
    assert preflight.agents("3.4.0", [agent("lab", "3.3.2", "3.4.1")]).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("now", "wanted", "verdict"),
    [
        ("3.3.0", "3.3.2", "ok"),
        ("3.3.2", "3.4.0", "ok"),
        ("3.9.9", "3.10.0", "ok"),
        ("3.3.2", "3.3.2", "refused"),
        ("3.3.2", "3.3.0", "refused"),
        ("3.3.2", "3.5.0", "refused"),
        ("3.3.2", "4.0.0", "refused"),
        ("", "3.3.2", "warning"),
    ],
)
def test_only_a_newer_version_within_one_minor_is_upgraded_to(now: str, wanted: str, verdict: str) -> None:
    assert preflight.direction(now, wanted).verdict.value == verdict


def test_whether_a_migration_is_needed_follows_from_heads_and_not_from_the_version() -> None:
    code = {"alembic_version": ["b"], "tradewind_alembic_version": ["0006"]}
    same = preflight.schema(code, {"alembic_version": "b", "tradewind_alembic_version": "0006"}, {})
    assert "No migration" in same.message
    older = preflight.schema(code, {"alembic_version": "a", "tradewind_alembic_version": "0006"}, {})
    assert older.verdict is Verdict.OK and older.message == "It is migrated: alembic_version."


def test_a_database_of_a_newer_version_is_refused() -> None:
    found = preflight.schema({"alembic_version": ["a"]}, {"alembic_version": "z"}, {"alembic_version": False})
    assert found.verdict is Verdict.REFUSED and "alembic_version z" in found.message


def test_there_must_be_room_for_twice_the_database() -> None:
    assert preflight.disk(199, 100).verdict is Verdict.REFUSED
    assert preflight.disk(200, 100).verdict is Verdict.OK


def test_a_catalogue_offers_what_a_cluster_can_run_and_the_newest_stable_first() -> None:
    releases = catalogue.read(
        '{"releases": [{"version": "3.3.9"}, {"version": "3.3.10"}, {"version": "3.4.0", "channel": "candidate"}]}'
    )
    offered = Offered(releases, {"local": {"3.3.9", "3.4.0"}})
    assert [one.version for one in releases] == ["3.4.0", "3.3.10", "3.3.9"]
    assert (offered.newest("local"), offered.newest("kubernetes")) == ("3.3.9", "3.3.10")
    with pytest.raises(Refused, match=r"3\.4\.0, 3\.3\.9"):
        offered.require("local", "3.3.10")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"releases": [{}]}',
        '{"releases": [{"version": "3"}]}',
        '{"releases": [{"version": "3.3.2", "channel": "x"}]}',
    ],
    ids=["list", "nothing", "no version", "channel"],
)
def test_what_is_no_catalogue_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        catalogue.read(text)


def test_the_catalogue_that_is_shipped_is_one() -> None:
    from importlib.resources import files

    found = catalogue.read((files("tradewind_platform") / "releases.json").read_text())
    assert found and isinstance(found[0], Release)
