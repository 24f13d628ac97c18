"""`tradewind sign-in`: how people of a platform sign in at their identity provider."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage
from tradewind_protocol import people

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("sign-in")
def sign_in() -> None:
    """Set up sign-in at the organization's identity provider."""


@sign_in.command()
@output_option
@pass_session
def get(session: Session) -> None:
    """Show the settings, and the addresses to register at the identity provider."""
    with session.platform() as client:
        found = client.sign_in_settings()
    _show(session, found)


@sign_in.command("set")
@click.argument("file", type=_FILE)
@click.option(
    "--client-secret-file", type=_FILE, help="A file with the client's secret. Default: the stored one."
)
@reason_option
@output_option
@pass_session
def set_(session: Session, file: Path, client_secret_file: Path | None, reason: str) -> None:
    """Keep the settings of a JSON file as a draft. It is used once it is tested and activated."""
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadUsage(f"{file} is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadUsage(f"{file} is no JSON object")
    if client_secret_file is not None:
        fields["client_secret"] = client_secret_file.read_text(encoding="utf-8").strip()
    ask = operation_commands.valid(people.SignInSettings, **fields)
    with session.platform() as client:
        found = client.put_sign_in_settings(ask, reason=reason)
    _show(session, found)


@sign_in.command()
@reason_option
@output_option
@pass_session
def activate(session: Session, reason: str) -> None:
    """Use the draft, after a test sign-in with it."""
    with session.platform() as client:
        found = client.activate_sign_in_settings(reason=reason)
    _show(session, found)


@sign_in.command("turn-off")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def turn_off(session: Session, yes: bool, reason: str) -> None:
    """End sign-in at the identity provider, and the sessions that were begun there."""
    if not yes:
        click.confirm("End sign-in at the identity provider?", abort=True, err=True)
    with session.platform() as client:
        client.delete_sign_in_settings(reason=reason)
    session.output.say("Sign-in at the identity provider is off.")


def _show(session: Session, found: people.SignInView) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    facts = [
        ("Redirect URI", found.redirect_uri),
        ("Back-channel logout", found.back_channel_logout_uri),
        ("After sign-out", found.post_logout_redirect_uri),
    ]
    for name, one in (("In use", found.active), ("Draft", found.draft)):
        facts.append((name, "none" if one is None else f"{one.issuer} as {one.client_id}"))
    if found.draft is not None:
        test = found.draft.test
        tested = (
            "not yet"
            if test is None
            else test.refused or f"came in, teams: {', '.join(test.teams) or 'none'}"
        )
        facts += [("Tested", tested), ("Test it at", found.test_url or "")]
    session.output.facts(facts)
