"""What can go wrong, and the exit code it ends with.

    CommandError
      Refused       1  the plane said no (carries its code, sentence and remedy)
      NotSignedIn   1  the plane does not accept the password or the token
      BadUsage      2  the command line or a file it names makes no sense
      Unreachable   3  no plane answered at that address

Scripts may rely on the exit codes.
"""

from __future__ import annotations

from typing import IO, Any

import click

from tradewind_protocol import errors


class CommandError(click.ClickException):
    """The base: a sentence, perhaps a remedy, and an exit code."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.message}", err=True, file=file)
        if self.remedy:
            click.echo(f"       {self.remedy}", err=True, file=file)


class Refused(CommandError):
    """The plane answered with a refusal."""

    exit_code = 1

    def __init__(self, refusal: errors.Refusal) -> None:
        super().__init__(f"{refusal.message} ({refusal.error.value})", remedy=refusal.remedy)
        self.refusal = refusal

    @property
    def code(self) -> errors.Code:
        return self.refusal.error


class NotSignedIn(CommandError):
    """The plane accepts neither the password nor the token it was given."""

    exit_code = 1


class BadUsage(CommandError):
    """The command line, an environment variable or a file makes no sense."""

    exit_code = 2


class Unreachable(CommandError):
    """No plane answered."""

    exit_code = 3
