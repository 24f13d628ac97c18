"""Two records are equal only when nothing a user could notice is different, and what a scenario states is read right."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reports import anew, comparing, records, scenarios, sides
from reports.progress import STALLED, Progress
from reports.records import Places, Record, TaskInstance, Try
from support import forked

SCENARIO = scenarios.Scenario(
    name="some",
    promise="It ends.",
    ends={"some": ("success",)},
    triggers=["some"],
    lines={"some/one": ["hello"]},
)
LOG = Try(Counter(["info | task | hello"]), ["info | task | hello"])
ONE = TaskInstance(state="success", tries=1, label="a", rendered={"sql": "select 1"}, logs={1: LOG})
READ = Try(Counter([f"info | task | {comparing.READ} | bundle_name=dags"]), [])
SAID = Try(LOG.lines + READ.lines, [])
LOST_WORDS = ["error | - | the API server does not answer"]
LOST = Try(Counter(LOST_WORDS), LOST_WORDS)
RECORD = Record(
    runs={"some": ["success"]}, tasks={"some/1/one[-1]": ONE}, seen=Counter(["read: value=int 1"])
)


def with_task(**changes: object) -> Record:
    return replace(RECORD, tasks={"some/1/one[-1]": replace(ONE, **changes)})  # type: ignore[arg-type]


def differences(
    remote: Record, scenario: scenarios.Scenario = SCENARIO, *, templates: bool = True
) -> list[str]:
    return comparing.differences(scenario, RECORD, remote, templates=templates)


def test_the_same_record_has_no_difference() -> None:
    assert differences(RECORD) == []
    assert comparing.wrong_ends(SCENARIO, RECORD, local=False) == []


@pytest.mark.parametrize(
    ("remote", "kind"),
    [
        (replace(RECORD, runs={"some": ["failed"]}), "run some"),
        (replace(RECORD, runs={"some": ["success", "success"]}), "run some"),
        (replace(RECORD, tasks={}), "task some/1/one[-1]: is only under LocalExecutor"),
        (with_task(state="failed"), "state some/1/one[-1]"),
        (with_task(tries=2), "tries some/1/one[-1]"),
        (with_task(label="b"), "label some/1/one[-1]"),
        (with_task(rendered={"sql": "select 2"}), "rendered some/1/one[-1]"),
        (with_task(logs={1: Try(Counter(), [])}), "log some/1/one[-1] try 1: only under LocalExecutor: info"),
        (
            with_task(logs={1: Try(LOG.lines + LOG.lines, [])}),
            "log some/1/one[-1] try 1: only on an agent: info | task | hello",
        ),
        (
            replace(RECORD, seen=Counter(["read: value=str '1'"])),
            "seen: only under LocalExecutor: read: value=int 1",
        ),
    ],
)
def test_each_kind_of_difference_is_found(remote: Record, kind: str) -> None:
    assert any(each.startswith(kind) for each in differences(remote)), differences(remote)


def test_a_difference_that_the_scenario_states_is_none() -> None:
    stated = replace(SCENARIO, differs={"state some/1/one*": "better"})
    assert differences(with_task(state="failed"), stated) == []
    assert differences(with_task(tries=2), stated) != []
    under_strict = replace(SCENARIO, differs_under_strict={"state some/1/one*": "stays at the site"})
    assert differences(with_task(state="failed"), under_strict, templates=False) == []
    assert differences(with_task(state="failed"), under_strict, templates=True) != []


def test_under_strict_only_the_names_of_rendered_fields_are_compared() -> None:
    assert differences(with_task(rendered={"sql": "a notice"}), templates=False) == []
    assert differences(with_task(rendered={"other": "a notice"}), templates=False) != []


def test_an_end_that_is_not_the_stated_one_is_wrong_even_when_both_sides_agree() -> None:
    failed = replace(RECORD, runs={"some": ["failed"]})
    assert comparing.wrong_ends(SCENARIO, failed, local=True) == ["end some: failed, not success"]
    silent = with_task(logs={1: Try(Counter(["info | task | bye"]), [])})
    assert comparing.wrong_ends(SCENARIO, silent, local=True) == ["line some/one: nowhere 'hello'"]
    assert comparing.wrong_ends(SCENARIO, replace(RECORD, problem="broke"), local=False) == ["play: broke"]


def test_what_changes_from_run_to_run_is_neutral_and_what_a_dag_says_is_not() -> None:
    places = Places({"/site/home": "<home>"})
    said = "at 2026-11-28T13:10:41.786037Z pid=12 0x7f3a8c0d in /site/home/x took 1.23 s"
    assert places.neutral(said) == "at <time> pid <pid> <address> in <home>/x took <duration>"
    assert places.neutral("2026-03-02 has 5 rows") == "2026-03-02 has 5 rows"


def test_a_file_states_its_scenario_and_its_report(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text(
        '"""A promise.\n\napache/airflow#1.\n"""\nSCENARIO = {"ends": {"a": "failed", "b": ["success"] }}\n'
    )
    read = scenarios.read(file)
    assert (read.name, read.promise) == ("some", "A promise.")
    assert read.ends == {"a": ("failed",), "b": ("success",)}
    assert list(read.triggers) == ["a", "b"]
    file.write_text('"""No report."""\nSCENARIO = {"ends": {"a": "failed"}}\n')
    with pytest.raises(ValueError, match="names no public report"):
        scenarios.read(file)


