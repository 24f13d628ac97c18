"""A site that verifies its Dags: a commit that no trusted key has signed is neither parsed nor run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import git_server
from support.airflow_rest import eventually
from support.deployment import JOURNAL, Deployment, run_site

FLOW = """
from airflow.sdk import DAG, task
import site_journal

with DAG("signed", schedule=None, tags=["{version}"]):

    @task(queue="signed")
    def say(dag_run=None):
        site_journal.write("signed", version={version}, run=dag_run.run_id)

    say()
"""

SITE = {
    "PYTHONPATH": JOURNAL,
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
}


class Authors:
    """A repository whose commits are signed by the key of a file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.repository = git_server.Repository(directory)
        git_server.git(self.repository.clone, "config", "gpg.format", "ssh")

    def key(self, name: str) -> str:
        """A new key; its line for `allowed_signers`."""
        path = self._directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return f"{name}@example.org {path.with_suffix('.pub').read_text()}"

    def commit(self, version: int, *, by: str) -> str:
        git_server.git(self.repository.clone, "config", "user.signingkey", str(self._directory / by))
        git_server.git(self.repository.clone, "config", "commit.gpgsign", "true")
        return self.repository.commit({"signed.py": FLOW.format(version=version)})


@pytest.fixture(scope="module")
def authors(directory: Path) -> Authors:
    here = directory / "signed"
    here.mkdir()
    made = Authors(here)
    (here / "allowed_signers").write_text(made.key("ada"))
    made.key("mallory")
    made.commit(1, by="ada")
    return made


@pytest.fixture(scope="module")
def signed(deployment: Deployment, directory: Path, authors: Authors) -> Iterator[Deployment]:
    bundle = {
        "name": "signed",
        "classpath": "tradewind_runtime.bundles.VerifiedGitDagBundle",
        "kwargs": {
            "tracking_ref": "main",
            "refresh_interval": 1,
            "repo_url": str(authors.repository.bare),
            "allowed_signers": str(directory / "signed" / "allowed_signers"),
        },
    }
    site = run_site(
        directory / "signed" / "site",
        deployment.plane,
        name="signed",
        dags=None,
        queues=["signed"],
        site=SITE,
        options={"bundles": [bundle]},
    )
    with site as (agent, home):
        deployment.rest.wait_for_dags(["signed"])
        yield Deployment(deployment.plane, agent, home, deployment.rest)


def findings(signed: Deployment) -> list[str]:
    return findings_of(signed, "signed")


def findings_of(site: Deployment, agent: str) -> list[str]:
    agents = site.rest.http.get("/tradewind/v1/agents", params={"name": agent}).json()["items"]
    return [one["message"] for agent in agents for one in agent["findings"]]


def refusal_of(site: Deployment, run_id: str) -> str:
    """What the event of a refused task of the run says."""
    with site.plane.client() as http:
        items = http.get("/tradewind/v1/events", params={"action": "work_refused"}).json()["items"]
    (event, *_) = [one for one in items if run_id in one["subject"]]
    assert event["detail"]["rule"] == "versions"
    return str(event["reason"])


def tags(signed: Deployment) -> list[str]:
    return [one["name"] for one in signed.rest.get("/dags/signed")["tags"]]


def test_only_signed_commits_are_parsed_and_run(signed: Deployment, authors: Authors) -> None:
    run = signed.rest.run("signed")
    assert (run.state, [one["version"] for one in signed.journal("signed")]) == ("success", [1])
    authors.commit(2, by="mallory")
    eventually(
        lambda: any("no key that the site's owner trusts" in one for one in findings(signed)),
        timeout=60,
        what=lambda: f"the agent says that a commit is refused: {findings(signed)}",
    )
    assert tags(signed) == ["1"], "what was refused was not parsed"
    assert signed.rest.run("signed").state == "success"
    assert [one["version"] for one in signed.journal("signed")] == [1, 1]
    authors.commit(3, by="ada")
    eventually(lambda: tags(signed) == ["3"], timeout=90, what="a signed commit is parsed")
    assert signed.rest.run("signed").state == "success"
    assert [one["version"] for one in signed.journal("signed")] == [1, 1, 3]


def test_a_run_of_a_commit_whose_key_has_gone_fails(signed: Deployment, directory: Path) -> None:
    keys = directory / "signed" / "allowed_signers"
    before = keys.read_text()
    keys.write_text("")
    run = signed.rest.run("signed")
    keys.write_text(before)
    assert run.state == "failed"
    assert signed.journal("signed", run=run.run_id) == []
    reason = refusal_of(signed, run.run_id)
    assert "'versions' refuses it: bundle 'signed' does not run commit" in reason
    assert "no key that the site's owner trusts has signed it" in reason


@pytest.fixture(scope="module")
def signed_folder(deployment: Deployment, directory: Path) -> Iterator[tuple[Deployment, Path]]:
    """A site whose Dags lie in a folder, signed by the command."""
    here = directory / "signed-folder"
    (here / "dags").mkdir(parents=True)
    for name in ("ada", "mallory"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(here / name)], check=True)
    bundle = {
        "name": "folder",
        "classpath": "tradewind_runtime.bundles.VerifiedLocalDagBundle",
        "kwargs": {
            "path": str(here / "dags"),
            "trusted_keys": str(here / "ada.pub"),
            "refresh_interval": 1,
        },
    }
    write_signed(here, 1, by="ada")
    site = run_site(
        here / "site",
        deployment.plane,
        name="signed-folder",
        dags=None,
        queues=["signed-folder"],
        site=SITE,
        options={"bundles": [bundle]},
    )
    with site as (agent, home):
        deployment.rest.wait_for_dags(["signed_folder"])
        yield Deployment(deployment.plane, agent, home, deployment.rest), here


def write_signed(here: Path, version: int, *, by: str) -> None:
    text = FLOW.format(version=version).replace('DAG("signed"', 'DAG("signed_folder"')
    (here / "dags" / "flow.py").write_text(text.replace('queue="signed"', 'queue="signed-folder"'))
    sign = ["sign", str(here / "dags"), "--name", "folder", "--key", str(here / by)]
    subprocess.run([sys.executable, "-m", "tradewind_agent", "bundles", *sign], check=True)


def test_only_what_a_trusted_key_signed_is_parsed_and_run_of_a_folder(
    signed_folder: tuple[Deployment, Path],
) -> None:
    site, here = signed_folder
    assert site.rest.run("signed_folder").state == "success"
    assert [one["version"] for one in site.journal("signed")] == [1]
    write_signed(here, 2, by="mallory")
    run = site.rest.run("signed_folder")
    assert run.state == "failed", "no task starts while what is in the folder is signed by no trusted key"
    assert [one["version"] for one in site.journal("signed")] == [1]
    assert "'versions' refuses it: bundle 'folder' does not run" in refusal_of(site, run.run_id)
    eventually(
        lambda: any(
            "no key that the site's owner trusts" in one for one in findings_of(site, "signed-folder")
        ),
        timeout=60,
        what=lambda: f"the agent says that the folder is refused: {findings_of(site, 'signed-folder')}",
    )
    write_signed(here, 3, by="ada")
    eventually(
        lambda: [one["name"] for one in site.rest.get("/dags/signed_folder")["tags"]] == ["3"],
        timeout=90,
        what="the signed version is parsed",
    )
    assert site.rest.run("signed_folder").state == "success"
    assert [one["version"] for one in site.journal("signed")] == [1, 3]
