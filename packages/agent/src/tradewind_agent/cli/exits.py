"""How a command meets an error of the agent, and as which user it reads the agent's files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tradewind_agent.errors import AgentError


@contextmanager
def with_its_code(command: str = "tradewind-agent") -> Iterator[None]:
    """An AgentError inside is printed, and ends the command with its own exit code."""
    try:
        yield
    except AgentError as error:
        click.echo(f"{command}: {error}", err=True)
        sys.exit(error.exit_code)


def as_the_agent(config: Path | None) -> None:
    """Read and write the agent's files as the user that it becomes, where root calls: `kubectl exec` and `docker exec` do."""
    from tradewind_agent import settings
    from tradewind_agent.state import agent_user

    with with_its_code():
        if os.geteuid() == 0 and (user := settings.setting_of("user", config)):
            agent_user.switch(agent_user.named(user))
