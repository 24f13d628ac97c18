"""Bundles that a Dag processor process fetches, or cannot."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support.dag_processor_process import ONE_DAG, Site
from tradewind_protocol import hosts

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]


def test_a_bundle_that_cannot_be_made_is_named_and_spoils_no_other(site: Site) -> None:
    site.write("one.py")
    site.bundles.append(
        {
            "name": "repo",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"tracking_ref": "main", "git_conn_id": "not_there"},
        }
    )
    site.start()
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    assert [one.name for one in site.plane.claims[0].bundles] == ["main"]
    assert site.plane.claims[0].kept == ("repo",)


def _git(place: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        cwd=place,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_git_bundle_names_its_commit_and_a_file_no_commit_touched_travels_without_its_dags(
    site: Site,
) -> None:
    work, bare = site.place / "work", site.place / "repo.git"
    _git(site.place, "init", "-q", "-b", "main", str(work))
    (work / "one.py").write_text(ONE_DAG.format(dag_id="one", task_id="a"))
    (work / "two.py").write_text(ONE_DAG.format(dag_id="two", task_id="a"))
    _git(work, "add", ".")
    _git(work, "commit", "-qm", "first")
    first = _git(work, "rev-parse", "HEAD")
    _git(site.place, "clone", "-q", "--bare", str(work), str(bare))
    site.bundles[:] = [
        {
            "name": "repo",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"tracking_ref": "main", "git_conn_id": "site_git", "refresh_interval": 1},
        }
    ]
    site.start(env={"AIRFLOW_CONN_SITE_GIT": json.dumps({"conn_type": "git", "host": f"file://{bare}"})})
    site.plane.wait_for(lambda: set(site.plane.held.get("repo", {})) == {"one.py", "two.py"})
    assert {version for _, version in site.plane.held["repo"].values()} == {first}
    (work / "two.py").write_text(ONE_DAG.format(dag_id="two", task_id="b"))
    _git(work, "commit", "-qam", "second")
    second = _git(work, "rev-parse", "HEAD")
    before = len(site.plane.reports)
    _git(work, "push", "-q", str(bare), "main")
    site.plane.wait_for(lambda: {version for _, version in site.plane.held["repo"].values()} == {second})
    later = [report for report, _ in site.plane.reports[before:]]
    assert {file.path for report in later for file in report.files} == {"two.py"}
    assert "one.py" in {same.path for report in later for same in report.same}


def test_a_bundle_that_cannot_be_fetched_is_a_finding_in_gits_words_and_is_left_alone_for_a_while(
    site: Site,
) -> None:
    site.write("one.py")
    away = "http://ada:SECRET@127.0.0.1:1/dags.git"
    site.bundles.append(
        {
            "name": "away",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"tracking_ref": "main", "repo_url": away, "refresh_interval": 1},
        }
    )
    host = site.start()
    finding = None
    while finding is None:
        message = hosts.FROM_HOST.validate_json(host.control.readline())
        if isinstance(message, hosts.HostStatus):
            finding = next((one for one in message.findings if one.check == "bundle:away"), None)
    assert "bundle away cannot be fetched: " in finding.message
    assert "127.0.0.1" in finding.message
    assert "SECRET" not in finding.message
    assert finding.remedy.startswith("Look at the way from here")
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    for number in range(3):
        site.write(f"more_{number}.py", f"more_{number}")
        site.plane.poke_until(lambda number=number: f"more_{number}.py" in site.plane.files())
    tries = host.log.read_text().count("Error initializing bundle away")
    assert 1 <= tries <= 8
    assert "SECRET" not in host.log.read_text()


def test_a_site_without_bundles_claims_none_and_parses_nothing(site: Site) -> None:
    site.bundles = []
    host = site.start()
    assert host.hello().bundles == ()
    site.plane.wait_for(lambda: bool(site.plane.watches))
    assert {claim.bundles for claim in site.plane.claims} == {()}
    assert site.plane.reports == []


def test_a_bundle_may_have_any_name_that_airflow_takes(site: Site) -> None:
    site.write("one.py")
    site.bundles[0]["name"] = "the Dags of März"
    host = site.start()
    assert host.hello().bundles == ("the Dags of März",)
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    assert site.plane.files()["one.py"].dags[0]["dag"]["fileloc"] == "/dev/null/the Dags of März/one.py"
