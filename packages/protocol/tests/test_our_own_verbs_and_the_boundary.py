"""What of our own verbs leaves a strict site, and what the ledger is told that it carried."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tradewind_protocol import dags, paths, triggers
from tradewind_protocol.boundary import (
    VERBS,
    Change,
    Decision,
    KeptField,
    Pass,
    Rejection,
    Rules,
    decide_verb,
    keyed,
    verb,
    without_quoted_source,
    without_source,
)
from tradewind_protocol.boundary.carried import MEANINGS
from tradewind_protocol.sessions import Policy

DIGEST = keyed(b"the site's")
STRICT, OPEN = Rules(), Rules.of(Policy.OPEN)
TRACEBACK = """Traceback (most recent call last):
  File "/main/etl.py", line 3, in <module>
    connect(password="SECRET-in-the-code")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/main/db.py", line 9, in connect
    raise KeyError("nobody")

KeyError: 'nobody'
  a second line of the message
"""
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/main/etl.py", line 3, in <module>
  |     together("SECRET-in-a-group")
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/main/etl.py", line 5, in one
    |     raise ValueError("SECRET-in-the-first")
    | ValueError: first
    +------------------------------------
"""
SYNTAX = """  File "/main/etl.py", line 6
    password = "SECRET-unclosed
               ^
SyntaxError: unterminated string literal (detected at line 6)
"""


def judge(path: str, body: Any, rules: Rules = STRICT) -> Decision:
    return decide_verb(path, json.dumps(body).encode(), rules, DIGEST)


def report(**file: Any) -> dict[str, Any]:
    return {"bundle": "main", "files": [{"path": "etl.py", "content": "ab", **file}]}


DAG = {"__version": 3, "dag": {"dag_id": "etl", "doc_md": "SECRET", "tasks": [], "timezone": "UTC"}}


def test_dags_leave_reduced_and_the_ledger_says_structure() -> None:
    decision = judge(dags.REPORT, report(dags=[DAG]))
    assert isinstance(decision, Change)
    assert b"SECRET" not in decision.body
    assert decision.carries == ("structure",)
    assert decision.what == "1 fields of Dags replaced by notices"
    again = decide_verb(dags.REPORT, decision.body, STRICT, keyed(b"another"))
    assert again == Pass(("structure",))


def test_where_dags_are_open_or_fields_are_named_the_ledger_says_so() -> None:
    assert judge(dags.REPORT, report(dags=[DAG]), OPEN) == Pass(("structure", "authors' text"))
    named = judge(dags.REPORT, report(dags=[DAG]), Rules(dag_fields=(KeptField("dag", "doc_md"),)))
    assert named == Pass(("structure", "authors' text"))


def test_source_does_not_leave_even_if_a_runtime_sent_it() -> None:
    decision = judge(dags.REPORT, report(source={"etl.py": "SECRET"}))
    assert isinstance(decision, Change)
    assert b"SECRET" not in decision.body
    assert judge(dags.REPORT, report(source={"etl.py": "x"}), OPEN) == Pass(("source",))


@pytest.mark.parametrize("text", [TRACEBACK, GROUP, SYNTAX])
def test_an_import_error_keeps_its_frames_and_its_words_and_loses_the_code(text: str) -> None:
    decision = judge(dags.REPORT, report(import_errors={"etl.py": text}))
    assert isinstance(decision, Change)
    assert decision.carries == ("import errors",)
    assert b"SECRET" not in decision.body
    told = json.loads(decision.body)["files"][0]["import_errors"]["etl.py"]
    assert told.count("File ") == text.count("File ")
    assert told.splitlines()[-1] == text.splitlines()[-1]
    assert without_source(told) == told


def test_a_warning_about_a_dag_loses_the_code_it_quotes() -> None:
    message = "Causes:\n  Line 4: etl\n  Code: DAG('etl', start_date=SECRET)\n  Issue: it varies"
    warning = {"dag_id": "etl", "warning_type": "runtime varying value", "message": message}
    decision = judge(dags.REPORT, report(warnings=[warning]))
    assert isinstance(decision, Change)
    assert b"SECRET" not in decision.body
    assert b"Issue: it varies" in decision.body


def sync(**report_: Any) -> dict[str, Any]:
    return {"source": "x", "reports": [{"seq": 1, "trigger_id": 7, **report_}]}


def test_a_triggers_failure_loses_the_code_and_is_named_in_the_ledger() -> None:
    decision = judge(triggers.SYNC, sync(failure={"traceback": TRACEBACK.splitlines(keepends=True)}))
    assert isinstance(decision, Change)
    assert decision.carries == ("traceback",)
    assert b"SECRET" not in decision.body
    assert b"KeyError: 'nobody'" in decision.body


def test_an_event_passes_and_is_named_in_the_ledger() -> None:
    assert judge(triggers.SYNC, sync(event={"payload": {"rows": 3}})) == Pass(("event payload",))
    assert judge(triggers.SYNC, sync()) == Pass()


def test_the_output_of_a_failed_callback_loses_the_code() -> None:
    lines = TRACEBACK.splitlines(keepends=True)
    body = f"An error occurred while executing: {lines}"
    decision = judge(triggers.SYNC, sync(event={"payload": {"state": "failed", "body": body}}))
    assert isinstance(decision, Change)
    assert b"SECRET" not in decision.body
    assert "KeyError: 'nobody'" in without_quoted_source(body)


def test_an_xcom_of_a_trigger_leaves_as_a_reference_or_becomes_a_failure_that_says_why() -> None:
    passed = judge(triggers.SYNC, sync(event={"end_state": "success", "xcoms": {"k": "s3://bucket/k"}}))
    assert passed == Pass(("references",))
    changed = judge(triggers.SYNC, sync(event={"end_state": "success", "xcoms": {"k": "SECRET"}}))
    assert isinstance(changed, Change)
    assert b"SECRET" not in changed.body
    [told] = json.loads(changed.body)["reports"]
    assert told["event"] is None
    assert "SiteXComBackend" in told["failure"]["traceback"][0]


@pytest.mark.parametrize("body", [b"{not json", b"[]", b'{"files": [3]}', b'{"files": [{"dags": [3]}]}'])
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    assert isinstance(decide_verb(dags.REPORT, body, STRICT, DIGEST), Rejection)


def test_every_verb_that_an_agent_has_is_in_the_table() -> None:
    one = "11111111-2222-3333-4444-555555555555"
    for method, path in (
        ("POST", paths.SESSIONS),
        ("DELETE", paths.SESSIONS),
        ("POST", paths.POLL),
        ("POST", paths.start(one)),  # type: ignore[arg-type]
        ("POST", paths.hand_back(one)),  # type: ignore[arg-type]
        ("POST", paths.FINISH),
        ("POST", f"/logs/{one}"),
        ("POST", dags.CLAIM),
        ("POST", dags.REPORT),
        ("POST", dags.WATCH),
        ("POST", triggers.SYNC),
    ):
        assert verb(method, path) is not None, path
    assert verb("POST", "/something/else") is None
    assert {name for each in VERBS for name in each.carries} <= MEANINGS.keys()
