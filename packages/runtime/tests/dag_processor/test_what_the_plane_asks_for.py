"""Parses and callbacks that the plane asks a Dag processor process for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import UUID

import pytest

from support.dag_processor_process import ONE_DAG, Site
from support.secrets_backend import local_files
from tradewind_protocol import dags

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

HELD_UP = """
import pathlib, time
pathlib.Path({folder!r}, "begun").touch()
while not pathlib.Path({folder!r}, "go on").exists():
    time.sleep(0.01)
"""


def test_a_file_that_is_asked_for_while_it_is_parsed_is_parsed_again(site: Site, tmp_path: Path) -> None:
    path = site.dags / "one.py"
    path.write_text(HELD_UP.format(folder=str(tmp_path)) + ONE_DAG.format(dag_id="one", task_id="before"))
    site.bundles[0]["kwargs"]["refresh_interval"] = 3600
    site.start(env={"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600"})
    site.plane.poke_until((tmp_path / "begun").exists)
    path.write_text(ONE_DAG.format(dag_id="one", task_id="changed"))
    site.plane.tell(dags.News(parse=(dags.ParseRequest(id="r1", bundle="main", path="one.py"),)))
    site.plane.poke_until(lambda: any("r1" in watch.parsing for watch in site.plane.watches))
    (tmp_path / "go on").touch()
    site.plane.wait_for(lambda: "changed" in json.dumps([file.dags for file in site.plane.files().values()]))


def test_a_file_that_somebody_asks_for_is_parsed_before_its_interval_is_over(site: Site) -> None:
    path = site.write("one.py")
    # Nothing is looked at again by itself while this test runs.
    site.bundles[0]["kwargs"]["refresh_interval"] = 3600
    site.start(env={"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600"})
    site.plane.wait_for(lambda: "one.py" in site.plane.files() and bool(site.plane.watches))
    content = ONE_DAG.format(dag_id="one", task_id="changed")
    path.write_text(content)
    os.utime(path, (1, 1))
    site.plane.tell(dags.News(parse=(dags.ParseRequest(id="r1", bundle="main", path="one.py"),)))
    site.plane.wait_for(lambda: "changed" in json.dumps(site.plane.files()["one.py"].dags))
    site.plane.wait_for(lambda: any("r1" in watch.parsing for watch in site.plane.watches))


def test_a_callback_runs_once_it_is_granted_and_is_then_done(site: Site) -> None:
    ran = site.place / "ran"
    (site.dags / "called.py").write_text(
        "from airflow.sdk import DAG\n"
        "from airflow.providers.standard.operators.empty import EmptyOperator\n"
        f"def note(context):\n    open({str(ran)!r}, 'a').write(context['run_id'] + '\\n')\n"
        "with DAG('called', schedule=None, on_failure_callback=note):\n    EmptyOperator(task_id='a')\n"
    )
    site.start()
    site.plane.wait_for(lambda: "called.py" in site.plane.files())
    offer = dags.CallbackOffer(
        id=UUID(int=7),
        bundle="main",
        request={
            "type": "DagCallbackRequest",
            "filepath": "called.py",
            "bundle_name": "main",
            "bundle_version": None,
            "dag_id": "called",
            "run_id": "manual__1",
            "is_failure_callback": True,
            "msg": "failed",
        },
    )
    site.plane.tell(dags.News(callbacks=(offer,)))
    site.plane.wait_for(lambda: any(offer.id in watch.confirm for watch in site.plane.watches))
    site.plane.poke_until(lambda: any(offer.id in watch.done for watch in site.plane.watches))
    assert ran.exists(), site.story()
    assert ran.read_text() == "manual__1\n"


def test_a_dag_file_and_its_callback_read_what_a_secrets_backend_has(site: Site) -> None:
    ran = site.place / "ran"
    (site.dags / "reads.py").write_text(
        "from airflow.sdk import DAG, BaseHook, Variable\n"
        "from airflow.models import Connection, Variable as OldVariable\n"
        "from airflow.providers.standard.operators.empty import EmptyOperator\n"
        "old = Connection(conn_id='mine', uri='generic://me@there:1/x').host + OldVariable(key='k', val='v').val\n"
        "def read():\n"
        "    return BaseHook.get_connection('site_only').host + ' ' + Variable.get('site_only')\n"
        f"def note(context):\n    open({str(ran)!r}, 'w').write(read())\n"
        "with DAG('reads', schedule=None, tags=[read(), old], on_failure_callback=note):\n"
        "    EmptyOperator(task_id='a')\n"
    )
    site.start(env=local_files(site.place))
    site.plane.wait_for(lambda: "reads.py" in site.plane.files())
    result = site.plane.files()["reads.py"]
    assert result.dags, (result.import_errors, site.story())
    assert sorted(result.dags[0]["dag"]["tags"]) == ["file-host from the file", "therev"]
    request = {
        "type": "DagCallbackRequest",
        "filepath": "reads.py",
        "bundle_name": "main",
        "bundle_version": None,
        "dag_id": "reads",
        "run_id": "manual__1",
        "is_failure_callback": True,
        "msg": "failed",
    }
    offer = dags.CallbackOffer(id=UUID(int=8), bundle="main", request=request)
    site.plane.tell(dags.News(callbacks=(offer,)))
    site.plane.poke_until(lambda: any(offer.id in watch.done for watch in site.plane.watches))
    assert ran.exists() and ran.read_text() == "file-host from the file", site.story()


@pytest.mark.parametrize("outside", ["../outside.py", "{absolute}"])
def test_a_file_outside_its_bundle_is_not_read_whatever_the_plane_asks(site: Site, outside: str) -> None:
    ran, file = site.place / "ran", site.dags.parent / "outside.py"
    file.write_text(f"open({str(ran)!r}, 'w').close()\n")
    path = outside.format(absolute=file)
    site.write("one.py")
    site.start()
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    request = {
        "type": "DagCallbackRequest",
        "filepath": path,
        "bundle_name": "main",
        "bundle_version": None,
        "dag_id": "called",
        "run_id": "manual__1",
        "is_failure_callback": True,
        "msg": "failed",
    }
    offer = dags.CallbackOffer(id=UUID(int=8), bundle="main", request=request)
    wish = dags.ParseRequest(id="r1", bundle="main", path=path)
    site.plane.tell(dags.News(callbacks=(offer,), parse=(wish,)))
    site.plane.poke_until(lambda: any(offer.id in watch.done for watch in site.plane.watches))
    assert any("r1" in watch.parsing for watch in site.plane.watches)
    assert not ran.exists(), site.story()
