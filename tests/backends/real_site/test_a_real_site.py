"""A site whose secrets are in a cloud's secrets backend, and whose values, state and logs are in its bucket."""

from __future__ import annotations

import pytest

from backends.real_site.conftest import LIMIT, PASSWORD, Side
from backends.stores_of import TOLD, XCOMS

pytestmark = pytest.mark.timeout(600)


def test_a_connection_is_found_by_each_kind_of_code(at_the_site: Side) -> None:
    asked = at_the_site.wrote("asked")
    assert {(each["password"], each["variable"]) for each in asked.values()} == {(PASSWORD, LIMIT)}
    assert asked.keys() >= {
        "top",
        "task",
        "thread",
        "model",
        "external_python",
        "trigger",
        "template",
        "callback",
    }


def test_values_come_back_from_the_bucket_as_they_were(at_the_site: Side) -> None:
    assert {name: each["value"] for name, each in at_the_site.wrote("told").items()} == TOLD
    names = at_the_site.store.names()
    assert sum("values/xcom/real_stored/" in name for name in names) == XCOMS
    assert any("values/state/assets/" in name for name in names)


def test_a_log_is_in_the_bucket_and_is_read_from_there(at_the_site: Side) -> None:
    log = at_the_site.log("stored", "deferring")
    assert [log.count(f"{line} the trigger") for line in ("before", "after")] == [1, 1], log
    assert any(
        "logs/dag_id=real_stored/" in name and "deferring" in name for name in at_the_site.store.names()
    )
