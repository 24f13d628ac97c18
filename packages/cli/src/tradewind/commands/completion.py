"""`tradewind completion`: the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell: `eval "$(tradewind completion bash)"`."""
    kind = get_completion_class(shell)
    assert kind is not None
    # `source_vars` alone, not `source()`: bash's version check would start a shell just to print a script
    script = kind(context.find_root().command, {}, "tradewind", "_TRADEWIND_COMPLETE")
    click.echo(script.source_template % script.source_vars())
