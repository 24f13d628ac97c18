"""Verbs of our own: what an author may put into each, and what strict rules make of it before it leaves.

`decide_verb` is to these verbs what `decide` is to Airflow's routes; the documentation is made from `VERBS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tradewind_protocol import dags, paths, stored_runs, triggers
from tradewind_protocol.boundary import carried, sealed_values
from tradewind_protocol.boundary.decisions import Change, Decision, Pass, Rejection
from tradewind_protocol.boundary.declarations import declare
from tradewind_protocol.boundary.notices import Digest
from tradewind_protocol.boundary.references import is_reference
from tradewind_protocol.boundary.rules import Rules
from tradewind_protocol.boundary.sealed_values import ValueSeal
from tradewind_protocol.boundary.sealing import Seal
from tradewind_protocol.boundary.serialized_dags import reduced
from tradewind_protocol.boundary.tracebacks import without_code, without_quoted_source, without_source
from tradewind_protocol.errors import Code
from tradewind_protocol.sessions import Policy
from tradewind_protocol.values import TAG


@dataclass(frozen=True)
class Verb:
    """One verb."""

    method: str
    template: str  # under `paths.PREFIX`
    who: str  # sends it
    carries: tuple[str, ...]  # classes of content it may carry; the ledger names those that it did
    why: str  # what an author may put into it, and what becomes of that; goes to the documentation


VERBS: Final[tuple[Verb, ...]] = (
    Verb(
        "POST",
        paths.SESSIONS,
        "agent",
        (carried.FACTS,),
        "the agent's name, versions, queues, bundles and facts about the machine; nothing an author wrote",
    ),
    Verb("DELETE", paths.SESSIONS, "agent", (), "the end of the session; no body"),
    Verb(
        "POST",
        paths.POLL,
        "agent",
        (carried.FINDINGS,),
        "free slots and attempts by id; findings name files, bundles and settings of the site, and say why a bundle "
        "cannot be fetched in the words of the tool that failed",
    ),
    Verb("POST", "/attempts/{id}/start", "agent", (), "ids"),
    Verb("POST", "/attempts/{id}/hand-back", "agent", (), "a reason of the agent's own"),
    Verb(
        "POST",
        paths.FINISH,
        "agent",
        (carried.REASONS,),
        "exit code, signal and times; the reason is the agent's or the operating system's, never an exception's text",
    ),
    Verb(
        "POST",
        "/logs/{id}",
        "agent",
        (carried.LOG_LINES,),
        "the lines of one task's log, masked by Airflow as they were written, for a person who has it open; `live_logs` "
        "turns it off. Nothing is stored on the plane",
    ),
    Verb(
        "POST",
        stored_runs.PATH,
        "agent",
        (),
        "names of Dags and runs that values or logs are stored of, as folders name them; nothing an author wrote",
    ),
    Verb(
        "POST",
        dags.CLAIM,
        "dag processor",
        (carried.STRUCTURE,),
        "names of bundles and the template of their links",
    ),
    Verb(
        "POST",
        dags.REPORT,
        "dag processor",
        (
            *(carried.STRUCTURE, carried.AUTHORS_TEXT, carried.SEALED, carried.SOURCE),
            *(carried.IMPORT_ERRORS, carried.WARNINGS),
        ),
        "serialized Dags, reduced to structure, schedule and names (see above); no source; of an import error the "
        "frames and the exception's text, masked by Airflow's secrets masker, without lines of code; of a warning "
        "about a Dag the text without code",
    ),
    Verb("POST", dags.WATCH, "dag processor", (), "ids of callbacks and of files to parse"),
    Verb(
        "POST",
        triggers.SYNC,
        "triggerer",
        (carried.EVENTS, carried.REFERENCES, carried.SEALED_VALUES, carried.TRACEBACKS),
        "ids of triggers; the payload of an event, which the task or asset gets, masked; XComs of a trigger that ends its "
        "task, as references only; a site with a key ring seals both; of a failure the frames and the exception's text, masked, without lines of code",
    ),
)


def verb(method: str, path: str) -> Verb | None:
    """The verb of a request, or None."""
    for one in VERBS:
        head, _, tail = one.template.partition("{id}")
        if one.method == method and (
            path == one.template if not _ else path.startswith(head) and path.endswith(tail)
        ):
            return one
    return None


@dataclass(frozen=True)
class TriggerEvents:
    """How events of triggers are sealed: with the key ring, and for the task instance that waits; an empty id stands for the
    assets that a trigger watches. None: the plane itself reads the event, of a callback."""

    seal: ValueSeal
    waits: Callable[[int], OwnTask | None]


@dataclass(frozen=True)
class OwnTask:
    """The task instance that waits for a trigger."""

    task_instance_id: str = ""
    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1


def decide_verb(
    path: str,
    body: bytes,
    rules: Rules,
    digest: Digest,
    seal: Seal | None = None,
    events: TriggerEvents | None = None,
    refused: Callable[[int], str] = lambda trigger_id: "",
) -> Decision:
    """What happens to a request of a component's process. `digest` and `seal` are under the site's key, `events` under its owner's key
    ring. `refused` is the rule of the owner that refused a trigger, if any did. Never raises."""
    judge = _JUDGES.get(path)
    if judge is None and path != triggers.SYNC:
        return Pass()
    try:
        sent = json.loads(body)
        found = judge(sent, rules, digest, seal) if judge is not None else _sync(sent, rules, events, refused)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return Rejection(Code.MALFORMED, f"the body of {path} is not of the protocol's form")
    if not found.changed:
        return Pass(tuple(found.carries))
    return Change(
        json.dumps(sent, separators=(",", ":")).encode(), "; ".join(found.changed), tuple(found.carries)
    )


@dataclass
class _Findings:
    """What a request carries, in words for the ledger, and what was changed in it."""

    carries: dict[str, None]
    changed: list[str]

    def carry(self, what: str) -> None:
        self.carries[what] = None


def _claim(sent: dict[str, Any], rules: Rules, digest: Digest, seal: Seal | None) -> _Findings:
    return _Findings({carried.STRUCTURE: None}, [])


def _report(sent: dict[str, Any], rules: Rules, digest: Digest, seal: Seal | None) -> _Findings:
    found = _Findings({}, [])
    texts = lines = sources = 0
    for file in sent.get("files", ()):
        if file.get("dags"):
            texts += _dags(file, rules, digest, seal, found)
        if file.get("source"):
            if rules.source is Policy.STRICT:
                file["source"] = None
                sources += 1
            else:
                found.carry(carried.SOURCE)
        if file.get("import_errors"):
            found.carry(carried.IMPORT_ERRORS)
        if file.get("warnings"):
            found.carry(carried.WARNINGS)
        if rules.source is Policy.STRICT:
            lines += _without_code(file)
    if texts:
        found.changed.append(f"{texts} fields of Dags replaced by notices")
    if sources:
        found.changed.append(f"the source of {sources} files left out")
    if lines:
        found.changed.append("lines of code left out")
    return found


def _dags(file: dict[str, Any], rules: Rules, digest: Digest, seal: Seal | None, found: _Findings) -> int:
    found.carry(carried.STRUCTURE)
    if rules.dags is Policy.OPEN:
        found.carry(carried.AUTHORS_TEXT)
        _declare(file, seal, found)
        return 0
    if rules.dag_fields:
        found.carry(carried.AUTHORS_TEXT)
    all_reduced = [reduced(dag, digest, rules.dag_fields, seal=seal) for dag in file["dags"]]
    file["dags"] = [one.data for one in all_reduced]
    _declare(file, seal, found)
    if any(one.has_sealed for one in all_reduced):
        found.carry(carried.SEALED)
    return sum(len(one.replaced) for one in all_reduced)


def _declare(file: dict[str, Any], seal: Seal | None, found: _Findings) -> None:
    """Seal what leaves in readable form."""
    count = 0 if seal is None else sum(declare(dag, seal) for dag in file["dags"])
    if count:
        found.changed.append("arguments of triggers and callbacks sealed")
        found.carry(carried.SEALED)


def _without_code(file: dict[str, Any]) -> int:
    changed = 0
    for path, text in (file.get("import_errors") or {}).items():
        if (safe := without_source(text)) != text:
            file["import_errors"][path] = safe
            changed += 1
    for warning in file.get("warnings") or ():
        if (safe := without_code(warning["message"])) != warning["message"]:
            warning["message"] = safe
            changed += 1
    return changed


def _sync(
    sent: dict[str, Any], rules: Rules, events: TriggerEvents | None, refused: Callable[[int], str]
) -> _Findings:
    found = _Findings({}, [])
    for report in sent.get("reports", ()):
        failure, event = report.get("failure"), report.get("event")
        if event:
            _event(report, event, rules, found, events)
        if failure is not None:
            _ruled(failure, refused(report["trigger_id"]), found)
        if failure and failure.get("traceback"):
            found.carry(carried.TRACEBACKS)
            if rules.source is Policy.STRICT:
                text = "".join(failure["traceback"])
                if (safe := without_source(text)) != text.rstrip("\n"):
                    failure["traceback"] = safe.splitlines(keepends=True)
                    found.changed.append("lines of code left out")
    return found


def _ruled(failure: dict[str, Any], rule: str, found: _Findings) -> None:
    """The name of the rule is the gateway's to say: what a process of the site says of it does not leave."""
    if failure.pop("rule", "") and not rule:
        found.changed.append("the name of a rule left out")
    if rule:
        failure["rule"] = rule
        found.changed.append("the rule that refused a trigger added")


