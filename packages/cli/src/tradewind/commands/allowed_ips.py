"""`tradewind allowed-ips`: the networks from which agents may connect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network

import click

from tradewind.client.operator_client import OperatorClient
from tradewind.commands.options import output_option, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage, Refused
from tradewind.output import Column, moment
from tradewind_protocol import errors, operator

_COLUMNS = (
    Column("NETWORK", lambda one: one.network),
    Column("DESCRIPTION", lambda one: one.description, wide=True),
)
_TRIES = 5

Networks = tuple[operator.AllowedNetwork, ...]

force_option = click.option(
    "--force",
    is_flag=True,
    help="Set the list even if it locks out connected agents or your address.",
)
description_option = click.option("--description", default="", help="A description of the networks.")


@click.group("allowed-ips")
def allowed_ips() -> None:
    """Networks from which agents may connect. Without a list, they may connect from anywhere."""


@allowed_ips.command("list")
@output_option
@pass_session
def list_(session: Session) -> None:
    """List the networks."""
    with session.connect() as client:
        _show(session, client.allowed_addresses())


@allowed_ips.command("set")
@click.argument("networks", nargs=-1, metavar="NETWORK...")
@click.option(
    "--from-anywhere", is_flag=True, help="Remove the list, so that agents may connect from anywhere."
)
@description_option
@force_option
@reason_option
@output_option
@pass_session
def set_(
    session: Session,
    networks: tuple[str, ...],
    from_anywhere: bool,
    description: str,
    force: bool,
    reason: str,
) -> None:
    """Replace the list by NETWORK..."""
    if bool(networks) == from_anywhere:
        raise BadUsage("name the networks, or say --from-anywhere")
    wanted = tuple(operator.AllowedNetwork(network=checked(one), description=description) for one in networks)
    _change(session, lambda before: wanted, force=force, reason=reason)


@allowed_ips.command()
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@description_option
@force_option
@reason_option
@output_option
@pass_session
def add(session: Session, networks: tuple[str, ...], description: str, force: bool, reason: str) -> None:
    """Add networks to the list. Networks that are on the list stay as they are."""
    asked = [checked(one) for one in networks]

    def more(before: Networks) -> Networks:
        there = {one.network for one in before}
        new = [one for one in dict.fromkeys(asked) if one not in there]
        return (*before, *(operator.AllowedNetwork(network=one, description=description) for one in new))

    _change(session, more, force=force, reason=reason)


@allowed_ips.command()
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@force_option
@reason_option
@output_option
@pass_session
def remove(session: Session, networks: tuple[str, ...], force: bool, reason: str) -> None:
    """Remove networks from the list, but not the last one: an empty list allows every address."""
    asked = [checked(one) for one in networks]

    def fewer(before: Networks) -> Networks:
        there = {one.network for one in before}
        for one in asked:
            if one not in there:
                raise Refused(
                    errors.Refusal(error=errors.Code.NOT_FOUND, message=f"{one} is not on the list")
                )
        left = tuple(one for one in before if one.network not in asked)
        if not left:
            raise Refused(
                errors.Refusal(
                    error=errors.Code.CONFLICT,
                    message="nothing would be left, and an empty list lets agents in from anywhere",
                    remedy="If that is meant: tradewind allowed-ips set --from-anywhere",
                )
            )
        return left

    _change(session, fewer, force=force, reason=reason)


def _change(session: Session, change: Callable[[Networks], Networks], *, force: bool, reason: str) -> None:
    def ask(before: operator.AllowedAddresses) -> operator.SetAllowedAddresses:
        return operator.SetAllowedAddresses(networks=change(before.networks), force=force, reason=reason)

    with session.connect() as client:
        _show(session, changed(client, ask))


def changed(
    client: OperatorClient, ask: Callable[[operator.AllowedAddresses], operator.SetAllowedAddresses]
) -> operator.AllowedAddresses:
    """Read, change, write; repeat when another user was faster, so that no change is lost."""
    for left in range(_TRIES, 0, -1):
        before = client.allowed_addresses()
        try:
            return client.set_allowed_addresses(ask(before).model_copy(update={"revision": before.revision}))
        except Refused as refused:
            if left == 1 or "revision" not in refused.refusal.detail:
                raise
    raise AssertionError("unreachable")


def _show(session: Session, found: operator.AllowedAddresses) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    nothing = "Agents may connect from anywhere."
    if found.endpoints:
        nothing = (
            "Any address may connect the public way. Private endpoints: tradewind private-endpoints list"
        )
    if found.private_only:
        nothing = "Agents may connect by private endpoints only: tradewind private-endpoints list"
    session.output.rows(_sorted(found.networks), _COLUMNS, none=nothing)
    if found.revision:
        click.echo(f"Set at {moment(found.changed_at)} by {found.changed_by}.", err=True)
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if found.locked_out:
        click.echo(f"Connected and not admitted: {', '.join(found.locked_out)}.", err=True)


def _sorted(networks: Networks) -> Sequence[operator.AllowedNetwork]:
    return sorted(networks, key=lambda one: (ip_network(one.network).version, ip_network(one.network)))


def checked(text: str) -> str:
    """A network in CIDR notation, of what a person wrote. Raises BadUsage."""
    try:
        return str(ip_network(text.strip()))
    except ValueError as problem:
        raise BadUsage(
            f"{text!r} is not a network: {problem}",
            remedy="Write 203.0.113.0/24, 203.0.113.7 or 2001:db8::/32.",
        ) from None
