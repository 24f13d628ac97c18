"""Whether the site's owner lets a piece of work run: asked as its offer comes, and as its run is known. Each answer is a line of
the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import structlog

from tradewind_agent.rules import OwnerRules, RuleRefusal, Work, refusal
from tradewind_protocol import boundary
from tradewind_protocol.attempts import Offer, Outcome, WorkKind
from tradewind_protocol.boundary import StartedBy, Unseal
from tradewind_protocol.boundary.declarations import CALLBACK_TRIGGER

log = structlog.get_logger(__name__)

NoteWork = Callable[[str, Mapping[str, str], str], None]
"""Who it is about, what is known of it, and why it was refused; empty when it may run."""


class Permissions:
    """Makes the `Permission` of each offer."""

    def __init__(
        self,
        *,
        rules: Callable[[], OwnerRules],
        now: Callable[[], float],
        note: NoteWork,
        open_: Unseal,
        deployment: Callable[[], str] = lambda: "",
    ) -> None:
        self._rules = rules
        self._deployment = deployment  # whose plane gives the work
        self._open = open_  # what this site sealed
        self._now = now
        self._note = note

    def of(self, offer: Offer) -> Permission:
        return Permission(
            offer,
            rules=self._rules(),
            now=self._now,
            note=self._note,
            open_=self._open,
            deployment=self._deployment(),
        )

    def of_trigger(self, trigger: Mapping[str, Any]) -> RuleRefusal | None:
        """Why a trigger that the plane has run here is refused; None when it may run."""
        classpath = str(trigger.get("classpath"))
        work = Work(
            trigger=classpath,
            dag=_text(trigger.get("ti"), "dag_id"),
            task=_text(trigger.get("ti"), "task_id"),
            starts=False,  # it goes on with what has started
            callback=_called(trigger) if classpath == CALLBACK_TRIGGER else None,
        )
        found = refusal(self._rules(), work, _moment(self._now))
        if found is not None:
            _tell(self._note, f"trigger {trigger.get('id')} of {work.dag or 'the plane'}", work, found)
        return found


class Permission:
    """Of one offer, under the rules that were in force as it came."""

    def __init__(
        self,
        offer: Offer,
        *,
        rules: OwnerRules,
        now: Callable[[], float],
        note: NoteWork,
        open_: Unseal,
        deployment: str = "",
    ) -> None:
        self.rules = rules
        self.work = replace(work_of(offer, open_), deployment=deployment)
        self._label = offer.label or str(offer.attempt_id)
        self._now = now
        self._note = note

    def of_offer(self) -> RuleRefusal | None:
        """Why the work is refused, by what the offer says of it. A task is judged again once its run is known."""
        found = self._judged()
        if found is not None or self.work.kind is not WorkKind.TASK:
            self._tell(found)
        return found

    def of_start(self, answer: Mapping[str, Any], started: StartedBy | None = None) -> RuleRefusal | None:
        """Why the task is refused, by the plane's answer that it may start. One that resumes has started before. `started`: the
        task of this site that has started its run."""
        found = answer.get("dag_run")
        run = found if isinstance(found, dict) else {}
        conf, user = run.get("conf"), run.get("triggering_user_name")
        self.work = replace(
            self.work,
            run_type=str(run.get("run_type", "")),
            user=str(user) if user else "",
            conf=conf if isinstance(conf, dict) else {},
            run=str(run.get("run_id", "")),
            started=started,
            starts=answer.get("next_method") is None,
        )
        refused = self._judged()
        self._tell(refused)
        return refused

    def refused_in_task(self, outcome: Outcome) -> None:
        """The task's own process has found that a rule refuses it."""
        self._note(self._label, {}, outcome.reason)  # a line with its names was written as it started
        _log(self._label, outcome.rule, outcome.reason)

    def _judged(self) -> RuleRefusal | None:
        return refusal(self.rules, self.work, _moment(self._now))

    def _tell(self, found: RuleRefusal | None) -> None:
        _tell(self._note, self._label, self.work, found)


def _tell(note: NoteWork, label: str, work: Work, found: RuleRefusal | None) -> None:
    note(label, work.facts(), str(found or ""))
    if found is not None:
        _log(label, found.rule, found.why)


def _log(label: str, rule: str, why: str) -> None:
    log.warning("A rule of the site refuses work", action="work_refused", work=label, rule=rule, reason=why)


def _moment(now: Callable[[], float]) -> datetime:
    return datetime.fromtimestamp(now(), timezone.utc)


def work_of(offer: Offer, open_: Unseal) -> Work:
    """What an offer says. The Dag of a callback is the one that the site's seal names, and not the plane."""
    workload, ti = offer.workload, offer.workload.get("ti")
    called = _part(workload.get("callback"), "data")
    return Work(
        kind=offer.kind,
        queue=offer.queue,
        bundle=_text(workload.get("bundle_info"), "name"),
        dag=boundary.dag_of_callback(called, open_) if isinstance(called, dict) else _text(ti, "dag_id"),
        task=_text(ti, "task_id"),
        callback=_text(called, "path"),
        # Whether a task starts or resumes is known with its run. A canary runs nothing that hours are for.
        starts=offer.kind not in (WorkKind.TASK, WorkKind.CANARY),
    )


def _called(trigger: Mapping[str, Any]) -> str | None:
    """What a trigger of a deadline calls."""
    try:
        return _text(json.loads(str(trigger.get("arguments"))), "callback_path")
    except (ValueError, RecursionError):
        return None


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: Any, name: str) -> str | None:
    found = _part(value, name)
    return found if isinstance(found, str) else None
