"""`tradewind environment` and `tradewind configuration`: variables and options of Airflow, in layers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage
from tradewind.output import Column, moment
from tradewind_protocol import platform_life

Function = TypeVar("Function", bound=Callable[..., Any])
_SCOPES: Final = {"cluster": "clusters", "workspace": "workspaces", "deployment": "deployments"}
_VARIABLES: Final = (
    Column("NAME", lambda one: one.name),
    Column("VALUE", lambda one: "(secret)" if one.is_secret else one.value, wide=True),
    Column("FROM", lambda one: one.origin + (", locked" if one.locked else "")),
    Column("APPLIED", lambda one: "yes" if one.applied else "no"),
    Column("CHANGED", lambda one: f"{moment(one.updated_at)} by {one.updated_by}", wide=True),
)
_OPTIONS: Final = (
    Column("OPTION", lambda one: one.option),
    Column("VALUE", lambda one: one.value, wide=True),
    *_VARIABLES[2:],
)
_NOT_APPLIED: Final = "Its Deployments have it once it is applied: `tradewind environment apply DEPLOYMENT`."


def scope_option(function: Function) -> Function:
    """`--scope KIND/NAME`."""
    return click.option(
        "--scope",
        required=True,
        metavar="KIND/NAME",
        callback=_scope,
        help="deployment/NAME, workspace/NAME or cluster/NAME. The innermost layer that sets a value applies.",
    )(function)


def _scope(context: click.Context, option: click.Parameter, value: str) -> str:
    kind, _, name = value.partition("/")
    if kind not in _SCOPES or not name:
        raise click.BadParameter(
            f"{value!r} is not deployment/NAME, workspace/NAME or cluster/NAME", context, option
        )
    return f"{_SCOPES[kind]}/{name}"


@click.group()
def environment() -> None:
    """Set environment variables of Deployments, in the layers of cluster, workspace and Deployment."""


@environment.command("list")
@scope_option
@page_options
@output_option
@pass_session
def list_(session: Session, scope: str, limit: int, offset: int) -> None:
    """List the variables that count there, and the layer that each is from."""
    with session.platform() as client:
        page = client.variables(scope, limit=limit, offset=offset)
    session.output.page(page, _VARIABLES, none="No variable is set.")


@environment.command("set")
@click.argument("variable", metavar="NAME[=VALUE]")
@scope_option
@click.option("--secret", is_flag=True, help="Never show its value.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the value from standard input.")
@click.option("--lock", is_flag=True, help="Inner layers may not change it.")
@reason_option
@output_option
@pass_session
def set_(
    session: Session, variable: str, scope: str, secret: bool, from_stdin: bool, lock: bool, reason: str
) -> None:
    """Set one variable, and keep the others. Without =VALUE it is asked for, so that it stands in no argument."""
    name, equals, value = variable.partition("=")
    if secret and equals:
        raise BadUsage(
            "the value of a secret stands in no argument: every user of this machine can read it there",
            remedy=f"tradewind environment set {name} --secret --scope {scope}, which asks for it, or --stdin.",
        )
    if from_stdin:
        if equals:
            raise BadUsage("--stdin and =VALUE are two values")
        value = sys.stdin.read().rstrip("\n")
    elif not equals:
        value = click.prompt(f"Value of {name}", hide_input=secret, err=True)
    ask = operation_commands.valid(platform_life.SetVariable, value=value, is_secret=secret, locked=lock)
    with session.platform() as client:
        found = client.set_variable(scope, name, ask, reason=reason)
    if session.output.is_json:
        session.output.data(found)
    session.output.say(f"{name} is set. {_NOT_APPLIED}")


@environment.command()
@click.argument("name")
@scope_option
@reason_option
@pass_session
def unset(session: Session, name: str, scope: str, reason: str) -> None:
    """Remove a variable from a layer. The value of the next outer layer then applies."""
    with session.platform() as client:
        client.unset_variable(scope, name, reason=reason)
    session.output.say(f"{name} is not set there any more. {_NOT_APPLIED}")


@environment.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@scope_option
@click.option("--secret", is_flag=True, help="Never show their values.")
@reason_option
@pass_session
def import_(session: Session, file: Path, scope: str, secret: bool, reason: str) -> None:
    """Set the variables of a file with lines NAME=VALUE, all or none, and keep the others."""
    wanted = variables_of(file, secret=secret)
    ask = operation_commands.valid(platform_life.SetVariables, variables=wanted)
    with session.platform() as client:
        client.set_variables(scope, ask, reason=reason)
    session.output.say(f"{len(wanted)} variables are set. {_NOT_APPLIED}")


def variables_of(file: Path, *, secret: bool) -> list[dict[str, Any]]:
    """The variables of a file with lines NAME=VALUE, without empty lines and comments. Raises BadUsage for another line."""
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    return [
        variable_of(line, f"line {number} of {file}", secret=secret)
        for number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    ]


def variable_of(text: str, what: str, *, secret: bool) -> dict[str, Any]:
    """NAME=VALUE as a variable. Raises BadUsage, which calls the text `what`: a value may be a secret."""
    name, equals, value = text.partition("=")
    if not equals:
        raise BadUsage(f"{what} is not NAME=VALUE")
    return {"name": name.strip(), "value": value, "is_secret": secret}


@environment.command()
@click.argument("deployment")
@click.option("--wait", is_flag=True, help="Return when the operation has ended; exit 1 if it failed.")
@reason_option
@output_option
@pass_session
def apply(session: Session, deployment: str, wait: bool, reason: str) -> None:
    """Restart the processes of a Deployment with what is set now. Its tasks go on."""
    with session.platform() as client:
        begun = client.apply_configuration(deployment, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(f"Deployment {begun.deployment_name!r} {'has' if wait else 'is being given'} it.")


@click.group()
def configuration() -> None:
    """Set options of Airflow, in the layers of cluster, workspace and Deployment."""


@configuration.command("list")
@scope_option
@page_options
@output_option
@pass_session
def list_options(session: Session, scope: str, limit: int, offset: int) -> None:
    """List the options that are set there, and the layer that each is from."""
    with session.platform() as client:
        page = client.options(scope, limit=limit, offset=offset)
    session.output.page(page, _OPTIONS, none="No option is set.")


@configuration.command("set")
@click.argument("option", metavar="SECTION.KEY=VALUE")
@scope_option
@click.option("--lock", is_flag=True, help="Inner layers may not change it.")
@reason_option
@output_option
@pass_session
def set_option(session: Session, option: str, scope: str, lock: bool, reason: str) -> None:
    """Set one option, and keep the others."""
    name, equals, value = option.partition("=")
    if not equals:
        raise BadUsage(f"{option!r} is not SECTION.KEY=VALUE")
    ask = operation_commands.valid(platform_life.SetOption, value=value, locked=lock)
    with session.platform() as client:
        found = client.set_option(scope, name, ask, reason=reason)
    if session.output.is_json:
        session.output.data(found)
    session.output.say(f"{name} is set. {_NOT_APPLIED}")


@configuration.command("unset")
@click.argument("option", metavar="SECTION.KEY")
@scope_option
@reason_option
@pass_session
def unset_option(session: Session, option: str, scope: str, reason: str) -> None:
    """Remove an option from a layer. The value of the next outer layer then applies."""
    with session.platform() as client:
        client.unset_option(scope, option, reason=reason)
    session.output.say(f"{option} is not set there any more. {_NOT_APPLIED}")
