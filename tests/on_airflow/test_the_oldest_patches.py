"""The first release of each supported Airflow minor. The newest ones are those of every other test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from support.airflow_rest import AirflowRest, eventually
from support.deployment import JOURNAL, Deployment, run_site
from support.environments import environment_behind
from support.installed import ROOT, checkout, environments
from tradewind.embedded import plane

DAGS = Path(__file__).parent / "dags_of_minors"
OLDEST = Path(__file__).parent / "oldest"
pytestmark = pytest.mark.timeout(600)

MISSING = """
import json, runpy, sys
page = runpy.run_path(sys.argv[1])
missing = []
for path in map(page["Path"], sys.argv[2:]):
    try:
        for dotted in page["_names"](page["ast"].parse(path.read_text())):
            page["looked_up"](dotted)
    except LookupError as problem:
        missing.append(f"{path.name}: {str(problem).partition(' has ')[2]}")
print(json.dumps(missing))
"""


def oldest(role: str, minor: str, *ours: str) -> Path:
    """The interpreter of an environment with the first release of a minor."""
    return checkout().environment(f"{role}-oldest", ours, lock=OLDEST / f"airflow-{minor}.txt")


def missing(interpreter: Path, side: str, home: Path) -> list[str]:
    """What the adapters of a side use and that environment's Airflow does not have."""
    modules = sorted(str(path) for path in (ROOT / "packages" / side).glob("src/*/airflow/*.py"))
    script = str(ROOT / "docs" / "scripts" / "airflow_internals_page.py")
    command = [str(interpreter), "-W", "ignore", "-c", MISSING, script, *modules]
    env = {"AIRFLOW_HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, text=True, capture_output=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def site(directory: Path) -> Iterator[Deployment]:
    """A plane on the first release of its minor, and a site with workers on that and on the first one of the minor before."""
    home = directory / "oldest"
    settings = plane.PlaneSettings(
        home=home / "plane", interpreter=oldest("plane", "3.3", "protocol", "provider")
    )
    env = {
        "SITE_JOURNAL": str(home / "site" / "journal"),
        "PYTHONPATH": JOURNAL,
        "AIRFLOW_CONN_SITE_HTTP": "http://user:SECRET-CONNECTION-password@127.0.0.1:1",
        "AIRFLOW_VAR_SITE_VARIABLE": "SECRET-VARIABLE-value",
    }
    workers = [
        {
            "name": name,
            "interpreter": str(oldest("tasks", minor, "protocol", "runtime")),
            "queues": [f"{name}-queue"],
            "env": env,
        }
        for name, minor in (("newer", "3.3"), ("older", "3.2"))
    ]
    with (
        plane.Plane(settings) as running,
        run_site(home / "site", running, name="oldest", dags=DAGS, options={"environments": workers}) as (
            agent,
            place,
        ),
        running.client() as http,
    ):
        yield Deployment(running, agent, place, AirflowRest(http))


@pytest.mark.parametrize(("dag", "airflow"), [("newer", "3.3.0"), ("older", "3.2.0")])
def test_what_tasks_do_works_with_the_first_release_of_a_minor(
    site: Deployment, dag: str, airflow: str
) -> None:
    site.rest.wait_for_dags([dag])

    def state() -> str:
        [agent] = site.rest.http.get("/tradewind/v1/agents").json()["items"]
        return f"{agent['state']} {agent['findings']}"

    eventually(lambda: state().startswith("healthy"), timeout=120, what=state)
    run = site.rest.run(dag, timeout=240)
    assert run.state == "success", run
    assert run.tries[("summed", -1)] == 2
    assert run.state_of("waits") == "success"
    assert run.state_of("never") == "skipped"
    [ran] = site.journal("ran", dag=dag)
    assert ran["airflow"] == airflow


@pytest.mark.parametrize("side", ["provider", "runtime"])
def test_the_first_release_of_the_planes_minor_has_every_name_that_the_newest_has(
    side: str, tmp_path: Path
) -> None:
    ours = {"provider": "plane", "runtime": "tasks"}[side]
    assert missing(getattr(environments(), ours), side, tmp_path) == [], version("apache-airflow-core")
    assert missing(oldest(ours, "3.3", "protocol", side), side, tmp_path) == []


def test_the_first_release_of_the_minor_before_has_every_name_that_its_newest_has(tmp_path: Path) -> None:
    newest = missing(environment_behind(), "runtime", tmp_path)
    assert missing(oldest("tasks", "3.2", "protocol", "runtime"), "runtime", tmp_path) == newest
