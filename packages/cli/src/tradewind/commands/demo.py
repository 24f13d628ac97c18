"""`tradewind demo`."""

import click


@click.command()
def demo() -> None:
    """A plane, an agent and example Dags on this machine."""
