"""`tradewind login`, `logout` and `whoami`: the platform that a user works with, and as whom."""

from __future__ import annotations

import os
import sys
from typing import Final
from urllib.parse import urlsplit

import click

from tradewind.client import browser_sign_in
from tradewind.client import contexts as store
from tradewind.client.api_client import checked_url
from tradewind.client.platform_client import PlatformClient
from tradewind.commands import me as me_commands
from tradewind.commands import session as session_options
from tradewind.commands.options import output_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage, Refused, Unreachable
from tradewind_protocol import platform
from tradewind_protocol.errors import Code

_NOT_ENDED: Final = (
    "The platform did not answer. The token ends by itself, 12 hours after the sign-in at the latest."
)


@click.command()
@click.argument("url")
@click.option("--name", help="Name of the context. Default: the host name of the address.")
@click.option("--token-stdin", is_flag=True, help="Read an API token from standard input.")
@click.option("--no-browser", is_flag=True, help="Ask for an API token, also where there is a browser.")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False),
    help="PEM file of your own certificate authority.",
)
@output_option
@pass_session
def login(
    session: Session, url: str, name: str | None, token_stdin: bool, no_browser: bool, ca_file: str | None
) -> None:
    """Sign in to the platform at URL, and make it the current context.

    With a browser on this machine you sign in there, and get a token for 12 hours that `logout` deletes. Without one, give an API
    token. The token is kept in the file of contexts, which only you can read. One that the platform refuses is not kept.
    """
    url = checked_url(url)
    open_browser = (
        None if token_stdin or no_browser or not session_options.at_a_terminal() else session.browser()
    )
    given = None
    with PlatformClient(url, ca_file=ca_file, transport=session.transport) as client:
        if open_browser is not None:
            given = browser_sign_in.sign_in(client, open_browser, session.output.say)
        client.token = _token(url, token_stdin) if given is None else given.access_token
        token, found = client.token, client.me()
    chosen = name or urlsplit(url).hostname or url
    context = store.Context(
        url=url,
        token=token,
        ca_file=None if ca_file is None else os.path.abspath(ca_file),
        kind="platform",
        token_id=None if given is None else str(given.token_id),
    )
    known = store.load(session.contexts_path)
    before = known.contexts.get(chosen)
    store.save(session.contexts_path, known.adding(chosen, context).using(chosen))
    if before is not None:
        _end(session, before)
    if session.output.is_json:
        session.output.data({"context": chosen, **_facts(found)})
        return
    session.output.say(
        f"Signed in to {found.organization} as {found.name}. The current context is {chosen!r}."
    )


@click.command()
@click.argument("name", required=False)
@pass_session
def logout(session: Session, name: str | None) -> None:
    """Forget the token of a context: of the current one by default.

    A token that `login` was given by the browser is deleted on the platform. Another one stays valid until you delete it.
    """
    known = store.load(session.contexts_path)
    chosen = name or session.context or known.current
    if chosen is None:
        raise BadUsage("there is no current context", remedy="Name one: `tradewind logout NAME`.")
    context = known.get(chosen)
    forgotten = {**known.contexts, chosen: context.model_copy(update={"token": None, "token_id": None})}
    store.save(session.contexts_path, known.model_copy(update={"contexts": forgotten}))
    session.output.say(f"The token of {chosen!r} is forgotten.")
    if context.token_id is not None:
        ended = _end(session, context)
        session.output.say("The platform has deleted it." if ended else _NOT_ENDED)
    elif context.kind == "platform" and context.token is not None:
        session.output.say(f"It stays valid until you delete it: {context.url}/me")


@click.command()
@output_option
@pass_session
@click.pass_context
def whoami(ctx: click.Context, session: Session) -> None:
    """Show who you are on the platform, and your roles; on a plane, what `tradewind me` shows."""
    if session.deployment is not None or not session.means_a_platform():
        ctx.invoke(me_commands.me)
        return
    with session.platform() as client:
        found, url = client.me(), client.plane
    if session.output.is_json:
        session.output.data(_facts(found))
        return
    session.output.facts(
        [
            ("Name", found.name),
            ("Kind", found.kind.replace("_", " ")),
            ("Organization", found.organization),
            ("Platform", url),
            ("Roles", ", ".join(_role(one) for one in found.grants) or "none"),
        ]
    )


def _end(session: Session, context: store.Context) -> bool:
    """Delete the token that the browser gave, on the platform. Whether it is known to open nothing any more."""
    if context.token_id is None or context.token is None:
        return False
    with PlatformClient(
        context.url, token=context.token, ca_file=context.ca_file, transport=session.transport
    ) as client:
        try:
            client.delete_api_token(context.token_id, reason="signed out of a terminal")
        except Refused as refused:
            return refused.code in (Code.TOKEN_DELETED, Code.TOKEN_EXPIRED, Code.TOKEN_UNKNOWN)
        except Unreachable:
            return False
    return True


def _token(url: str, from_stdin: bool) -> str:
    if from_stdin:
        token = sys.stdin.read().strip()
        if not token:
            raise BadUsage("--token-stdin: standard input is empty", remedy="Write the API token to it.")
        return token
    if not session_options.at_a_terminal():
        raise BadUsage(
            "there is no terminal to ask for an API token at",
            remedy="Write the token to standard input: --token-stdin.",
        )
    click.echo(f"Create a personal token at {url}/me, and paste it here.", err=True)
    token = str(click.prompt("API token", hide_input=True, err=True)).strip()
    if not token:
        raise BadUsage("no API token was given")
    return token


def _facts(found: platform.Me) -> dict[str, object]:
    return found.model_dump(mode="json", exclude={"session"})


def _role(one: platform.Grant) -> str:
    if one.deployment is not None:
        return f"{one.role} of the Deployment {one.deployment}"
    return one.role if one.workspace is None else f"{one.role} of the workspace {one.workspace}"
