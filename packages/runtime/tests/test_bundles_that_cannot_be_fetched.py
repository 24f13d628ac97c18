"""What a bundle that cannot be fetched says, and that it is left alone for a while; and what a site does by default."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support import forked, prepared_hosts
from tradewind_runtime.dags import bundle_fetches
from tradewind_runtime.dags.bundle_fetches import Fetches


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def unshaken(low: float, high: float) -> float:
    return (low + high) / 2


def test_a_bundle_that_fails_is_tried_at_growing_intervals_and_at_once_when_it_worked() -> None:
    clock = Clock()
    fetches = Fetches(clock=clock, jitter=unshaken)
    assert [fetches.failed("bad", "no") for _ in range(10)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert fetches.resting() == {"bad"}
    clock.now = 300.0
    assert fetches.resting() == set()
    assert fetches.troubles() == {"bad": "no"}
    fetches.worked("bad")
    assert (fetches.troubles(), fetches.failed("bad", "again")) == ({}, 2)


def test_bundles_that_fail_together_are_not_tried_together() -> None:
    fetches = Fetches(clock=Clock())
    assert len({fetches.failed(f"bundle-{number}", "no") for number in range(5)}) == 5


class GitFailed(Exception):
    stderr = "\n  stderr: 'fatal: unable to access 'https://ada:SECRET@git.example/x.git/': Could not resolve host'"


def test_what_git_said_is_told_and_not_what_was_made_of_it() -> None:
    try:
        try:
            raise GitFailed("Cmd('git') failed")
        except GitFailed as cause:
            raise RuntimeError("Error cloning repository") from cause
    except RuntimeError as error:
        said = bundle_fetches.words(error)
    assert said == "fatal: unable to access 'https://***@git.example/x.git/': Could not resolve host"
    assert "firewall" in bundle_fetches.remedy(said)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("fatal: detected dubious ownership in repository at '/srv/dags'", "safe.directory"),
        ("Host key verification failed.", "known_hosts"),
        ("git@github.com: Permission denied (publickey).", "git_conn_id"),
        ("fatal: Authentication failed for 'https://git.example/x.git/'", "git_conn_id"),
        ("error: pathspec 'mian' did not match any file(s) known to git", "tracking_ref"),
        ("something else", "Check its kwargs"),
    ],
)
def test_the_remedy_fits_what_was_said(said: str, remedy: str) -> None:
    assert remedy in bundle_fetches.remedy(said)


def told(script: str, **variables: str) -> Any:
    """What a script prints as JSON in a process of its own, its Airflow configured by `variables` alone."""
    return said(prepared_hosts.run(script, **variables))


def said(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


DEFAULTS = """
import json, sys
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="", secret="", options={"state_directory": sys.argv[1] if sys.argv[1:] else "/state"}))
from airflow.configuration import conf
from tradewind_runtime.airflow import site_settings
print(json.dumps([site_settings.bundles()[0], conf.getboolean("core", "load_examples"), conf.get("dag_processor", "dag_bundle_storage_path")]))
"""

LOCAL = {"name": "my dags", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}}


def test_a_site_has_no_bundle_and_no_example_unless_its_owner_says_so_and_clones_are_the_agents() -> None:
    assert told(DEFAULTS) == [[], False, "/state/bundles"]
    listed = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([LOCAL])}
    stored = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": "/clones"}
    assert told(DEFAULTS, **listed, **stored) == [["my dags"], False, "/clones"]
    names, examples, _ = told(DEFAULTS, **listed, AIRFLOW__CORE__LOAD_EXAMPLES="True")
    assert examples
    assert {"my dags", "example_dags"} <= set(names)


def test_what_the_owner_wrote_into_airflow_cfg_stays(tmp_path: Path) -> None:
    listed = json.dumps([LOCAL])
    (tmp_path / "airflow.cfg").write_text(
        f"[dag_processor]\ndag_bundle_config_list = {listed}\ndag_bundle_storage_path = /srv/clones\n"
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path)}
    assert said(forked.run(DEFAULTS, env=env)) == [["my dags"], False, "/srv/clones"]


BROKEN = """
import json
from tradewind_runtime.airflow import site_settings
print(json.dumps(site_settings.bundles()))
"""


def test_an_environment_without_the_class_of_a_bundle_has_none() -> None:
    missing = {**LOCAL, "name": "other", "classpath": "acme.bundles.Ours"}
    listed = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([LOCAL, missing])}
    names, problem = told(BROKEN, **listed)
    assert names == []
    assert problem == "bundle other cannot be made: this environment has no module acme.bundles"


STALE = """
import json
from tradewind_runtime.airflow import stale_clones
print(json.dumps(stale_clones.drop()))
"""


@pytest.mark.parametrize(
    ("origin", "url", "gone"),
    [
        ("https://git.example/old.git", "https://git.example/new.git", True),
        ("https://ada:x@git.example/same.git", "https://git.example/same", False),
        ("git@git.example:team/old.git", "git@git.example:team/new.git", True),
        ("/srv/repositories/one", "repositories/one", False),
        ("/srv/repositories/one", "https://git.example/new.git", True),
    ],
)
def test_a_clone_of_another_repository_than_the_bundle_names_is_removed(
    tmp_path: Path, origin: str, url: str, gone: bool
) -> None:
    clone = tmp_path / "clones" / "dags" / "bare"
    clone.mkdir(parents=True)
    (clone / "config").write_text(f'[core]\n\tbare = true\n[remote "origin"]\n\turl = {origin}\n')
    git = {
        "name": "dags",
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {"repo_url": url, "tracking_ref": "main"},
    }
    dropped = told(
        STALE,
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps([git]),
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH=str(tmp_path / "clones"),
    )
    assert (dropped, clone.exists()) == ((["dags"], False) if gone else ([], True))
