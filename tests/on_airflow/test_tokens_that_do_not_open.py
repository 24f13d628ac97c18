"""What a real plane says to an agent it does not let in, and what the agent says to whoever started it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy

from support.airflow_rest import eventually
from support.deployment import Deployment, new_token
from support.installed import agent_settings
from tradewind.embedded.agent import Agent


def started(deployment: Deployment, home: Path, token: str, *, url: str = "") -> Agent:
    settings = agent_settings(
        home=home, plane_url=url or deployment.plane.url, token=token, name="stranger", components=["worker"]
    )
    return Agent(settings)


def expired(deployment: Deployment) -> str:
    """A token that was good for a day, two days later: its dates are moved, since a test cannot wait."""
    with deployment.plane.client() as http:
        made = http.post("/tradewind/v1/tokens", json={"name": "soon-expired", "expires_in_days": 1}).json()
    url = deployment.plane.settings.database or f"sqlite:///{deployment.plane.home}/airflow.db"
    past = datetime.now(timezone.utc) - timedelta(days=1)
    engine = sqlalchemy.create_engine(url)
    moved = sqlalchemy.text("update tradewind_agent_token set expires_at = :past where name = 'soon-expired'")
    moment = sqlalchemy.bindparam("past", past, type_=sqlalchemy.DateTime(timezone=True))
    with engine.begin() as database:
        assert database.execute(moved.bindparams(moment)).rowcount == 1
    engine.dispose()
    return str(made["token"])


def deleted(deployment: Deployment) -> str:
    value = new_token(deployment.plane, "soon-deleted")
    tokens = deployment.rest.http.get("/tradewind/v1/tokens").json()["items"]
    [found] = [each for each in tokens if each["name"] == "soon-deleted"]
    assert deployment.rest.http.delete(f"/tradewind/v1/tokens/{found['id']}").is_success
    return value


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("malformed", 78, "does not hold an agent token"),
        ("wrong", 3, "token_unknown"),
        ("deleted", 3, "token_deleted"),
        ("expired", 3, "token_expired"),
    ],
)
def test_a_token_that_does_not_open_ends_the_agent_with_the_reason(
    deployment: Deployment, tmp_path: Path, kind: str, code: int, words: str
) -> None:
    good = new_token(deployment.plane, f"pattern-{kind}")
    last = "A" if good[-1] != "A" else "B"
    token = {
        "malformed": lambda: "not-a-token",
        "wrong": lambda: wrong(good, last),
        "deleted": lambda: deleted(deployment),
        "expired": lambda: expired(deployment),
    }[kind]()
    with started(deployment, tmp_path, token) as agent:
        assert agent.process.wait(60) == code
    said = agent.process.tail()
    assert words in said
    assert token not in said


def test_a_token_deleted_under_a_running_agent_ends_it(deployment: Deployment, tmp_path: Path) -> None:
    token = new_token(deployment.plane, "deleted-later")
    with started(deployment, tmp_path, token) as agent:

        def ids() -> list[str]:
            found = deployment.rest.http.get("/tradewind/v1/agents").json()["items"]
            return [each["id"] for each in found if each["name"] == "stranger" and each["state"] != "offline"]

        eventually(lambda: bool(ids()), timeout=60, what="the agent has a session")
        tokens = deployment.rest.http.get("/tradewind/v1/tokens").json()["items"]
        [found] = [each["id"] for each in tokens if each["name"] == "deleted-later"]
        assert deployment.rest.http.delete(f"/tradewind/v1/tokens/{found}").is_success
        assert agent.process.wait(60) == 3
    assert "token_deleted" in agent.process.tail()


def wrong(good: str, last: str) -> str:
    return good[:-1] + last
