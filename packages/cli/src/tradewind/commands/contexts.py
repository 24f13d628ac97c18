"""`tradewind contexts`: the planes that a user works with."""

from __future__ import annotations

import sys

import click

from tradewind.client import contexts as store
from tradewind.client.api_client import checked_url
from tradewind.client.operator_client import OperatorClient
from tradewind.commands import session as session_options
from tradewind.commands.options import output_option
from tradewind.commands.session import Session, ask_to_sign_in, pass_session
from tradewind.errors import BadUsage
from tradewind.output import Column


@click.group()
def contexts() -> None:
    """Add, use, list and remove the planes you work with."""


@contexts.command()
@click.argument("name")
@click.argument("url")
@click.option(
    "--username", help="Sign in as this user now. The command asks for the password and does not store it."
)
@click.option("--token-stdin", is_flag=True, help="Read an Airflow API token from standard input.")
@click.option("--password-stdin", is_flag=True, help="Read the password of --username from standard input.")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False),
    help="PEM file of your own certificate authority.",
)
@click.option("--platform", is_flag=True, help="The address is that of a platform with many planes.")
@pass_session
def add(
    session: Session,
    name: str,
    url: str,
    username: str | None,
    token_stdin: bool,
    password_stdin: bool,
    ca_file: str | None,
    platform: bool,
) -> None:
    """Add a plane or a platform, or replace its entry. The first plane becomes the current one."""
    url = checked_url(url)
    if token_stdin and password_stdin:
        raise BadUsage(
            "--token-stdin and --password-stdin both read standard input", remedy="Give one of them."
        )
    if password_stdin and not username:
        raise BadUsage("--password-stdin needs to know whose password it is", remedy="Add --username NAME.")
    if platform and username:
        raise BadUsage(
            "a platform has no user names and passwords yet", remedy="Give an API token: --token-stdin."
        )
    token = None
    if token_stdin:
        token = sys.stdin.read().strip()
        if not token:
            raise BadUsage("--token-stdin: standard input is empty", remedy="Write the API token to it.")
    elif username and (password_stdin or session_options.at_a_terminal()):
        with OperatorClient(url, ca_file=ca_file, transport=session.transport) as client:
            if password_stdin:
                token = client.sign_in(username, sys.stdin.read().rstrip("\r\n"))
            else:
                token = ask_to_sign_in(client, username)
    known = store.load(session.contexts_path)
    context = store.Context(
        url=url, username=username, token=token, ca_file=ca_file, kind="platform" if platform else "plane"
    )
    known = known.adding(name, context)
    store.save(session.contexts_path, known)
    click.echo(f"Context {name!r} is {url}" + (", the current one." if known.current == name else "."))
    if username and token:
        click.echo(f"Signed in as {username}.")
    elif username:
        click.echo(f"Not signed in as {username}: there is no terminal to ask for the password at.", err=True)
        click.echo(f"  {session_options.NO_TERMINAL}", err=True)
    elif not token:
        click.echo("Not signed in: the first command that needs it asks for name and password.")


@contexts.command()
@click.argument("name")
@pass_session
def use(session: Session, name: str) -> None:
    """Make a plane the current one."""
    known = store.load(session.contexts_path).using(name)
    store.save(session.contexts_path, known)
    click.echo(f"The current context is {name!r} ({known.get(name).url}).")


@contexts.command()
@click.argument("name")
@pass_session
def remove(session: Session, name: str) -> None:
    """Remove a plane and its stored token."""
    store.save(session.contexts_path, store.load(session.contexts_path).without(name))
    click.echo(f"Context {name!r} is removed.")


@contexts.command("list")
@output_option
@pass_session
def list_(session: Session) -> None:
    """List the planes, without their tokens."""
    known = store.load(session.contexts_path)
    rows = [
        {
            "name": name,
            "current": name == known.current,
            "url": context.url,
            "kind": context.kind,
            "username": context.username or "",
            "signed_in": context.token is not None,
        }
        for name, context in sorted(known.contexts.items())
    ]
    if session.output.is_json:
        session.output.data({"contexts": rows})
        return
    session.output.rows(
        rows,
        (
            Column("", lambda row: "*" if row["current"] else ""),
            Column("NAME", lambda row: row["name"]),
            Column("KIND", lambda row: row["kind"]),
            Column("ADDRESS", lambda row: row["url"]),
            Column("USER", lambda row: row["username"]),
            Column("TOKEN", lambda row: "kept" if row["signed_in"] else "none"),
        ),
        none="No plane is known yet: `tradewind contexts add NAME URL`.",
    )
