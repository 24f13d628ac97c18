"""Options that several commands of the agent take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

SECRET_FILE: Final = click.Path(path_type=Path, readable=False)  # root of a container may not read it yet

config_option: Final = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file (TOML).",
    envvar="TRADEWIND_AGENT_CONFIG",
)
state_dir_option: Final = click.option(
    "--state-dir", type=click.Path(file_okay=False, path_type=Path), help="Directory of the agent's state."
)
plane_url_option: Final = click.option("--plane-url", help="Address of the orchestration plane.")
token_file_option: Final = click.option(
    "--token-file", type=SECRET_FILE, help="File that holds the agent token."
)
name_option: Final = click.option("--name", help="The agent's name. Default: the host name.")
components_option: Final = click.option(
    "--components", help="Any of worker,dag_processor,triggerer. Default: all three."
)
interpreter_option: Final = click.option(
    "--interpreter", type=click.Path(path_type=Path), help="Python of the task environment."
)
policy_option: Final = click.option(
    "--policy", type=click.Choice(["strict", "open"]), help="The data boundary. Default: strict."
)


def settings_options(command: Command) -> Command:
    """The options that name an agent's settings, for a command that loads them: `run` and `doctor`."""
    for option in reversed(
        (
            config_option,
            plane_url_option,
            token_file_option,
            name_option,
            state_dir_option,
            components_option,
            interpreter_option,
            policy_option,
        )
    ):
        command = option(command)
    return command
