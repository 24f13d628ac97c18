"""A triggerer host fires, fails and stops triggers as the plane wants it, whatever happens to the way between."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tradewind_protocol import hosts, values
from tradewind_protocol.sessions import Policy

Deferred = Callable[[str], dict[str, Any]]


def test_a_trigger_fires_with_its_arguments_and_is_not_run_again(
    plane: Any, start_host: Any, deferred: Deferred
) -> None:
    host = start_host()
    plane.want(7, "Simple", ti=deferred("t"), colour="green", nested={"n": [1, 2]})
    plane.wait_for(lambda: plane.events())
    assert plane.events() == {7: [{"colour": "green", "nested": {"n": [1, 2]}}]}
    plane.wait_for(lambda: plane.has() == frozenset())
    assert plane.events() == {7: [{"colour": "green", "nested": {"n": [1, 2]}}]}
    assert "trigger d/r/t/-1/1 (ID 7) starting" in host.log_of("t")


def test_a_moment_and_bytes_arrive_as_what_they_were(plane: Any, start_host: Any, deferred: Deferred) -> None:
    start_host()
    plane.want(1, "Moment", ti=deferred("t"))
    (payload,) = plane.wait_for(lambda: plane.events().get(1))
    assert values.unpack(payload)["at"].isoformat() == "2026-01-02T00:00:00+00:00"
    assert values.unpack(payload)["raw"] == b"\x00\xff"


def test_triggers_that_break_fail_with_their_traceback_and_leave_the_others_alone(
    plane: Any, start_host: Any, deferred: Deferred
) -> None:
    start_host()
    plane.want(1, "Breaks", ti=deferred("breaks"))
    plane.want(2, "CannotStart", ti=deferred("cannot_start"))
    plane.want(3, "NoSuchTrigger", ti=deferred("unknown"))
    plane.want(4, "Huge", ti=deferred("huge"))
    plane.want(5, "Simple", ti=deferred("fine"))
    plane.wait_for(lambda: len(plane.reports) == 5)
    assert set(plane.events()) == {5}
    failures = plane.failures()
    assert "RuntimeError: this trigger breaks" in failures[1]
    assert "ValueError: this trigger cannot start" in failures[2]
    assert "NoSuchTrigger" in failures[3]
    assert "1048576 are allowed" in failures[4]
    plane.wait_for(lambda: plane.has() == frozenset())


def test_a_cancelled_trigger_kills_what_it_manages_even_when_that_takes_its_time(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    host = start_host()
    killed, cleaned = tmp_path / "killed", tmp_path / "cleaned"
    plane.want(
        1,
        "Waits",
        ti=deferred("t"),
        until=str(tmp_path / "never"),
        killed=str(killed),
        cleaned=str(cleaned),
        kill_takes=2.5,  # the loop repeats its wish every second
    )
    plane.wait_for(lambda: "starting" in host.log_of("t"))
    plane.give_up(1)
    plane.wait_for(cleaned.exists)
    assert killed.read_text() == "killed"
    assert plane.reports == []


def test_a_trigger_that_runs_elsewhere_now_is_stopped_without_killing_what_it_manages(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    host = start_host()
    killed, cleaned = tmp_path / "killed", tmp_path / "cleaned"
    plane.want(
        1, "Waits", ti=deferred("t"), until=str(tmp_path / "never"), killed=str(killed), cleaned=str(cleaned)
    )
    plane.wait_for(lambda: "starting" in host.log_of("t"))
    plane.give_up(1, moved=True)
    plane.wait_for(cleaned.exists)
    assert not killed.exists()


def test_a_trigger_that_fired_and_lingers_is_ended_without_killing_what_it_manages(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    start_host()
    killed, cleaned = tmp_path / "killed", tmp_path / "cleaned"
    plane.want(1, "FiresAndLingers", ti=deferred("t"), killed=str(killed), cleaned=str(cleaned))
    plane.wait_for(cleaned.exists)
    assert plane.events() == {1: ["fired"]}
    assert not killed.exists()


def test_an_event_whose_answer_was_lost_arrives_once(plane: Any, start_host: Any, deferred: Deferred) -> None:
    plane.lose_answers = 3
    start_host()
    plane.want(1, "Simple", ti=deferred("t"))
    plane.wait_for(lambda: plane.lose_answers == 0)
    plane.want(2, "Simple", ti=deferred("u"))
    plane.wait_for(lambda: 2 in plane.events())
    assert {key: len(fired) for key, fired in plane.events().items()} == {1: 1, 2: 1}


def test_events_survive_a_plane_that_is_away_and_triggers_run_on(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    host = start_host()
    go = tmp_path / "go"
    for number in (1, 2):
        plane.want(number, "Waits", ti=deferred(f"t{number}"), until=str(go), killed=str(tmp_path / "killed"))
    plane.wait_for(lambda: plane.has() == {1, 2})
    plane.away = True
    go.touch()
    plane.wait_for(lambda: any(one.reports for one in plane.syncs))
    assert plane.reports == []
    plane.away = False
    plane.wait_for(lambda: len(plane.reports) == 2)
    plane.wait_for(lambda: plane.has() == frozenset())
    assert plane.events() == {1: ["it is there"], 2: ["it is there"]}
    assert not (tmp_path / "killed").exists()
    assert host.process.poll() is None


def test_a_watcher_of_an_asset_fires_again_and_again(plane: Any, start_host: Any) -> None:
    start_host()
    plane.want(3, "Watcher")
    plane.wait_for(lambda: plane.events() == {3: [1, 2]})
    assert plane.has() == {3}


def test_a_trigger_reads_a_variable_through_the_gateway(
    plane: Any, start_host: Any, deferred: Deferred
) -> None:
    plane.variables["colour"] = "blue"
    start_host(policy=Policy.OPEN)
    plane.want(1, "ReadsVariable", ti=deferred("t"))
    assert plane.wait_for(lambda: plane.events().get(1)) == ["blue"]


def test_an_xcom_of_a_task_that_ends_in_its_trigger_stays_at_the_site_under_the_strict_policy(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    start_host()
    plane.want(1, "Ends", ti=deferred("t"))
    plane.wait_for(lambda: plane.reports)
    (report,) = plane.reports
    assert report.event.end_state.value == "success"
    place = report.event.xcoms["return_value"]
    assert place.startswith("file://")
    assert '"rows": 3' in Path(place.removeprefix("file://")).read_text()


def test_an_xcom_of_a_task_that_ends_in_its_trigger_passes_under_the_open_policy(
    plane: Any, start_host: Any, deferred: Deferred
) -> None:
    start_host(policy=Policy.OPEN)
    plane.want(1, "Ends", ti=deferred("t"))
    plane.wait_for(lambda: plane.reports)
    assert plane.reports[0].event.xcoms == {"return_value": {"rows": 3}}


def test_a_log_path_that_leads_out_of_the_log_directory_is_not_followed(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    host = start_host()
    plane.want(1, "Simple", ti=deferred("t"))
    with plane.news:
        plane.wanted[1] = plane.wanted[1].model_copy(update={"log_path": "../outside.log"})
    plane.wait_for(lambda: plane.events())
    assert list(tmp_path.glob("outside*")) == []
    plane.wait_for(lambda: list((host.logs / "triggers").glob("1.trigger.*.log")))


def test_two_thousand_triggers_wait_without_a_file_each_and_fire(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    host = start_host()
    for number in range(1, 2001):
        plane.want(number, "Sleeps", ti=deferred(f"t{number % 20}"))
    plane.wait_for(lambda: len(plane.has()) == 2000)
    (runner,) = host.children()
    plane.want(9000, "Simple", ti=deferred("late"))
    started = time.monotonic()
    plane.wait_for(lambda: plane.events())
    assert time.monotonic() - started < 10
    assert len(os.listdir(f"/proc/{host.process.pid}/fd")) < 200
    assert len(os.listdir(f"/proc/{runner}/fd")) < 50
    assert len(plane.syncs[-1].running) < 200


def test_a_host_that_is_told_to_stop_leaves_nothing_behind_and_kills_no_job(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    host = start_host()
    killed, cleaned = tmp_path / "killed", tmp_path / "cleaned"
    plane.want(
        1, "Waits", ti=deferred("t"), until=str(tmp_path / "never"), killed=str(killed), cleaned=str(cleaned)
    )
    plane.wait_for(lambda: "starting" in host.log_of("t"))
    (runner,) = host.children()
    assert host.stop() == 0
    assert not Path(f"/proc/{runner}").exists()
    assert cleaned.exists()
    assert not killed.exists()
    assert plane.reports == []


def test_a_host_whose_agent_is_gone_goes_too(plane: Any, start_host: Any, deferred: Deferred) -> None:
    host = start_host()
    plane.want(1, "Sleeps", ti=deferred("t"))
    plane.wait_for(lambda: plane.has() == {1})
    (runner,) = host.children()
    host.control.close()
    assert host.process.wait(10) == 0
    assert not Path(f"/proc/{runner}").exists()


def test_the_process_of_the_triggers_goes_when_the_host_is_killed(
    plane: Any, start_host: Any, deferred: Deferred
) -> None:
    host = start_host()
    plane.want(1, "Sleeps", ti=deferred("t"))
    plane.wait_for(lambda: plane.has() == {1})
    (runner,) = host.children()
    os.kill(host.process.pid, signal.SIGKILL)
    plane.wait_for(lambda: not Path(f"/proc/{runner}/cmdline").exists() or _is_dead(runner))


def test_a_host_whose_triggers_take_their_process_along_says_so(
    plane: Any, start_host: Any, deferred: Deferred
) -> None:
    host = start_host()
    plane.want(1, "Dies", ti=deferred("t"))
    problem = host.hear(hosts.Problem)
    assert "ended by itself (7)" in problem.message
    assert host.process.wait(10) == 1


def test_a_host_whose_event_loop_is_blocked_says_that_it_does_not_work_and_then_gives_up(
    plane: Any, start_host: Any, deferred: Deferred
) -> None:
    host = start_host(env={"AIRFLOW__TRIGGERER__RUNNER_HEALTH_CHECK_THRESHOLD": "0.8"})
    plane.want(1, "Blocks", ti=deferred("t"), seconds=60)
    plane.wait_for(lambda: plane.syncs and not plane.syncs[-1].working)
    problem = host.hear(hosts.Problem)
    assert "silent" in problem.message


def test_no_secret_and_no_argument_of_a_trigger_is_in_the_environment_or_the_hosts_output(
    plane: Any, start_host: Any, deferred: Deferred, tmp_path: Path
) -> None:
    host = start_host()
    plane.want(
        1, "Waits", ti=deferred("t"), until=str(tmp_path / "never"), killed="x", password="hunter2-hunter2"
    )
    plane.wait_for(lambda: plane.has() == {1})
    (runner,) = host.children()
    for pid in (host.process.pid, runner):
        seen = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"tw_local_" not in seen
        assert b"hunter2" not in seen
        assert b"FERNET" not in seen
    assert not (tmp_path / "airflow" / "airflow.db").exists()
    host.stop()
    assert "hunter2" not in host.output.read_text()


def _is_dead(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
