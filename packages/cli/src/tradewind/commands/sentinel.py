"""`tradewind sentinel`: the sentinels of a plane, and what they find wrong."""

from __future__ import annotations

import click

from tradewind.commands.options import output_option, page_options
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment, span

_COLUMNS = (
    Column("NAME", lambda one: one.name),
    Column("SITE", lambda one: one.site),
    Column("STATE", lambda one: "lost" if one.lost else "reports"),
    Column("LAST REPORT", lambda one: f"{span(one.age)} ago"),
    Column("WATCHES", lambda one: " ".join(part for part in (one.platform, one.scope) if part)),
    Column("AGENTS", lambda one: f"{sum(each.ready for each in one.agents)}/{len(one.agents)} ready"),
    Column("FINDINGS", lambda one: str(len(one.findings))),
    Column("VERSION", lambda one: one.version),
)
_FINDINGS = (
    Column("SINCE", lambda one: moment(one.since)),
    Column("SITE", lambda one: one.site),
    Column("SUBJECT", lambda one: one.subject),
    Column("CHECK", lambda one: one.check),
    Column("CAUSE", lambda one: one.cause, wide=True),
)


@click.group()
def sentinel() -> None:
    """List sentinels and what they find wrong."""


@sentinel.command("list")
@output_option
@pass_session
def list_(session: Session) -> None:
    """List sentinels."""
    with session.connect() as client:
        page = client.sentinels()
    session.output.page(page, _COLUMNS, none="There is no sentinel.")


@sentinel.command()
@click.option("--site", help="Only of this site.")
@click.option("--check", help="Only of this check, such as image_pull.")
@click.option("--subject", help="Only of this agent or group.")
@page_options
@output_option
@pass_session
def findings(
    session: Session, site: str | None, check: str | None, subject: str | None, limit: int, offset: int
) -> None:
    """List what sentinels find wrong, with evidence and remedy."""
    with session.connect() as client:
        page = client.sentinel_findings(site=site, check=check, subject=subject, limit=limit, offset=offset)
    if session.output.is_json:
        session.output.data(page)
        return
    session.output.rows(page.items, _FINDINGS, none="No sentinel finds anything wrong.")
    for one in page.items:
        click.echo(f"\n{one.subject}: {one.cause} ({one.check})")
        if one.evidence:
            click.echo(f"  evidence: {one.evidence}")
        if one.remedy:
            click.echo(f"  remedy:   {one.remedy}")
