"""The `tradewind` command: its options, its verbs, and where the verbs come from."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version

import click

from tradewind.commands.session import Session
from tradewind.errors import BadUsage
from tradewind.output import Output

_OWN = {
    "tokens": "tradewind.commands.tokens:tokens",
    "private-endpoints": "tradewind.commands.private_endpoints:private_endpoints",
    "allowed-ips": "tradewind.commands.allowed_ips:allowed_ips",
    "connectivity": "tradewind.commands.connectivity:connectivity",
    "site-access": "tradewind.commands.site_access:site_access",
    "agents": "tradewind.commands.agents:agents",
    "attempts": "tradewind.commands.attempts:attempts",
    "runs": "tradewind.commands.runs:runs",
    "queues": "tradewind.commands.queues:queues",
    "sentinel": "tradewind.commands.sentinel:sentinel",
    "bundles": "tradewind.commands.bundles:bundles",
    "events": "tradewind.commands.events:events",
    "me": "tradewind.commands.me:me",
    "login": "tradewind.commands.login:login",
    "logout": "tradewind.commands.login:logout",
    "whoami": "tradewind.commands.login:whoami",
    "export": "tradewind.commands.export:export",
    "contexts": "tradewind.commands.contexts:contexts",
    "deployments": "tradewind.commands.deployments:deployments",
    "environment": "tradewind.commands.environment:environment",
    "configuration": "tradewind.commands.environment:configuration",
    "operations": "tradewind.commands.operations:operations",
    "clusters": "tradewind.commands.clusters:clusters",
    "workspaces": "tradewind.commands.workspaces:workspaces",
    "users": "tradewind.commands.users:users",
    "teams": "tradewind.commands.teams:teams",
    "roles": "tradewind.commands.roles:roles",
    "access": "tradewind.commands.access:access",
    "sign-in": "tradewind.commands.sign_in:sign_in",
    "scim": "tradewind.commands.scim:scim",
    "organization": "tradewind.commands.organization:organization",
    "api-tokens": "tradewind.commands.api_tokens:api_tokens",
    "audit": "tradewind.commands.audit:audit",
    "plane": "tradewind.commands.plane:plane",
    "gateway": "tradewind.commands.gateway:gateway",
    "demo": "tradewind.commands.demo:demo",
    "project": "tradewind.commands.project:project",
    "completion": "tradewind.commands.completion:completion",
}

_ELSEWHERE = {"agent": "tradewind-agent", "platform": "tradewind-platform"}
"""Verbs another distribution brings, and which one: named even when it is not installed."""

_GROUP = "tradewind.commands"


class Verbs(click.Group):
    """Commands loaded when they are asked for: our own, and those of the entry point group `tradewind.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = {point.name for point in entry_points(group=_GROUP)}
        return sorted({*_OWN, *_ELSEWHERE, *found})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _OWN:
            module, _, name = _OWN[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        for point in entry_points(group=_GROUP):
            if point.name == cmd_name:
                return _loaded(point)
        if cmd_name in _ELSEWHERE:
            return _missing(cmd_name, _ELSEWHERE[cmd_name])
        return None


def _loaded(point: EntryPoint) -> click.Command:
    """The command behind an entry point; one that says what is wrong with it when it does not load.

    A broken installation of another package must not break `tradewind --help`.
    """
    try:
        command = point.load()
    except Exception as problem:
        return _explains(
            point.name, "(does not load)", f"`tradewind {point.name}` does not load: {problem!r}"
        )
    if not isinstance(command, click.Command):
        return _explains(point.name, "(does not load)", f"`tradewind {point.name}` is not a click command")
    return command


def _missing(name: str, distribution: str) -> click.Command:
    return _explains(
        name,
        f"(needs {distribution})",
        f"`tradewind {name}` is part of {distribution}, which is not installed in this environment",
        remedy=f"Install it here: pip install {distribution}",
    )


def _explains(name: str, short_help: str, sentence: str, *, remedy: str = "") -> click.Command:
    """A command that only says why it is none. It takes any arguments, so that the sentence is the only error."""

    @click.command(
        name,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
        short_help=short_help,
    )
    def explains() -> None:
        raise BadUsage(sentence, remedy=remedy)

    return explains


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--context", help="Use the plane of this context (see `tradewind contexts list`).")
@click.option("--plane-url", help="Use the plane at this address, with the token in TRADEWIND_API_TOKEN.")
@click.option(
    "--platform-url", help="Use the platform at this address, with the token in TRADEWIND_API_TOKEN."
)
@click.option("--deployment", help="Use the plane of this Deployment, through the platform.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table to read, or JSON for programs.",
)
@click.version_option(version("tradewind"), prog_name="tradewind")
@click.pass_context
def main(
    ctx: click.Context,
    context: str | None,
    plane_url: str | None,
    platform_url: str | None,
    deployment: str | None,
    output: str,
) -> None:
    """Operate a Tradewind orchestration plane: agents, tokens, queues and work.

    Exit codes: 0 done, 1 the plane refused, 2 the command line makes no sense, 3 no plane answered.
    """
    session = ctx.ensure_object(Session)
    session.context, session.plane_url, session.output = context, plane_url, Output(output)
    session.platform_url, session.deployment = platform_url, deployment
