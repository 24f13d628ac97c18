"""`tradewind private-endpoints`: the private endpoints by which agents may connect."""

from __future__ import annotations

import click

from tradewind.commands.allowed_ips import changed
from tradewind.commands.options import output_option, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import Refused
from tradewind.output import Column, moment
from tradewind_protocol import errors, operator

_COLUMNS = (
    Column("ENDPOINT", lambda one: one.endpoint),
    Column("NAME", lambda one: one.name, wide=True),
)

force_option = click.option("--force", is_flag=True, help="Apply it even if it locks out connected agents.")


@click.group("private-endpoints")
def private_endpoints() -> None:
    """Private endpoints by which agents may connect: aws:<VPC endpoint ID>, azure:<link identifier>, gcp:<PSC connection ID>.

    The list of networks (tradewind allowed-ips) does not admit requests that come by a private endpoint.
    """


@private_endpoints.command("list")
@output_option
@pass_session
def list_(session: Session) -> None:
    """List the private endpoints, and whether the public way is shut."""
    with session.connect() as client:
        _show(session, client.allowed_addresses())


@private_endpoints.command()
@click.argument("endpoint")
@click.option("--name", default="", help="A name of the endpoint.")
@force_option
@reason_option
@output_option
@pass_session
def add(session: Session, endpoint: str, name: str, force: bool, reason: str) -> None:
    """Allow ENDPOINT, or change its name. The public way stays as it is."""

    def ask(before: operator.AllowedAddresses) -> operator.SetAllowedAddresses:
        others = [one for one in before.endpoints if one.endpoint != endpoint]
        added = operator.AllowedEndpoint(endpoint=endpoint, name=name)
        return operator.SetAllowedAddresses(
            networks=before.networks, endpoints=(*others, added), force=force, reason=reason
        )

    with session.connect() as client:
        _show(session, changed(client, ask))


@private_endpoints.command()
@click.argument("endpoint")
@force_option
@reason_option
@output_option
@pass_session
def remove(session: Session, endpoint: str, force: bool, reason: str) -> None:
    """Remove ENDPOINT. Requests that the plane holds for agents behind it end within five seconds."""

    def ask(before: operator.AllowedAddresses) -> operator.SetAllowedAddresses:
        others = tuple(one for one in before.endpoints if one.endpoint != endpoint)
        if len(others) == len(before.endpoints):
            raise Refused(
                errors.Refusal(error=errors.Code.NOT_FOUND, message=f"{endpoint} is not on the list")
            )
        return operator.SetAllowedAddresses(
            networks=before.networks, endpoints=others, force=force, reason=reason
        )

    with session.connect() as client:
        _show(session, changed(client, ask))


@private_endpoints.command()
@click.argument("switch", type=click.Choice(["on", "off"]))
@force_option
@reason_option
@output_option
@pass_session
def only(session: Session, switch: str, force: bool, reason: str) -> None:
    """Shut the public way (on) or open it (off). While it is shut, the list of networks has no effect."""
    with session.connect() as client:
        _show(
            session,
            changed(
                client,
                lambda before: operator.SetAllowedAddresses(
                    networks=before.networks, private_only=switch == "on", force=force, reason=reason
                ),
            ),
        )


def _show(session: Session, found: operator.AllowedAddresses) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    nothing = "No private endpoint is on the list."
    session.output.rows(sorted(found.endpoints, key=lambda one: one.endpoint), _COLUMNS, none=nothing)
    public = "The public way is shut." if found.private_only else "The public way is open."
    click.echo(public, err=True)
    if found.revision:
        click.echo(f"Set at {moment(found.changed_at)} by {found.changed_by}.", err=True)
    if found.locked_out:
        click.echo(f"Connected and not admitted: {', '.join(found.locked_out)}.", err=True)
