"""What triggerer hosts report, applied once each, in order."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from tradewind_protocol import boundary
from tradewind_protocol import triggers as wire
from tradewind_protocol.boundary import references
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.sessions import Policy
from tradewind_provider.airflow import triggers as airflow_triggers
from tradewind_provider.services import rule_refusals, triggers
from tradewind_provider.services.agents import Agent
from tradewind_provider.store.trigger_tables import TriggerSource

log = logging.getLogger(__name__)

_OF_THE_REQUEST = frozenset({Code.SESSION_EXPIRED, Code.CONFLICT, Code.UNAVAILABLE})
"""Refusals of the whole request; any other is of one report."""


@dataclass(frozen=True)
class AppliedReports:
    """How far the plane has got with a host's reports."""

    through: int
    refused: tuple[wire.RefusedReport, ...] = ()


def apply(agent: Agent, sync: wire.Sync, *, alive_since: datetime, now: datetime) -> AppliedReports:
    """Apply the reports that are new, each in a transaction of its own: the number of the last one applied is
    written with it, so a repeated request changes nothing. Blocks.

    A report that cannot be applied is refused and counted; the rest is applied. When the database fails, what was
    committed until then is the answer, and the error is raised only when that is nothing.
    """
    if sync.reports and [one.seq for one in sync.reports] != sorted({one.seq for one in sync.reports}):
        raise Refused(Code.MALFORMED, "the reports are not in the order of their numbers")
    refused: list[wire.RefusedReport] = []
    through = 0
    try:
        for report in sync.reports:
            through, refusal = _settle(agent, sync, report, alive_since=alive_since, now=now)
            if refusal is not None:
                refused.append(refusal)
    except (OperationalError, InterfaceError):
        if through == 0:
            raise
        log.warning("The database failed; the triggerer process sends the rest again", exc_info=True)
    return AppliedReports(through, tuple(refused))


def _settle(
    agent: Agent, sync: wire.Sync, report: wire.Report, *, alive_since: datetime, now: datetime
) -> tuple[int, wire.RefusedReport | None]:
    """Apply or refuse; the number applied through after it."""
    try:
        return _apply_one(agent, sync, report, alive_since=alive_since, now=now), None
    except Refused as error:
        if error.code in _OF_THE_REQUEST:
            raise
        refusal = error.refusal
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception(
            "What trigger %s of agent %s reported cannot be applied",
            report.trigger_id,
            agent.name,
            extra={"action": "trigger_report_failed"},
        )
        refusal = Refused(Code.INTERNAL, f"trigger {report.trigger_id}: {type(error).__name__}").refusal
    through = _skip(agent, sync, report, now=now)
    return through, wire.RefusedReport(seq=report.seq, refusal=refusal)


def _apply_one(
    agent: Agent, sync: wire.Sync, report: wire.Report, *, alive_since: datetime, now: datetime
) -> int:
    """The number applied through, after this report. Raises Refused when it can never be applied."""
    with airflow_triggers.event_transaction() as db:
        # first the number, then what follows from the report: some of what Airflow does in there commits
        before = _advance(db, agent, sync, report, now=now)
        if before >= report.seq:
            return before
        _check(agent, report)
        if not _may_report(db, agent, sync, report, alive_since=alive_since, now=now):
            return report.seq  # it is gone: nothing waits for it any more
        if report.event is not None:
            try:
                airflow_triggers.submit_event(db, report.trigger_id, report.event, site=agent.site)
            except ValueError as error:
                raise Refused(Code.MALFORMED, f"event of trigger {report.trigger_id}: {error}") from error
        elif report.failure is not None:
            if rule := report.failure.rule:
                # first, because Airflow takes the trigger from the task that waits for it
                waits = airflow_triggers.waiting(db, report.trigger_id)
                refusal = rule_refusals.RuleRefusal(
                    "work_refused",
                    agent=agent.name,
                    site=agent.site,
                    subject=f"trigger:{waits or report.trigger_id}",
                    rule=rule,
                    reason=f"the site's rule {rule!r} refuses trigger {report.trigger_id}",
                )
                rule_refusals.record_once(db, refusal, now=now)
            airflow_triggers.submit_failure(db, report.trigger_id, _traceback(agent, report.failure))
        log.info(
            "Trigger %s on agent %s %s",
            report.trigger_id,
            agent.name,
            "fired" if report.event is not None else "failed",
            extra={"action": "trigger_reported"},
        )
    return report.seq


