"""`tradewind site-access`: what sites may do with Dags of other sites."""

from __future__ import annotations

import click

from tradewind.client.operator_client import OperatorClient
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import Refused
from tradewind.output import Column, moment
from tradewind_protocol import errors, operator

_COLUMNS = (
    Column("SITE", lambda one: one.site),
    Column("MAY", lambda one: one.access.value),
    Column("DAGS OF", lambda one: one.other),
    Column("CREATED BY", lambda one: one.created_by),
    Column("CREATED", lambda one: moment(one.created_at)),
)
_PAGE = 1_000

_access = click.Choice([one.value for one in operator.SiteAccess])


@click.group("site-access")
def site_access() -> None:
    """What agents of one site may do with Dags of another. Without a grant, nothing.

    \b
    wait     read states and numbers of runs and tasks
    read     wait, and read runs and XComs
    start    wait, and start and clear runs
    write    all of these, and write XComs
    consume  start own Dags by events of the other site's assets
    """


@site_access.command("list")
@page_options
@output_option
@pass_session
def list_(session: Session, limit: int, offset: int) -> None:
    """List the grants."""
    with session.connect() as client:
        page = client.site_access(limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="Each site reaches its own Dags only.")


@site_access.command()
@click.argument("site")
@click.argument("access", type=_access)
@click.argument("other")
@reason_option
@output_option
@pass_session
def add(session: Session, site: str, access: str, other: str, reason: str) -> None:
    """Let agents of SITE do ACCESS with Dags of OTHER ('*': of every site, and of the plane)."""
    ask = operator.NewSiteGrant(site=site, other=other, access=operator.SiteAccess(access), reason=reason)
    with session.connect() as client:
        made = client.add_site_access(ask)
    if session.output.is_json:
        session.output.data(made)
    else:
        session.output.say(f"Agents of site {site!r} may {access} Dags of {_named(other)}.")


@site_access.command()
@click.argument("site")
@click.argument("access", type=_access)
@click.argument("other")
@reason_option
@pass_session
def remove(session: Session, site: str, access: str, other: str, reason: str) -> None:
    """Remove a grant, named as `add` names it."""
    with session.connect() as client:
        client.remove_site_access(_find(client, site, access, other).id, reason=reason)
    session.output.say(f"Agents of site {site!r} may not {access} Dags of {_named(other)} any more.")


def _find(client: OperatorClient, site: str, access: str, other: str) -> operator.SiteGrantView:
    for one in client.site_access(limit=_PAGE).items:
        if (one.site, one.access.value, one.other) == (site, access, other):
            return one
    raise Refused(
        errors.Refusal(
            error=errors.Code.NOT_FOUND,
            message=f"there is no grant that lets site {site!r} {access} Dags of {_named(other)}",
            remedy="`tradewind site-access list` names those that exist",
        )
    )


def _named(other: str) -> str:
    return "every site, and of the plane" if other == "*" else f"site {other!r}"
