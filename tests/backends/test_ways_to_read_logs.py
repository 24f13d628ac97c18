"""A plane that reads task logs in the bucket with a role of its own, and shows the address of logs in a log platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import rights
from backends.conftest import started
from backends.rights import BUCKET
from support.airflow_rest import AirflowRest, Run, eventually
from support.cloud.aws import Moto
from support.deployment import run_site
from support.environments import of_cloud, with_extra
from support.installed import PLANES_DRIVERS
from tradewind.embedded.environments import WHEELS
from tradewind.embedded.plane import Plane, PlaneSettings

DAGS = Path(__file__).parent / "dags_logged"
LOGGING = {
    "remote_logging": "True",
    "remote_base_log_folder": f"s3://{BUCKET}/logs",
    "remote_log_conn_id": "site_store",
}
LINK = "https://logs.example.com/?q={dag_id}+{run_id}+{task_id}+{try_number}"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with rights.checked(tmp_path_factory.mktemp("moto")) as made:
        yield made


@pytest.fixture(scope="module")
def identities(moto: Moto) -> dict[str, dict[str, str]]:
    """Of the tasks and of the plane, each with the policy of the page."""
    found = {
        "site": rights.key(moto, "site", rights.the_pages_policy()),
        "plane": rights.key(moto, "plane", rights.the_planes_policy()),
    }
    rights.check(moto)
    return found


@pytest.fixture(scope="module")
def reading_plane(identities: dict[str, dict[str, str]], directory: Path) -> Iterator[Plane]:
    settings = PlaneSettings(
        home=directory / "reading-plane",
        interpreter=with_extra("plane", WHEELS["plane"], "amazon", *PLANES_DRIVERS),
        options={
            "scheduler": {"scheduler_idle_sleep_time": "0.5"},
            "logging": LOGGING,
            "tradewind": {"log_link": LINK},
        },
    )
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**identities["plane"], "AIRFLOW_CONN_SITE_STORE": "aws://"}.items():
            environment.setenv(name, value)
        with started(Plane(settings)) as plane:
            yield plane


def log(rest: AirflowRest, run: Run) -> tuple[str, str]:
    """What a person reads on the log page: where the log is from, and its lines."""
    found = rest.get(f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/talks/logs/1")["content"]
    sources, _, lines = "\n".join(str(line["event"]) for line in found).partition("::endgroup::")
    return sources, lines


def test_a_plane_with_a_role_of_its_own_reads_the_log_without_an_agent(
    reading_plane: Plane, identities: dict[str, dict[str, str]], directory: Path
) -> None:
    logs = {f"AIRFLOW__LOGGING__{name.upper()}": value for name, value in LOGGING.items()}
    site = run_site(
        directory / "uploads",
        reading_plane,
        name="uploads",
        bundle="uploads",
        dags=DAGS,
        tasks=of_cloud("amazon"),
        site={**identities["site"], **logs, "AIRFLOW_CONN_SITE_STORE": "aws://", "SITE_NAME": "uploads"},
    )
    with reading_plane.client() as http:
        rest = AirflowRest(http)
        with site:
            rest.wait_for_dags(["uploads_logged"])
            run = rest.run("uploads_logged")
            assert run.state == "success"
        sources, lines = log(rest, run)
    assert lines.count("a line of the site") == 1, (sources, lines)
    assert f"s3://{BUCKET}/logs/" in sources
    assert "agent uploads" not in sources


def test_the_log_page_has_the_address_in_a_log_platform_also_when_the_agent_is_gone(
    reading_plane: Plane, directory: Path
) -> None:
    site = run_site(
        directory / "linked",
        reading_plane,
        name="linked",
        bundle="linked",
        dags=DAGS,
        site={"SITE_NAME": "linked"},
    )
    with reading_plane.client() as http:
        rest = AirflowRest(http)
        with site:
            rest.wait_for_dags(["linked_logged"])
            run = rest.run("linked_logged")
            quoted = run.run_id.replace(":", "%3A").replace("+", "%2B")
            address = f"https://logs.example.com/?q=linked_logged+{quoted}+talks+1"
            sources, lines = log(rest, run)
            assert address in sources
            assert lines.count("a line of the site") == 1, "the line comes from the agent's disk"
            assert f"This log in the site's log platform: {address}" in lines
        eventually(
            lambda: "a line of the site" not in log(rest, run)[1],
            timeout=30,
            what="the agent is gone",
        )
        assert f"This log in the site's log platform: {address}" in log(rest, run)[1]