def _skip(agent: Agent, sync: wire.Sync, report: wire.Report, *, now: datetime) -> int:
    with airflow_triggers.event_transaction() as db:
        return max(report.seq, _advance(db, agent, sync, report, now=now))


def _advance(db: Session, agent: Agent, sync: wire.Sync, report: wire.Report, *, now: datetime) -> int:
    """Set the source's number to this report's if it is larger; the number before. Holds the row until the commit,
    so that the same report in a second request waits and then finds it done."""
    moved = db.execute(
        update(TriggerSource)
        .where(
            TriggerSource.source == sync.source,
            TriggerSource.agent_id == agent.agent_id,
            TriggerSource.applied_through < report.seq,
        )
        .values(applied_through=report.seq, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount:  # type: ignore[attr-defined]
        return report.seq - 1
    known = db.execute(
        select(TriggerSource.agent_id, TriggerSource.applied_through).where(
            TriggerSource.source == sync.source
        )
    ).first()
    if known is not None:
        if known.agent_id != agent.agent_id:
            raise Refused(
                Code.CONFLICT,
                f"source {sync.source} is of another agent",
                remedy="every life of a triggerer host makes a new one",
            )
        return int(known.applied_through)
    try:
        db.execute(
            insert(TriggerSource).values(
                source=sync.source, agent_id=agent.agent_id, applied_through=report.seq, updated_at=now
            )
        )
    except IntegrityError as error:  # the same first report at the same moment
        raise Refused(Code.UNAVAILABLE, "another request of this host is being applied") from error
    return report.seq - 1


def _check(agent: Agent, report: wire.Report) -> None:
    if (report.event is None) == (report.failure is None):
        raise Refused(Code.MALFORMED, f"report {report.seq} is neither an event nor a failure, or both")
    size = len(report.model_dump_json())
    # what a host may send becomes four thirds of it when the site seals it
    if size > wire.LARGEST_EVENT * 4 // 3 + 64 * 1024:
        raise Refused(
            Code.TOO_LARGE,
            f"what trigger {report.trigger_id} reported is {size} bytes; {wire.LARGEST_EVENT} are allowed",
            remedy="let the trigger put the data into storage and fire where it is",
        )
    if report.event is not None and report.event.xcoms and agent.policy is Policy.STRICT:
        for key, value in report.event.xcoms.items():
            if not (value is None or references.is_reference(value) or boundary.is_sealed(value)):
                raise Refused(
                    Code.POLICY_REFUSED,
                    f"trigger {report.trigger_id} ends its task with XCom {key!r}, which is a value; under the strict "
                    "policy only references leave the site",
                    remedy="configure an XCom backend that keeps values at the site, or give the site a key ring",
                )


def _traceback(agent: Agent, failure: wire.Failure) -> list[str] | None:
    """The failure as it may be stored: of a strict site without the lines of code it quotes."""
    if failure.traceback is None or agent.policy is not Policy.STRICT:
        return None if failure.traceback is None else list(failure.traceback)
    return boundary.without_source("".join(failure.traceback)).splitlines(keepends=True)


def _may_report(
    db: Session,
    agent: Agent,
    sync: wire.Sync,
    report: wire.Report,
    *,
    alive_since: datetime,
    now: datetime,
) -> bool:
    """True when the trigger is this session's, False when there is no such trigger. Raises TRIGGER_NOT_YOURS."""
    job_id = triggers.job_of(db, agent, now=now)
    found = airflow_triggers.owners(db, [report.trigger_id])
    if report.trigger_id not in found:
        return False
    if found[report.trigger_id] == job_id:
        return True
    # A session that was given up and opened again still runs what it ran, unless another agent was given it meanwhile.
    if airflow_triggers.adopt(
        db,
        job_id,
        [report.trigger_id],
        room=1,
        served=triggers.served(db, agent, sync),
        alive_since=alive_since,
    ):
        return True
    raise Refused(
        Code.TRIGGER_NOT_YOURS,
        f"trigger {report.trigger_id} is not assigned to agent {agent.name!r}",
        remedy="nothing to do: it was given to another agent while this one was away",
    )
