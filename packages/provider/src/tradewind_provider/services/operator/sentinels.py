"""Sentinels as people see them, and their findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_protocol.sentinel import SentinelReport
from tradewind_provider.domain import sentinels as rules
from tradewind_provider.services.operator.pages import PageRequest
from tradewind_provider.store.tables import AgentToken, SentinelRow


def listed(db: Session, *, now: datetime) -> operator.Page[operator.SentinelView]:
    """Every sentinel, by site and name."""
    items = tuple(_view(row, token, now) for row, token in _rows(db))
    return operator.Page[operator.SentinelView](items=items, total=len(items), limit=len(items), offset=0)


def findings(
    db: Session,
    paging: PageRequest,
    *,
    now: datetime,
    site: str | None = None,
    check: str | None = None,
    subject: str | None = None,
) -> operator.Page[operator.SentinelFindingView]:
    """What every sentinel finds wrong, the newest first; and that one is silent, as a finding of its own."""
    found = [
        one
        for row, _ in _rows(db)
        for one in _findings(row, now)
        if site in (None, one.site) and check in (None, one.check) and subject in (None, one.subject)
    ]
    found.sort(key=lambda one: one.since, reverse=True)
    return operator.Page[operator.SentinelFindingView](
        items=tuple(paging.of(found)), total=len(found), limit=paging.limit, offset=paging.offset
    )


def of_agent(db: Session, *, site: str, name: str, now: datetime) -> tuple[operator.SentinelFindingView, ...]:
    """What sentinels of its site find wrong with one agent."""
    return tuple(
        one for row, _ in _rows(db) if row.site == site for one in _findings(row, now) if one.subject == name
    )


def _rows(db: Session) -> Sequence[tuple[SentinelRow, str]]:
    rows = db.execute(
        select(SentinelRow, AgentToken.name)
        .join(AgentToken, AgentToken.id == SentinelRow.token_id, isouter=True)
        .order_by(SentinelRow.site, SentinelRow.name)
    )
    return [(row, token or "") for row, token in rows]


def _view(row: SentinelRow, token: str, now: datetime) -> operator.SentinelView:
    report = SentinelReport.model_validate(row.report)
    return operator.SentinelView(
        name=row.name,
        site=row.site,
        lost=rules.is_lost(row.last_at, now),
        version=report.version,
        platform=report.platform,
        scope=report.scope,
        token=token,
        first_at=row.first_at,
        last_at=row.last_at,
        age=max(0.0, (now - row.last_at).total_seconds()),
        agents=report.agents,
        groups=report.groups,
        findings=_findings(row, now),
    )


def _findings(row: SentinelRow, now: datetime) -> tuple[operator.SentinelFindingView, ...]:
    report = SentinelReport.model_validate(row.report)
    found = [
        operator.SentinelFindingView(site=row.site, sentinel=row.name, **one.model_dump())
        for one in report.findings
    ]
    if rules.is_lost(row.last_at, now):
        silent = operator.SentinelFindingView(
            site=row.site,
            sentinel=row.name,
            check="sentinel_lost",
            subject=row.name,
            cause="the sentinel is silent: its other findings may be out of date",
            evidence=f"it has sent no report for {(now - row.last_at).total_seconds():.0f} s",
            remedy="See whether its process runs and reaches the plane; its log says which",
            since=row.last_at,
        )
        found.insert(0, silent)
    return tuple(found)
