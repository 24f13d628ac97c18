"""What the plane sends down, as a site may read it: notices out of every `conf`, and only what the site declared."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from tradewind_protocol.boundary import declarations, sealed_values
from tradewind_protocol.boundary.notices import NOTICE, without_notices
from tradewind_protocol.boundary.reads import OwnRun
from tradewind_protocol.boundary.routes import RouteMatch
from tradewind_protocol.boundary.sealed_values import Kinds, StartedBy
from tradewind_protocol.boundary.sealing import SEALED, CannotOpen, Unseal

_START_OF_TRY: Final = "ti.run"
_UNREADABLE: Final = b"null"


def for_site(body: bytes) -> bytes:
    """An answer of the plane without notices. One that has none, or is no JSON, is returned as it is."""
    if NOTICE.encode() not in body:
        return body
    try:
        return json.dumps(_without_notices(json.loads(body))).encode()
    except (ValueError, RecursionError):
        return body


def execution_answer(
    found: RouteMatch | None,
    body: bytes,
    open_: Unseal,
    query: bytes = b"",
    own: OwnRun | None = None,
    required: Kinds = (),
) -> bytes:
    """A successful answer of the Execution API. Raises CannotOpen where a sealed value in it cannot be opened, and for one
    without a seal of a `required` kind."""
    if found is None or found.route.name != _START_OF_TRY:
        return for_site(body if found is None else _with_values(found, body, open_, query, own, required))
    subject = found.params.get("task_instance_id", "")

    def started(read: dict[str, Any]) -> dict[str, Any]:
        sealed_values.require_extras({"dag_run": read.get("dag_run")}, required)
        resumed = declarations.resumption(read, open_, subject, own, required)
        asked = (own.dag_id, own.run_id) if own is not None else (None, None)
        return sealed_values.opened_runs(resumed, open_, asked)  # type: ignore[no-any-return]

    return _judged(body, started)


def started_by(body: bytes, open_: Unseal, own: OwnRun | None) -> StartedBy | None:
    """What has started a task's run, of the plane's answer that the task may start: None unless the parameters of its own run are
    there as a task of this site has sealed them."""
    if own is None or (SEALED.encode() not in body and b"\\u" not in body):
        return None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    run = answer.get("dag_run") if isinstance(answer, dict) else None
    return sealed_values.started_by(run.get("conf"), open_, own) if isinstance(run, dict) else None


def _with_values(
    found: RouteMatch, body: bytes, open_: Unseal, query: bytes, own: OwnRun | None, required: Kinds
) -> bytes:
    # JSON may have any letter escaped
    if not body.strip() or (not required and SEALED.encode() not in body and b"\\u" not in body):
        return body
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        if required:  # another reader might find in it what was not judged
            raise CannotOpen("the plane's answer cannot be read") from None
        return body
    try:
        return json.dumps(sealed_values.opened_answer(found, answer, open_, query, own, required)).encode()
    except RecursionError:
        raise CannotOpen("the plane's answer is nested too deeply to be looked through") from None


def triggers_answer(
    body: bytes,
    open_: Unseal,
    why_not: Callable[[dict[str, Any]], str] = lambda trigger: "",
    required: Kinds = (),
) -> bytes:
    """A successful answer to `POST /triggers/sync`. A trigger for which `why_not` has a reason fails with it."""

    def one_of(created: dict[str, Any]) -> dict[str, Any]:
        passed = declarations.trigger(created, open_)
        try:
            sealed_values.require_extras({"dag_run": passed.get("dag_run_data")}, required)
            passed = sealed_values.opened_runs(passed, open_, _run_of(passed.get("ti")))
        except CannotOpen as cannot:
            return {**passed, "arguments": json.dumps({declarations.UNDECLARED: str(cannot)})}
        why = why_not(passed)
        return {**passed, "arguments": json.dumps({declarations.UNDECLARED: why})} if why else passed

    def judged(read: dict[str, Any]) -> dict[str, Any]:
        created = read.get("create")
        if isinstance(created, list):
            read["create"] = [one_of(one) for one in created if isinstance(one, dict)]
        return read

    return _judged(body, judged)


def _run_of(ti: Any) -> sealed_values.AskedRun:
    """The run of the task that waits for a trigger."""
    return (str(ti.get("dag_id")), str(ti.get("run_id"))) if isinstance(ti, dict) else (None, None)


def callback_workload(workload: dict[str, Any], open_: Unseal) -> dict[str, Any]:
    """A workload that calls a function."""
    called = workload.get("callback")
    if not isinstance(called, dict) or not isinstance(called.get("data"), dict):
        return workload
    data = declarations.callback(_without_notices(called["data"]), open_)
    return {**workload, "callback": {**called, "data": data}}


def _judged(body: bytes, judge: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """An answer that was read and written again, so that no other reader finds in it what was not judged."""
    try:
        answer = json.loads(body)
        return (
            json.dumps(judge(_without_notices(answer))).encode() if isinstance(answer, dict) else _UNREADABLE
        )
    except (ValueError, RecursionError):
        return _UNREADABLE


def _without_notices(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_notices(item) for item in value]
    if not isinstance(value, dict):
        return value
    read = {key: _without_notices(item) for key, item in value.items()}
    if "conf" in read:
        read["conf"] = without_notices(read["conf"])
    return read
