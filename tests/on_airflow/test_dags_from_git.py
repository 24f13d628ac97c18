"""Dags from a git repository: each change arrives, each run keeps its commit, and the plane never sees the repository."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import git_server
from support.airflow_rest import eventually
from support.deployment import JOURNAL, Deployment, run_site
from support.recorder import Recorder
from tradewind.embedded.agent import Agent

FLOW = """
from airflow.sdk import DAG, task
import site_journal

VERSION = {version!r}

with DAG("{dag_id}", schedule=None, tags=["{tag}"]):

    @task(queue="{queue}")
    def say(dag_run=None):
        site_journal.write("{dag_id}", version=VERSION, run=dag_run.run_id)

    say()
"""

REPARSED = """
from pathlib import Path
from airflow.sdk import DAG

with DAG("git_reparsed", schedule=None, tags=[Path({flag!r}).read_text()]):
    pass
"""

SITE = {
    "PYTHONPATH": JOURNAL,
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
}


def flow(version: int, *, dag_id: str = "git_flow", tag: str = "git", queue: str = "git") -> str:
    return FLOW.format(version=version, dag_id=dag_id, tag=tag, queue=queue)


def bundle(name: str, **kwargs: Any) -> dict[str, Any]:
    return {
        "name": name,
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {"tracking_ref": "main", "refresh_interval": 1, **kwargs},
    }


@dataclass
class GitSite(Deployment):
    """A site whose Dags are in git, and a recorder in front of its plane."""

    repository: git_server.Repository
    url: str
    recorder: Recorder

    def reports(self) -> list[bytes]:
        return [each for each in self.recorder.requests if b"/dags/report" in each.split(b"\n", 1)[0]]

    def wait_for_version(self, dag_id: str, commit: str) -> None:
        def newest() -> Any:
            found = self.rest.get(f"/dags/{dag_id}/dagVersions", order_by="-version_number", limit=1)
            return [each["bundle_version"] for each in found["dag_versions"]]

        eventually(lambda: newest() == [commit], timeout=60, what=lambda: f"{newest()} is {commit}")

    def versions_run(self, run_id: str, dag_id: str = "git_flow") -> list[int]:
        return [entry["version"] for entry in self.journal(dag_id, run=run_id)]


@pytest.fixture(scope="module")
def git_site(deployment: Deployment, directory: Path) -> Iterator[GitSite]:
    here = directory / "git"
    here.mkdir()
    repository = git_server.Repository(here)
    repository.commit({"flow.py": flow(1)})
    with git_server.over_http(repository) as url, Recorder(deployment.plane.url) as recorder:
        site = run_site(
            here / "site",
            deployment.plane,
            name="git",
            dags=None,
            queues=["git"],
            plane_url=recorder.url,
            site=SITE,
            options={"bundles": [bundle("from_git", repo_url=url)]},
        )
        with site as (agent, home):
            made = GitSite(deployment.plane, agent, home, deployment.rest, repository, url, recorder)
            made.rest.wait_for_dags(["git_flow"])
            yield made


def test_a_rerun_of_an_old_run_uses_the_old_commit(git_site: GitSite) -> None:
    old = git_site.rest.run("git_flow")
    assert (old.state, git_site.versions_run(old.run_id)) == ("success", [1])
    commit = git_site.repository.commit({"flow.py": flow(2, tag="changed")})
    git_site.wait_for_version("git_flow", commit)
    new = git_site.rest.run("git_flow")
    assert git_site.versions_run(new.run_id) == [2]
    git_site.rest.send(
        "POST",
        f"/dags/git_flow/dagRuns/{old.run_id}/clear",
        {"dry_run": False, "run_on_latest_version": False},
    )
    eventually(
        lambda: git_site.versions_run(old.run_id) == [1, 1], timeout=60, what="the old run ran the old code"
    )
    assert git_site.rest.wait_for_run("git_flow", old.run_id).state == "success"


def test_what_does_not_change_is_not_sent_again(git_site: GitSite) -> None:
    quiet_since(git_site)
    before = len(git_site.reports())
    time.sleep(6)  # six refreshes
    assert len(git_site.reports()) == before


def test_a_commit_beside_a_file_does_not_send_the_file(git_site: GitSite) -> None:
    quiet_since(git_site)
    before = len(git_site.reports())
    git_site.repository.commit({"README": f"changed at {time.time()}"})
    eventually(lambda: len(git_site.reports()) > before, timeout=30, what="the new version is told")
    quiet_since(git_site)
    assert not [each for each in git_site.reports()[before:] if b'"git_flow"' in each]


def test_a_broken_file_shows_airflows_error_until_it_is_mended(git_site: GitSite) -> None:
    git_site.repository.commit({"broken.py": "from airflow.sdk import DAG\nimport nothing_of_that_name\n"})

    def errors() -> list[str]:
        found = git_site.rest.import_errors()
        return [each["stack_trace"] for each in found if each["bundle_name"] == "from_git"]

    eventually(lambda: len(errors()) == 1, timeout=30, what="the error is on the plane")
    assert "ModuleNotFoundError: No module named 'nothing_of_that_name'" in errors()[0]
    git_site.repository.commit({"broken.py": flow(1, dag_id="git_mended")})
    git_site.rest.wait_for_dags(["git_mended"], timeout=30)
    assert errors() == []


def test_the_dags_of_a_deleted_file_go_stale(git_site: GitSite) -> None:
    git_site.repository.commit({"short_lived.py": flow(1, dag_id="git_short_lived")})
    git_site.rest.wait_for_dags(["git_short_lived"], timeout=30)
    git_site.repository.commit({"short_lived.py": None})
    eventually(lambda: "git_short_lived" not in git_site.rest.dags(), timeout=30, what="its Dag is stale")
    assert git_site.rest.get("/dags/git_short_lived")["is_stale"] is True


def test_reparsing_a_file_from_the_ui_parses_it_at_the_site(git_site: GitSite) -> None:
    flag = git_site.site / "flag"
    flag.write_text("before")
    git_site.repository.commit({"reparsed.py": REPARSED.format(flag=str(flag))})
    git_site.rest.wait_for_dags(["git_reparsed"], timeout=30)
    flag.write_text("after")

    def tags() -> list[str]:
        return [tag["name"] for tag in git_site.rest.get("/dags/git_reparsed")["tags"]]

    assert tags() == ["before"]
    token = git_site.rest.get("/dags/git_reparsed/details")["file_token"]
    git_site.rest.send("PUT", f"/parseDagFile/{token}")
    eventually(lambda: tags() == ["after"], timeout=20, what=lambda: f"the new tag is there, not {tags()}")


@pytest.mark.skipif(
    not git_server.has_ssh(), reason="no OpenSSH server (Debian: apt-get install openssh-server)"
)
def test_a_repository_may_be_read_over_ssh_and_its_source_be_sent(git_site: GitSite, directory: Path) -> None:
    here = directory / "ssh"
    here.mkdir()
    repository = git_server.Repository(here)
    repository.commit({"secure.py": flow(1, dag_id="git_over_ssh", queue="git-ssh")})
    with git_server.over_ssh(repository, here / "server") as (url, key):
        connection = {
            "conn_type": "git",
            "host": url,
            "extra": {
                "key_file": str(key),
                "strict_host_key_checking": "accept-new",
                "known_hosts_file": str(here / "known_hosts"),
            },
        }
        site = run_site(
            here / "site",
            git_site.plane,
            name="git-ssh",
            dags=None,
            queues=["git-ssh"],
            site={**SITE, "AIRFLOW_CONN_GIT_SSH": json.dumps(connection)},
            options={"bundles": [bundle("over_ssh", git_conn_id="git_ssh")], "source": "open"},
        )
        with site as (agent, home):
            made = Deployment(git_site.plane, agent, home, git_site.rest)
            made.rest.wait_for_dags(["git_over_ssh"])
            assert made.rest.run("git_over_ssh").state == "success"
            assert made.journal("git_over_ssh", version=1)
            assert "VERSION = 1" in made.rest.get("/dagSources/git_over_ssh")["content"]
    assert key.read_bytes().splitlines()[1] not in b"".join(git_site.recorder.requests)


def test_of_two_dag_processors_on_one_bundle_one_speaks_and_the_other_takes_over(
    git_site: GitSite, directory: Path
) -> None:
    here = directory / "second"
    with Recorder(git_site.plane.url) as recorder:
        site = run_site(
            here,
            git_site.plane,
            name="second",
            dags=None,
            components=["dag_processor"],
            plane_url=recorder.url,
            site=SITE,
            options={"bundles": [bundle("from_git", repo_url=git_site.url)]},
        )
        with site:
            eventually(
                lambda: any(b"/dags/watch" in each for each in recorder.requests),
                timeout=60,
                what="the second one has claimed and waits",
            )
            commit = git_site.repository.commit({"flow.py": flow(3, tag="third")})
            git_site.wait_for_version("git_flow", commit)
            assert not [each for each in recorder.requests if b"/dags/report" in each.split(b"\n", 1)[0]]
            stop(git_site.agent)
            try:
                commit = git_site.repository.commit({"flow.py": flow(4, tag="fourth")})
                git_site.wait_for_version("git_flow", commit)
            finally:
                git_site.agent.start()


def stop(agent: Agent) -> None:
    agent.stop(grace=15)


def quiet_since(site: GitSite, seconds: float = 3) -> None:
    """Return once nothing has been reported for so long."""
    count, since = len(site.reports()), time.monotonic()

    def quiet() -> bool:
        nonlocal count, since
        if len(site.reports()) != count:
            count, since = len(site.reports()), time.monotonic()
        return time.monotonic() - since > seconds

    eventually(quiet, timeout=60, what="the site has nothing more to report")
