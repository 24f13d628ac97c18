"""Sentinels: their reports, the events that follow from them, and their silence."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.sentinel import ReportTaken, SentinelFinding, SentinelReport
from tradewind_provider.domain import sentinels as rules
from tradewind_provider.services import audit, canary_views, client_address
from tradewind_provider.store.tables import AgentToken, SentinelRow

MOST_OF_A_SITE: Final = 50
_MOST_EVENTS: Final = 20  # of one report


def report(db: Session, token: AgentToken, sent: SentinelReport, *, now: datetime) -> ReportTaken:
    """Keep a report in place of the one before it. What began and what ended are events. Idempotent.

    Raises Refused LIMIT_REACHED when other sentinels of the site are as many as may be.
    """
    row = db.scalar(
        select(SentinelRow)
        .where(SentinelRow.site == token.site, SentinelRow.name == sent.name)
        .with_for_update()
    )
    before: tuple[SentinelFinding, ...] = ()
    if row is None:
        others = select(func.count()).select_from(SentinelRow).where(SentinelRow.site == token.site)
        if (db.scalar(others) or 0) >= MOST_OF_A_SITE:
            raise Refused(
                Code.LIMIT_REACHED,
                f"site {token.site!r} has {MOST_OF_A_SITE} sentinels",
                remedy="give a sentinel the same name when it restarts; a sentinel that sends no report for a week is removed",
            )
        row = SentinelRow(id=uuid4(), site=token.site, name=sent.name, first_at=now, report={})
        db.add(row)
        _event(db, "sentinel_appeared", sent.name, "reports for the first time", row.site, now)
    else:
        before = SentinelReport.model_validate(row.report).findings
        if row.lost_at is not None:
            _event(db, "sentinel_returned", sent.name, "reports again", row.site, now)
    began, ended = rules.changes(before, sent.findings)
    for action, findings in (("sentinel_finding_began", began), ("sentinel_finding_ended", ended)):
        for one in findings[:_MOST_EVENTS]:
            audit.record(
                db,
                action=action,
                actor=f"sentinel:{sent.name}",
                subject=one.subject if one.subject.startswith("queue:") else f"agent:{one.subject}",
                reason=one.cause,
                now=now,
                detail={
                    "check": one.check,
                    "site": token.site,
                    "evidence": one.evidence,
                    "remedy": one.remedy,
                },
            )
    row.token_id = token.id
    row.address = client_address.address() or None
    row.last_at, row.lost_at = now, None
    row.report = sent.model_dump(mode="json")
    return ReportTaken(every=rules.EVERY, canaries=canary_views.of_site(db, token.site))


def notice_silence(db: Session, *, listening_since: datetime, now: datetime) -> int:
    """An event for each sentinel that missed three reports while this process listened. Returns how many."""
    if not rules.is_lost(listening_since, now):
        return 0
    rows = db.scalars(
        select(SentinelRow)
        .where(SentinelRow.lost_at.is_(None), SentinelRow.last_at <= now - rules.LOST_AFTER)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.lost_at = now
        silence = f"it has sent no report for {(now - row.last_at).total_seconds():.0f} s"
        _event(db, "sentinel_lost", row.name, silence, row.site, now)
    return len(rows)


def forget(db: Session, *, now: datetime) -> None:
    """Remove sentinels that have been silent for a week."""
    db.execute(delete(SentinelRow).where(SentinelRow.last_at < now - rules.FORGOTTEN_AFTER))


def _event(db: Session, action: str, name: str, reason: str, site: str, now: datetime) -> None:
    actor = audit.PLANE if action == "sentinel_lost" else f"sentinel:{name}"
    audit.record(
        db,
        action=action,
        actor=actor,
        subject=f"sentinel:{name}",
        reason=reason,
        now=now,
        detail={"site": site},
    )
