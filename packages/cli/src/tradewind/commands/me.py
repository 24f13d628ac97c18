"""`tradewind me`: the signed-in user of a plane."""

from __future__ import annotations

import click

from tradewind.commands.options import output_option
from tradewind.commands.session import Session, pass_session


@click.command()
@output_option
@pass_session
def me(session: Session) -> None:
    """Show the signed-in user of the plane, and what the user may do."""
    with session.connect() as client:
        found = client.me()
    if session.output.is_json:
        session.output.data(found)
        return
    session.output.facts(
        [
            ("Name", found.name),
            ("May", ", ".join(found.may) or "nothing"),
            ("From", found.address or "an unknown address"),
            ("Deployment", found.deployment),
            ("Version", found.version),
        ]
    )
