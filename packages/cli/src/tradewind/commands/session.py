"""What every command is given: which plane, as whom, and how to print. Settled once, from flags, environment and file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx

from tradewind.client import browser_sign_in, contexts
from tradewind.client.operator_client import OperatorClient
from tradewind.client.platform_client import PlatformClient
from tradewind.errors import BadUsage
from tradewind.output import Output

NO_TERMINAL = (
    "Set TRADEWIND_API_TOKEN (or TRADEWIND_API_TOKEN_FILE) to a token from POST /auth/token, or give the password to "
    "`tradewind contexts add NAME URL --username NAME --password-stdin`."
)


@dataclass
class Session:
    """The options of the whole command line, and the plane they lead to."""

    context: str | None = None
    plane_url: str | None = None
    platform_url: str | None = None
    deployment: str | None = None
    output: Output = field(default_factory=lambda: Output("table"))
    transport: httpx.BaseTransport | None = None  # tests put their plane here

    def browser(self) -> Callable[[str], bool] | None:
        """What opens an address in a browser on this machine; None where there is none."""
        return browser_sign_in.opener(os.environ)

    @property
    def contexts_path(self) -> Path:
        return contexts.default_path(os.environ)

    def means_a_platform(self) -> bool:
        """Whether a platform is named, by a flag, the environment or the context, and no plane."""
        if self.plane_url is not None:
            return False
        if self.platform_url is not None:
            return True
        if not self.context and os.environ.get("TRADEWIND_PLANE_URL"):
            return False
        if not self.context and os.environ.get("TRADEWIND_PLATFORM_URL"):
            return True
        known = contexts.load(self.contexts_path)
        name = self.context or known.current
        return name is not None and known.get(name).kind == "platform"

    def platform(self) -> PlatformClient:
        """A client of the platform that is meant: a flag wins over the environment, that over the current context.

        Raises BadUsage when none is named anywhere.
        """
        url = self.platform_url or (None if self.context else os.environ.get("TRADEWIND_PLATFORM_URL"))
        token = _token_of(os.environ.get("TRADEWIND_API_TOKEN"), os.environ.get("TRADEWIND_API_TOKEN_FILE"))
        ca_file = os.environ.get("TRADEWIND_CA_FILE")
        if url is None:
            known = contexts.load(self.contexts_path)
            name = self.context or known.current
            chosen = None if name is None else known.get(name)
            if chosen is None or chosen.kind != "platform":
                raise BadUsage(
                    "no platform is named"
                    + (f": the context {name!r} is a plane" if chosen is not None else ""),
                    remedy="Sign in to one: `tradewind login URL`. Or use --platform-url, or set TRADEWIND_PLATFORM_URL.",
                )
            url, token, ca_file = chosen.url, token or chosen.token, chosen.ca_file
        return PlatformClient(url, token=token, ca_file=ca_file, transport=self.transport)

    def connect(self) -> OperatorClient:
        """A client of the plane that is meant: with --deployment, through the platform. Raises BadUsage when none is named.

        The platform's API token opens the plane then, in the role that it has there.
        """
        if self.deployment is None:
            return self._connect_to_a_plane()
        if self.plane_url is not None:
            raise BadUsage("--deployment names a plane of a platform, and --plane-url another one")
        with self.platform() as client:
            return OperatorClient(
                client.address_of(self.deployment),
                token=client.token,
                ca_file=client.ca_file,
                transport=self.transport,
            )

    def _connect_to_a_plane(self) -> OperatorClient:
        """A client of the plane that is meant. Raises BadUsage when none is named anywhere.

        A flag wins over the environment, the environment over the current context. A plane named by its address
        uses the token of the environment only: a context's token is never sent to another address.
        """
        env = os.environ
        url = self.plane_url or (None if self.context else env.get("TRADEWIND_PLANE_URL"))
        if url is not None:
            chosen = contexts.Context(
                url=url, username=env.get("TRADEWIND_USERNAME"), ca_file=env.get("TRADEWIND_CA_FILE")
            )
            name = None
        else:
            known = contexts.load(self.contexts_path)
            name = self.context or known.current
            if name is None:
                raise BadUsage(
                    "no plane is named",
                    remedy="Use --plane-url, set TRADEWIND_PLANE_URL, or add one: `tradewind contexts add NAME URL`.",
                )
            chosen = known.get(name)
            if chosen.kind != "plane":
                raise BadUsage(
                    f"the context {name!r} is a platform, which has many planes",
                    remedy="Name one of them: `tradewind --deployment NAME …`.",
                )
        client = OperatorClient(
            chosen.url,
            token=_token_of(env.get("TRADEWIND_API_TOKEN"), env.get("TRADEWIND_API_TOKEN_FILE"))
            or chosen.token,
            ca_file=chosen.ca_file,
            transport=self.transport,
            sign_in_again=lambda client: self._sign_in(client, chosen, name),
        )
        return client

    def _sign_in(self, client: OperatorClient, chosen: contexts.Context, name: str | None) -> str:
        token = ask_to_sign_in(client, chosen.username)
        if name is not None:
            known = contexts.load(self.contexts_path)
            fresh = chosen.model_copy(update={"token": token})
            contexts.save(self.contexts_path, known.adding(name, fresh))
        return token


def ask_to_sign_in(client: OperatorClient, username: str | None) -> str:
    """Ask the person at the terminal for a password and turn it into an API token.

    Raises BadUsage when there is no terminal to ask at.
    """
    if not at_a_terminal():
        why = "does not accept the API token (any more)" if client.token else "asks for a sign-in"
        raise BadUsage(
            f"{client.plane} {why}, and there is no terminal to ask for a password at",
            remedy=NO_TERMINAL,
        )
    username = username or click.prompt("User name", err=True)
    password = click.prompt(f"Password of {username} at {client.plane}", hide_input=True, err=True)
    return client.sign_in(username, password)


def at_a_terminal() -> bool:
    """Whether a terminal is there to ask for a password."""
    return sys.stdin.isatty()


def _token_of(value: str | None, file: str | None) -> str | None:
    if value:
        return value.strip()
    if file:
        try:
            return Path(file).read_text().strip()
        except OSError as problem:
            raise BadUsage(
                f"TRADEWIND_API_TOKEN_FILE: {file} cannot be read: {problem.strerror}"
            ) from problem
    return None


pass_session = click.make_pass_decorator(Session)
