"""`tradewind organization`: settings of a platform's organization."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import click

from tradewind.client.platform_client import PlatformClient
from tradewind.commands.allowed_ips import checked
from tradewind.commands.options import output_option, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage, Refused
from tradewind.output import Column, moment
from tradewind_protocol import errors
from tradewind_protocol.organization import (
    OrganizationAllowedAddresses,
    OrganizationAllowedNetwork,
    SetOrganizationAllowedAddresses,
)

_COLUMNS = (
    Column("NETWORK", lambda one: one.network),
    Column("DESCRIPTION", lambda one: one.description, wide=True),
)
_TRIES = 5

Networks = tuple[OrganizationAllowedNetwork, ...]

description_option = click.option("--description", default="", help="A description of the networks.")


@click.group()
def organization() -> None:
    """Change settings of the organization."""


@organization.group("allowed-ips")
def allowed_ips() -> None:
    """Networks from which people and programs may use the platform. Without a list, any address is allowed."""


@allowed_ips.command("list")
@output_option
@pass_session
def list_(session: Session) -> None:
    """List the networks."""
    with session.platform() as client:
        _show(session, client.organization_addresses())


@allowed_ips.command("set")
@click.argument("networks", nargs=-1, metavar="NETWORK...")
@click.option("--from-anywhere", is_flag=True, help="Remove the list, so that any address is allowed.")
@description_option
@reason_option
@output_option
@pass_session
def set_(
    session: Session, networks: tuple[str, ...], from_anywhere: bool, description: str, reason: str
) -> None:
    """Replace the list by NETWORK... Your own address has to be on it."""
    if bool(networks) == from_anywhere:
        raise BadUsage("name the networks, or say --from-anywhere")
    wanted = tuple(_entry(checked(one), description) for one in networks)
    _change(session, lambda before: wanted, reason=reason)


@allowed_ips.command()
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@description_option
@reason_option
@output_option
@pass_session
def add(session: Session, networks: tuple[str, ...], description: str, reason: str) -> None:
    """Add networks to the list. Networks that are on the list stay as they are."""
    asked = [checked(one) for one in networks]

    def more(before: Networks) -> Networks:
        there = {one.network for one in before}
        return (*before, *(_entry(one, description) for one in dict.fromkeys(asked) if one not in there))

    _change(session, more, reason=reason)


@allowed_ips.command()
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@reason_option
@output_option
@pass_session
def remove(session: Session, networks: tuple[str, ...], reason: str) -> None:
    """Remove networks from the list, but not the last one: an empty list allows every address."""
    asked = [checked(one) for one in networks]

    def fewer(before: Networks) -> Networks:
        there = {one.network for one in before}
        for one in asked:
            if one not in there:
                raise _refused(errors.Code.NOT_FOUND, f"{one} is not on the list")
        left = tuple(one for one in before if one.network not in asked)
        if not left:
            raise _refused(
                errors.Code.CONFLICT,
                "nothing would be left, and an empty list allows every address",
                remedy="If that is meant: tradewind organization allowed-ips set --from-anywhere",
            )
        return left

    _change(session, fewer, reason=reason)


def _change(session: Session, change: Callable[[Networks], Networks], *, reason: str) -> None:
    with session.platform() as client:
        _show(session, _changed(client, change, reason))


def _changed(
    client: PlatformClient, change: Callable[[Networks], Networks], reason: str
) -> OrganizationAllowedAddresses:
    """Read, change, write; repeat when another user was faster, so that no change is lost."""
    for left in range(_TRIES, 0, -1):
        before = client.organization_addresses()
        ask = SetOrganizationAllowedAddresses(networks=change(before.networks))
        try:
            return client.set_organization_addresses(ask, if_revision=before.revision, reason=reason)
        except Refused as refused:
            if left == 1 or "revision" not in refused.refusal.detail:
                raise
    raise AssertionError("unreachable")


def _show(session: Session, found: OrganizationAllowedAddresses) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    in_order = sorted(
        found.networks, key=lambda one: (ip_network(one.network).version, ip_network(one.network))
    )
    session.output.rows(in_order, _COLUMNS, none="Any address is allowed.")
    click.echo(f"Your address: {found.your_address}.", err=True)
    if found.revision:
        click.echo(f"Set at {moment(found.changed_at)} by {found.changed_by}.", err=True)


def _entry(network: str, description: str) -> OrganizationAllowedNetwork:
    return OrganizationAllowedNetwork(network=network, description=description)


def _refused(code: errors.Code, message: str, *, remedy: str = "") -> Refused:
    return Refused(errors.Refusal(error=code, message=message, remedy=remedy))