def _event(
    report: dict[str, Any],
    event: dict[str, Any],
    rules: Rules,
    found: _Findings,
    events: TriggerEvents | None,
) -> None:
    payload = event.get("payload")
    waits = events.waits(report["trigger_id"]) if events is not None else None
    if rules.source is Policy.STRICT and isinstance(payload, dict) and isinstance(payload.get("body"), str):
        if (safe := without_quoted_source(payload["body"])) != payload["body"]:
            payload["body"] = safe  # a failed callback's
            found.changed.append("lines of code left out")
    if payload is not None and events is not None and events.seal.trigger_events and waits is not None:
        event["payload"] = sealed_values.trigger_event(events.seal, waits.task_instance_id, payload)
        found.changed.append("an event sealed")
        found.carry(carried.SEALED_VALUES)
    elif payload is not None:
        found.carry(carried.EVENTS)
    xcoms: dict[str, Any] = event.get("xcoms") or {}
    if all(value is None for value in xcoms.values()):
        return
    if rules.xcom is Policy.OPEN:
        found.carry(carried.VALUES)
        return
    for key, value in xcoms.items():
        if value is None:
            continue
        if is_reference(value, rules.schemes) and not (events is not None and events.seal.references):
            found.carry(carried.REFERENCES)
        elif events is not None and waits is not None and waits.dag_id and TAG not in json.dumps(value):
            place = (waits.dag_id, waits.run_id, waits.task_id, str(waits.map_index), key)
            xcoms[key] = events.seal(sealed_values.XCOM, place, value)
            found.changed.append("an XCom sealed")
            found.carry(carried.SEALED_VALUES)
        else:
            report["event"] = None
            report["failure"] = {"traceback": [_VALUES_STAY]}
            found.changed.append("an event with values in place of references became a failure")
            return


_VALUES_STAY: Final = (
    "The trigger ends its task with an XCom that is a value, and this site's data policy lets an XCom leave only as a "
    "reference to the site's own storage. Set [core] xcom_backend = tradewind_runtime.xcom.SiteXComBackend in the "
    "triggerer's environment, give the site a key ring (seal), or set the agent's policy for xcom to open\n"
)

_JUDGES: Final[Mapping[str, Callable[[dict[str, Any], Rules, Digest, Seal | None], _Findings]]] = {
    dags.CLAIM: _claim,
    dags.REPORT: _report,
}
