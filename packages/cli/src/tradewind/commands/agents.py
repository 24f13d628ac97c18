"""`tradewind agents`: the agents of a plane, their states, and commands for them."""

from __future__ import annotations

import click

from tradewind.commands import attempts as attempt_commands
from tradewind.commands import find
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment, span
from tradewind_protocol import operator, states
from tradewind_protocol.messages import Message

_NOTE = 60  # characters of a note that a terminal of common width shows

_COLUMNS = (
    Column("NAME", lambda agent: agent.name),
    Column("SITE", lambda agent: agent.site),
    Column("STATE", lambda agent: agent.state.value),
    Column("LAST SEEN", lambda agent: "–" if agent.beat_age is None else f"{span(agent.beat_age)} ago"),
    Column("COMPONENTS", lambda agent: ",".join(kind.value for kind in agent.components)),
    Column("QUEUES", lambda agent: ",".join(agent.queues), wide=True),
    Column("SLOTS", lambda agent: f"{agent.slots_used}/{agent.slots}"),
    Column("VERSION", lambda agent: agent.version),
    Column("POLICY", lambda agent: agent.policy.value),
    Column("NOTE", lambda agent: agent.state_reason, wide=True),
)


@click.group()
def agents() -> None:
    """List, show, cordon, drain, resume, size and remove agents."""


@agents.command("list")
@click.option("--all", "everyone", is_flag=True, help="Include lost and offline agents.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in states.AgentState]),
    help="Only agents in this state.",
)
@page_options
@output_option
@pass_session
def list_(session: Session, everyone: bool, state: str | None, limit: int, offset: int) -> None:
    """List agents."""
    with session.connect() as client:
        page = client.agents(gone=everyone or None, state=state, limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="There is no agent.")
    long = any("\n" in one.state_reason or len(one.state_reason) > _NOTE for one in page.items)
    if long and not session.output.is_json:
        click.echo("`tradewind agents show NAME` has a note whole, with what to do.", err=True)


@agents.command()
@click.argument("agent")
@output_option
@pass_session
def show(session: Session, agent: str) -> None:
    """Show one agent, by name or ID, and its running attempts."""
    with session.connect() as client:
        view = client.agent(find.agent(client, agent).id)
    if session.output.is_json:
        session.output.data(view)
        return
    session.output.facts(_facts(view))
    if view.running:
        click.echo()
        session.output.rows(view.running, attempt_commands.COLUMNS, none="")


def _facts(view: operator.AgentView) -> list[tuple[str, str]]:
    facts = [
        ("Name", view.name),
        ("ID", str(view.id)),
        ("Site", view.site),
        ("State", view.state.value),
        ("Reason", view.state_reason),
        ("Last seen", "" if view.beat_age is None else f"{span(view.beat_age)} ago"),
        ("Session since", moment(view.opened_at)),
        ("Ended", "" if view.ended_at is None else moment(view.ended_at)),
        ("Components", ", ".join(kind.value for kind in view.components)),
        ("Slots", f"{view.slots_used} of {view.slots} used"),
        ("Triggers", f"up to {view.trigger_capacity}" if view.trigger_capacity else ""),
        ("Bundles", ", ".join(view.bundles)),
        ("Policy", view.policy.value),
        ("Version", view.version),
        ("Network", _network(view)),
        ("Host", " ".join(part for part in (view.host.hostname, view.host.platform) if part)),
        ("Token", view.token),
        ("Commands", f"{view.pending_commands} pending" if view.pending_commands else ""),
    ]
    for environment in view.environments:
        python = f"Python {environment.python}" if environment.python else ""
        airflow = f"Airflow {environment.airflow}" if environment.airflow else ""
        queues = "queues " + ", ".join(environment.queues)
        parts = (queues, f"{environment.used}/{environment.slots}", python, airflow, environment.problem)
        facts.append((f"Environment {environment.name}", "; ".join(part for part in parts if part)))
    facts += [(f"Finding {one.check}", f"{one.message} {one.remedy}".strip()) for one in view.findings]
    return facts


def _network(view: operator.AgentView) -> str:
    """The way that the agent comes."""
    way = f"private endpoint {view.endpoint}" if view.endpoint else "public"
    since = f", since {moment(view.way_since)}" if view.way_since is not None else ""
    return f"{way}, from {view.address}{since}" if view.address else ""


def _change(session: Session, agent: str, verb: str, ask: Message, *, done: str) -> None:
    with session.connect() as client:
        view = client.change_agent(find.agent(client, agent).id, verb, ask)
    if session.output.is_json:
        session.output.data(view)
    session.output.say(done.format(name=view.name))


@agents.command()
@click.argument("agent")
@reason_option
@output_option
@pass_session
def cordon(session: Session, agent: str, reason: str) -> None:
    """Give an agent no new work until it is resumed. Running work continues."""
    ask = operator.Reason(reason=reason)
    _change(session, agent, "cordon", ask, done="Agent {name!r} takes no new work until it is resumed.")


@agents.command()
@click.argument("agent")
@reason_option
@output_option
@pass_session
def drain(session: Session, agent: str, reason: str) -> None:
    """Let an agent finish its running work and exit."""
    ask = operator.Reason(reason=reason)
    _change(session, agent, "drain", ask, done="Agent {name!r} finishes what runs and then leaves.")


@agents.command()
@click.argument("agent")
@reason_option
@output_option
@pass_session
def resume(session: Session, agent: str, reason: str) -> None:
    """Give a cordoned agent new work again."""
    ask = operator.Reason(reason=reason)
    _change(session, agent, "resume", ask, done="Agent {name!r} takes work again.")


@agents.command("set-slots")
@click.argument("agent")
@click.argument("slots", type=click.IntRange(0, 10_000))
@click.option("--environment", default="default", show_default=True, help="The task environment.")
@reason_option
@output_option
@pass_session
def set_slots(session: Session, agent: str, slots: int, environment: str, reason: str) -> None:
    """Set the slots of a task environment until the agent restarts."""
    ask = operator.SetSlots(environment=environment, slots=slots, reason=reason)
    done = f"Environment {environment!r} of agent {{name!r}} is asked to have {slots} slots."
    _change(session, agent, "slots", ask, done=done)


@agents.command()
@click.argument("agent")
@reason_option
@output_option
@pass_session
def remove(session: Session, agent: str, reason: str) -> None:
    """Remove a lost or offline agent from the plane."""
    with session.connect() as client:
        view = find.agent(client, agent)
        client.remove_agent(view.id, reason=reason)
    if session.output.is_json:
        session.output.data(view)
    session.output.say(f"Agent {view.name!r} is removed from the list.")
