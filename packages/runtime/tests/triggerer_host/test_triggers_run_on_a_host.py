"""A triggerer process fires, fails and stops triggers as the plane wants it, whatever happens to the way between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.collector import Collector
from support.secrets_backend import local_files
from tradewind_protocol import values

from .conftest import FakePlane, Site, StartHost, task

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]


def test_a_trigger_fires_with_its_arguments_and_is_not_run_again(site: Site) -> None:
    site.plane.want(7, "Simple", ti=site.task("t"), colour="green", nested={"n": [1, 2]})
    site.plane.wait_for(lambda: site.plane.events())
    assert site.plane.events() == {7: [{"colour": "green", "nested": {"n": [1, 2]}}]}
    site.plane.wait_for(lambda: site.plane.has() == frozenset())
    assert site.plane.events() == {7: [{"colour": "green", "nested": {"n": [1, 2]}}]}
    assert f"(ID {site.plane.base + 7}) starting" in site.log_of("t")


def test_a_trigger_reads_what_a_secrets_backend_has(
    plane: FakePlane, start_host: StartHost, tmp_path: Path
) -> None:
    start_host(env=local_files(tmp_path))
    plane.want(1, "Reads", ti=task("t"))
    plane.wait_for(lambda: plane.events() or plane.failures())
    assert plane.events() == {1: [["file-host", "from the file", "there"]]}, plane.failures()


def test_the_triggerer_sends_its_metrics_as_airflows_own_does(
    plane: FakePlane, start_host: StartHost
) -> None:
    with Collector() as collector:
        start_host(
            env={
                "AIRFLOW__METRICS__OTEL_ON": "True",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_METRIC_EXPORT_INTERVAL": "200",
            }
        )
        plane.want(1, "Sleeps", ti=task("t"))
        plane.wait_for(lambda: any(b"triggers.running" in each for each in collector.metrics))


def test_a_moment_and_bytes_arrive_as_what_they_were(site: Site) -> None:
    site.plane.want(1, "Moment", ti=site.task("t"))
    (payload,) = site.plane.wait_for(lambda: site.plane.events().get(1))
    assert values.unpack(payload)["at"].isoformat() == "2026-01-02T00:00:00+00:00"
    assert values.unpack(payload)["raw"] == b"\x00\xff"


def test_triggers_that_break_fail_with_their_traceback_and_leave_the_others_alone(site: Site) -> None:
    site.plane.want(1, "Breaks", ti=site.task("breaks"))
    site.plane.want(2, "CannotStart", ti=site.task("cannot_start"))
    site.plane.want(3, "NoSuchTrigger", ti=site.task("unknown"))
    site.plane.want(4, "Huge", ti=site.task("huge"))
    site.plane.want(5, "Simple", ti=site.task("fine"))
    site.plane.want(6, "of_a_bundle.Simple", ti=site.task("in_a_bundle"))
    site.plane.wait_for(lambda: len(site.plane.reports) == 6)
    assert set(site.plane.events()) == {5}
    failures = site.plane.failures()
    assert "RuntimeError: this trigger breaks" in failures[1]
    assert "ValueError: this trigger cannot start" in failures[2]
    assert "NoSuchTrigger" in failures[3]
    assert "1048576 are allowed" in failures[4]
    assert (
        "No module named 'of_a_bundle': a triggerer imports triggers from installed packages and PYTHONPATH"
        in failures[6]
    )
    site.plane.wait_for(lambda: site.plane.has() == frozenset())


def test_a_cancelled_trigger_kills_what_it_manages_even_when_that_takes_its_time(
    site: Site, tmp_path: Path
) -> None:
    killed, cleaned = tmp_path / "killed", tmp_path / "cleaned"
    site.plane.want(
        1,
        "Waits",
        ti=site.task("t"),
        until=str(tmp_path / "never"),
        killed=str(killed),
        cleaned=str(cleaned),
        kill_takes=2.5,  # the loop repeats its wish every second
    )
    site.plane.wait_for(lambda: "starting" in site.log_of("t"))
    site.plane.give_up(1)
    site.plane.wait_for(cleaned.exists)
    assert killed.read_text() == "killed"
    assert site.plane.reports == []


def test_a_trigger_that_runs_elsewhere_now_is_stopped_without_killing_what_it_manages(
    site: Site, tmp_path: Path
) -> None:
    killed, cleaned = tmp_path / "killed", tmp_path / "cleaned"
    site.plane.want(
        1, "Waits", ti=site.task("t"), until=str(tmp_path / "never"), killed=str(killed), cleaned=str(cleaned)
    )
    site.plane.wait_for(lambda: "starting" in site.log_of("t"))
    site.plane.give_up(1, moved=True)
    site.plane.wait_for(cleaned.exists)
    assert not killed.exists()


def test_a_trigger_that_fired_and_lingers_is_ended_without_killing_what_it_manages(
    site: Site, tmp_path: Path
) -> None:
    killed, cleaned = tmp_path / "killed", tmp_path / "cleaned"
    site.plane.want(1, "FiresAndLingers", ti=site.task("t"), killed=str(killed), cleaned=str(cleaned))
    site.plane.wait_for(cleaned.exists)
    assert site.plane.events() == {1: ["fired"]}
    assert not killed.exists()


def test_an_event_whose_answer_was_lost_arrives_once(site: Site) -> None:
    site.plane.lose_answers = 3
    site.plane.want(1, "Simple", ti=site.task("t"))
    site.plane.wait_for(lambda: site.plane.lose_answers == 0)
    site.plane.want(2, "Simple", ti=site.task("u"))
    site.plane.wait_for(lambda: 2 in site.plane.events())
    assert {key: len(fired) for key, fired in site.plane.events().items()} == {1: 1, 2: 1}


def test_events_survive_a_plane_that_is_away_and_triggers_run_on(site: Site, tmp_path: Path) -> None:
    go = tmp_path / "go"
    for number in (1, 2):
        site.plane.want(
            number, "Waits", ti=site.task(f"t{number}"), until=str(go), killed=str(tmp_path / "killed")
        )
    site.plane.wait_for(lambda: site.plane.has() == {1, 2})
    site.plane.away = True
    go.touch()
    site.plane.wait_for(lambda: any(one.reports for one in site.plane.syncs))
    assert site.plane.reports == []
    site.plane.away = False
    site.plane.wait_for(lambda: len(site.plane.reports) == 2)
    site.plane.wait_for(lambda: site.plane.has() == frozenset())
    assert site.plane.events() == {1: ["it is there"], 2: ["it is there"]}
    assert not (tmp_path / "killed").exists()
    assert site.host.process.poll() is None


def test_a_watcher_of_an_asset_fires_again_and_again(site: Site) -> None:
    site.plane.want(3, "Watcher")
    site.plane.wait_for(lambda: site.plane.events() == {3: [1, 2]})
    assert site.plane.has() == {3}


def test_an_xcom_of_a_task_that_ends_in_its_trigger_stays_at_the_site_under_the_strict_policy(
    site: Site,
) -> None:
    site.plane.want(1, "Ends", ti=site.task("t"))
    site.plane.wait_for(lambda: site.plane.reports)
    (report,) = site.plane.reports
    assert report.event.end_state.value == "success"
    place = report.event.xcoms["return_value"]
    assert place.startswith("file://")
    assert '"rows": 3' in Path(place.removeprefix("file://")).read_text()


def test_a_log_path_that_leads_out_of_the_log_directory_is_not_followed(site: Site) -> None:
    site.plane.want(1, "Simple", ti=site.task("t"), log_path="../outside.log")
    site.plane.wait_for(lambda: site.plane.events())
    name = f"{site.plane.base + 1}.trigger.*.log"
    site.plane.wait_for(lambda: list((site.host.logs / "triggers").glob(name)))
    assert list(site.host.logs.parent.glob("outside*")) == []


@pytest.mark.timeout(300)
def test_ten_thousand_triggers_wait_without_a_file_each_and_one_more_fires(site: Site) -> None:
    count = 10_000
    for number in range(1, count + 1):
        site.plane.want(number, "Sleeps", ti=site.task(f"t{number % 20}"))
    site.plane.wait_for(lambda: len(site.plane.has()) == count, patience=200)
    (runner,) = site.host.children()
    site.plane.want(count + 1, "Simple", ti=site.task("late"))
    site.plane.wait_for(lambda: site.plane.events())
    assert len(os.listdir(f"/proc/{site.host.process.pid}/fd")) < 200
    assert len(os.listdir(f"/proc/{runner}/fd")) < 50
    assert len(site.plane.syncs[-1].running) < 200


def test_the_plane_may_name_triggers_and_the_sites_callbacks_and_nothing_else(
    site: Site, tmp_path: Path
) -> None:
    mark = tmp_path / "it-ran"
    callback = "airflow.triggers.callback.CallbackTrigger"
    shell = {"args": f"touch {mark}", "shell": True}
    site.plane.want(1, "subprocess.Popen", ti=site.task("a"), **shell)
    site.plane.want(2, "psutil.Popen", ti=site.task("b"), **shell)
    site.plane.want(3, "NoTrigger", ti=site.task("c"), mark=str(mark))
    site.plane.want(4, callback, callback_path="subprocess.Popen", callback_kwargs=shell)
    site.plane.want(5, callback, callback_path="site_triggers.called_back", callback_kwargs={"who": "you"})
    notifier = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
    site.plane.want(6, callback, callback_path=notifier, callback_kwargs={"to": "a", "wrong": 1})
    site.plane.wait_for(lambda: len(site.plane.failures()) == 4 and len(site.plane.events().get(5, ())) == 2)
    failures = site.plane.failures()
    assert "subprocess is Python's and holds none" in failures[1]
    assert "that is no trigger" in failures[2]
    assert "that is no trigger" in failures[3]
    assert "may not have run here" in failures[4]
    assert not mark.exists()
    done = [values.unpack(payload) for payload in site.plane.events()[5]]
    assert done[-1] == {"state": "success", "body": None}
    # a notifier of a provider is called, which then says what is wrong with its arguments
    site.plane.wait_for(lambda: len(site.plane.events().get(6, ())) == 2)
    assert "wrong" in str(values.unpack(site.plane.events()[6][-1]))
