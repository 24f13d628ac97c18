"""`tradewind bundles`: Dag bundles and the sites that own them."""

from __future__ import annotations

import click

from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment

_COLUMNS = (
    Column("BUNDLE", lambda one: one.name),
    Column("SITE", lambda one: one.site),
    Column("AGENT", lambda one: one.agent if one.spoken_for else f"{one.agent} (away)"),
    Column("TOKEN", lambda one: one.token or "–"),
    Column("FILES", lambda one: str(one.files)),
    Column("DAGS", lambda one: str(one.dags)),
    Column("LAST STORED", lambda one: "–" if one.stored_at is None else moment(one.stored_at)),
)


@click.group()
def bundles() -> None:
    """List and release Dag bundles."""


@bundles.command("list")
@page_options
@output_option
@pass_session
def list_(session: Session, limit: int, offset: int) -> None:
    """List the bundles that sites have claimed."""
    with session.connect() as client:
        page = client.bundles(limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="No site has claimed a bundle.")


@bundles.command()
@click.argument("bundle")
@reason_option
@pass_session
def release(session: Session, bundle: str, reason: str) -> None:
    """Take BUNDLE from its site, so that another site can claim it.

    Its Dags go stale until an agent claims it. Take it out of the first site's configuration before: its agent would
    claim it again.
    """
    with session.connect() as client:
        client.release_bundle(bundle, reason=reason)
    session.output.say(f"Bundle {bundle!r} has no site now. The next site that claims it owns it.")