@pytest.mark.timeout(300)
def test_each_file_can_be_imported(tmp_path: Path) -> None:
    [bare] = [each for each in sides.sites() if each.name == "bare"]
    names = [each.name for each in sides.fitting(bare, scenarios.read_all())]
    env = {
        **os.environ,
        **bare.env,
        "PYTHONPATH": str(scenarios.DAGS),
        "SITE_JOURNAL": str(tmp_path / "journal"),
    }
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = forked.run(code, *names, env=env)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_file_that_cannot_be_imported_is_a_problem_of_its_scenario_alone() -> None:
    found = records.of_none(SCENARIO, "ImportError: no such name")
    assert comparing.wrong_ends(SCENARIO, found, local=False) == [
        "play: ImportError: no such name",
        "end some: , not success",
        "line some/one: nowhere 'hello'",
    ]


def test_a_lines_text_logger_level_and_traceback_are_compared() -> None:
    line = {
        "timestamp": "2026-11-28T13:10:41Z",
        "level": "error",
        "logger": "task",
        "event": "Task failed",
        "lineno": 5,
        "error_detail": [
            {
                "exc_type": "KeyError",
                "exc_value": "'a'",
                "frames": [{"filename": "/x/dag.py", "name": "work"}],
            }
        ],
    }
    assert records.as_line(line, Places({})) == "error | task | Task failed | KeyError('a') at dag.py:work"


def test_a_play_waits_for_as_long_as_user_code_writes_or_runs_end(tmp_path: Path) -> None:
    now = 0.0
    progress = Progress(tmp_path / "journal", clock=lambda: now, pause=0)

    def hours_later() -> bool:
        nonlocal now
        now += STALLED - 1
        if now < 3600:
            (tmp_path / "journal").write_text("a line" * int(now))
        else:
            progress.note_ended(int(now))
        return now > 7200

    progress.wait_for(hours_later, "hours have gone by")


def test_a_play_ends_when_nothing_goes_on_any_more(tmp_path: Path) -> None:
    now = 0.0
    progress = Progress(tmp_path / "journal", clock=lambda: now, pause=0)

    def nothing_happens() -> bool:
        nonlocal now
        now += 1
        progress.note_ended(0)
        return False

    with pytest.raises(AssertionError, match="not yet: it has ended"):
        progress.wait_for(nothing_happens, "it has ended")
    assert now == STALLED + 1


def test_a_try_that_ended_before_it_had_read_its_dag_is_lost() -> None:
    assert comparing.lost_tries(with_task(tries=1, logs={1: READ})) == []
    found = comparing.lost_tries(with_task(tries=2, logs={1: LOST, 2: READ}))
    assert found == ["lost some/1/one[-1] try 1: error | - | the API server does not answer"]
    assert comparing.lost_tries(with_task(logs={1: Try(Counter(), [])})) == [
        "lost some/1/one[-1] try 1: no log"
    ]


def test_a_task_that_a_scheduler_ends_by_itself_has_lost_nothing() -> None:
    nothing_said = {1: Try(Counter(), [])}
    assert comparing.lost_tries(with_task(logs=nothing_said, ran=False)) == []
    assert comparing.lost_tries(with_task(logs=nothing_said, ran=False, state="failed")) != []
    assert comparing.lost_tries(with_task(tries=2, logs={1: LOST, 2: READ}, ran=False)) != []


def test_local_executor_is_run_anew_for_its_own_faults_only_and_each_is_told() -> None:
    fine, lost = with_task(logs={1: SAID}), with_task(tries=2, logs={1: LOST, 2: SAID})
    wrong = replace(fine, runs={"some": ["failed"]})
    others = [replace(SCENARIO, name=name) for name in ("fine", "loses", "ends wrong")]
    rounds = [{"fine": fine, "loses": lost, "ends wrong": wrong}, {"loses": fine, "ends wrong": wrong}]
    rounds.append({"ends wrong": wrong})
    asked = []

    def run(number: int, left: Sequence[scenarios.Scenario]) -> Mapping[str, Record]:
        asked.append([each.name for each in left])
        return rounds[number - 1]

    found, told = anew.under_local_executor(run, others)
    assert asked == [["fine", "loses", "ends wrong"], ["loses", "ends wrong"], ["ends wrong"]]
    assert found == {"fine": fine, "loses": fine, "ends wrong": wrong}
    assert [line.partition(":")[0] for line in told] == [
        "loses, round 1",
        "ends wrong, round 1",
        "ends wrong, round 2",
        "ends wrong, round 3",
    ]
