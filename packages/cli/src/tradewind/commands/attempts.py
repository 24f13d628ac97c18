"""`tradewind attempts`: attempts to run work."""

from __future__ import annotations

from uuid import UUID

import click

from tradewind.commands import find
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment, span
from tradewind_protocol import operator, states

COLUMNS = (
    Column("ID", lambda attempt: str(attempt.id)),
    Column("STATE", lambda attempt: attempt.state.value),
    Column("PROCESS", lambda attempt: _process(attempt)),
    Column("TASK STATE", lambda attempt: attempt.task_state or "–"),
    Column("ATTEMPT", lambda attempt: attempt.label or attempt.kind.value),
    Column("SITE", lambda attempt: attempt.site or "–"),
    Column("QUEUE", lambda attempt: attempt.queue),
    Column("AGENT", lambda attempt: attempt.agent_name or "–"),
    Column("QUEUED", lambda attempt: moment(attempt.created_at)),
    Column("WAITED", lambda attempt: span(attempt.waited)),
    Column("NOTE", lambda attempt: attempt.reason or attempt.waits_for, wide=True),
)


def _process(attempt: operator.AttemptView) -> str:
    """How its process ended, with the exit code when that is not 0 or the signal: "exited 1", "killed SIGKILL"."""
    if attempt.process is None:
        return "–"
    detail = attempt.signal or (str(attempt.exit_code) if attempt.exit_code else "")
    return f"{attempt.process.value} {detail}".rstrip()


@click.group()
def attempts() -> None:
    """List and stop attempts to run work."""


@attempts.command("list")
@click.option(
    "--state",
    "wanted",
    multiple=True,
    type=click.Choice([state.value for state in states.AttemptState]),
    help="Only attempts in this state; may be given more than once. Default: all that have not finished.",
)
@click.option("--all", "everything", is_flag=True, help="Include finished attempts.")
@click.option("--site", help="Only of this site.")
@click.option("--queue", help="Only of this queue.")
@click.option("--agent", help="Only on this agent, by name or ID.")
@click.option("--dag", "dag_id", help="Only of this Dag.")
@click.option("--run", "run_id", help="Only of this run.")
@page_options
@output_option
@pass_session
def list_(
    session: Session,
    wanted: tuple[str, ...],
    everything: bool,
    site: str | None,
    queue: str | None,
    agent: str | None,
    dag_id: str | None,
    run_id: str | None,
    limit: int,
    offset: int,
) -> None:
    """List attempts, the newest first."""
    if not wanted and not everything:
        wanted = ("queued", "offered", "running")
    with session.connect() as client:
        page = client.attempts(
            state=wanted,
            site=site,
            queue=queue,
            agent_id=str(find.agent(client, agent).id) if agent else None,
            dag_id=dag_id,
            run_id=run_id,
            limit=limit,
            offset=offset,
        )
    session.output.page(page, COLUMNS, none="No attempt matches.")


@attempts.command()
@click.argument("attempt", type=click.UUID)
@reason_option
@output_option
@pass_session
def stop(session: Session, attempt: UUID, reason: str) -> None:
    """Stop one attempt. Airflow's retries decide what happens next."""
    with session.connect() as client:
        view = client.stop_attempt(attempt, reason=reason)
    if session.output.is_json:
        session.output.data(view)
    session.output.say(f"Attempt {view.label or view.id} is being stopped.")
