"""A plane and a site as a test uses them: real Airflow, a real agent."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import airflow_rest
from support.installed import agent_settings
from tradewind.embedded import agent, plane

DAGS = Path(__file__).parents[1] / "on_airflow" / "dags"

JOURNAL = str(DAGS)
"""For PYTHONPATH: where Dags find `site_journal`."""


@dataclass
class Deployment:
    """A plane, one agent, and the site the agent stands in."""

    plane: plane.Plane
    agent: agent.Agent
    site: Path
    rest: airflow_rest.AirflowRest

    def journal(self, event: str, **facts: Any) -> list[dict[str, Any]]:
        """What user code wrote down under that name with those facts."""
        lines = (self.site / "journal").read_text().splitlines() if (self.site / "journal").exists() else []
        entries = [json.loads(line) for line in lines]
        return [each for each in entries if each["event"] == event and facts.items() <= each.items()]

    def wait_for_journal(self, event: str, *, timeout: float = 60, **facts: Any) -> dict[str, Any]:
        airflow_rest.eventually(
            lambda: bool(self.journal(event, **facts)),
            timeout=timeout,
            what=f"the journal has {event} {facts}",
        )
        return self.journal(event, **facts)[-1]


def new_token(running: plane.Plane, name: str = "test", *, site: str = "") -> str:
    """An agent token made as an operator would, for that site or the default one."""
    with running.client() as http:
        answer = http.post("/tradewind/v1/tokens", json={"name": name, **({"site": site} if site else {})})
        assert answer.is_success, answer.text
        return str(answer.json()["token"])


def site_key(folder: Path) -> str:
    """A file with a site's key, for `site_key_file` of all its agents."""
    file = folder / "site.key"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text("of-one-site-in-tests-" + "0" * 20)
    return str(file)


class run_site:
    """An agent with a site of its own: its Dags, its journal, its XCom storage."""

    def __init__(
        self,
        home: Path,
        running: plane.Plane,
        *,
        name: str = "site",
        dags: Path | None = DAGS,
        token_site: str = "",
        **more: Any,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.site = home
        if more.get("user") is not None:
            os.chown(home, more["user"], more["user"])
        variables = {
            "SITE_JOURNAL": str(home / "journal"),
            "SITE_WATCHED": str(home / "watched"),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(dags or DAGS), JOURNAL])),
            "AIRFLOW_CONN_SITE_HTTP": "http://user:SECRET-CONNECTION-password@127.0.0.1:1",
            "AIRFLOW_VAR_SITE_VARIABLE": "SECRET-VARIABLE-value",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            **more.pop("site", {}),
        }
        self.agent = agent.Agent(
            agent_settings(
                home=home / "agent",
                plane_url=more.pop("plane_url", running.url),
                token=new_token(running, f"{name}-token", site=token_site),
                name=name,
                dags=dags,
                site=variables,
                **more,
            )
        )

    def __enter__(self) -> tuple[agent.Agent, Path]:
        self.agent.__enter__()
        return self.agent, self.site

    def __exit__(self, *problem: object) -> None:
        self.agent.__exit__(*problem)
