"""The tables: agent tokens, settings, site access, sessions, attempts, commands, audit events.

Other modules of `store` add tables to the same MetaData (`store.base.Base`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, Integer, String, Text, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_protocol import sites
from tradewind_protocol.ids import TokenKind
from tradewind_provider.store.base import Base, Prose, UtcDateTime

_BIG_ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only


class AgentToken(Base):
    """A credential that buys sessions. Deleted ones stay, so that their holder is told so."""

    __tablename__ = "tradewind_agent_token"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(String(250))
    site: Mapped[str] = mapped_column(String(250), default=sites.DEFAULT, server_default=sites.DEFAULT)
    kind: Mapped[str] = mapped_column(
        String(20), default=TokenKind.AGENT.value, server_default=TokenKind.AGENT.value
    )
    description: Mapped[str] = mapped_column(Prose, default="")
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256, hexadecimal
    shown: Mapped[str] = mapped_column(String(40))  # prefix and four characters, for people
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(250))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: never
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_by: Mapped[str | None] = mapped_column(String(250))


class FormerTokenValue(Base):
    """A value an agent token had before it was rotated; good until `good_until`, and remembered longer, so that its
    holder is told what became of it."""

    __tablename__ = "tradewind_former_token_value"
    __table_args__ = (Index("ix_tradewind_former_token_value_token_id", "token_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[UUID] = mapped_column(Uuid)
    shown: Mapped[str] = mapped_column(String(40))
    replaced_at: Mapped[datetime] = mapped_column(UtcDateTime)
    replaced_by: Mapped[str] = mapped_column(String(250))
    good_until: Mapped[datetime] = mapped_column(UtcDateTime)


class Setting(Base):
    """What people set while the plane runs, and what it once made up for itself."""

    __tablename__ = "tradewind_setting"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(String(250))


class SiteAccessGrant(Base):
    """Agents of one site may do something with Dags of another. An administrator made it."""

    __tablename__ = "tradewind_site_access"
    __table_args__ = (UniqueConstraint("site", "other", "access"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    site: Mapped[str] = mapped_column(String(250))
    other: Mapped[str] = mapped_column(String(250))  # "*": every site, and the plane
    access: Mapped[str] = mapped_column(String(20))  # operator.SiteAccess
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(250))


class AgentSession(Base):
    """One life of one agent, from opening to end. Of an agent_id at most one has no `ended_at`."""

    __tablename__ = "tradewind_session"
    __table_args__ = (
        Index("ix_tradewind_session_agent_id", "agent_id"),
        # two openings at the same moment: one of them waits for the other, or is refused and asks again
        Index(
            "uq_tradewind_session_live",
            "agent_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_tradewind_session_ended_at", "ended_at"),
        Index("ix_tradewind_session_previous_hash", "previous_hash"),
        Index("ix_tradewind_session_token_id", "token_id"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    agent_id: Mapped[UUID] = mapped_column(Uuid)
    instance: Mapped[UUID] = mapped_column(Uuid)
    agent_key_hash: Mapped[str | None] = mapped_column(String(64))  # of the key its agent_id is bound to
    name: Mapped[str] = mapped_column(String(250))
    token_id: Mapped[UUID] = mapped_column(Uuid)  # the agent token that bought it
    site: Mapped[str] = mapped_column(String(250), default=sites.DEFAULT, server_default=sites.DEFAULT)
    bought_with: Mapped[str | None] = mapped_column(String(64))  # hash of the value of it that did
    # agents that are scaled together; empty: of none
    worker_group: Mapped[str] = mapped_column(String(250), default="", server_default="")
    address: Mapped[str | None] = mapped_column(String(64))  # from where it was last heard
    endpoint: Mapped[str | None] = mapped_column(
        String(100)
    )  # by which private endpoint; None: the public way
    way_since: Mapped[datetime | None] = mapped_column(UtcDateTime)  # by that way and from that address
    components: Mapped[list[str]] = mapped_column(JSON)
    environments: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # sessions.TaskEnvironment
    bundles: Mapped[list[str]] = mapped_column(JSON)
    trigger_capacity: Mapped[int] = mapped_column(Integer, default=0)
    policy: Mapped[str] = mapped_column(String(20))  # sessions.Policy, the stricter of both sides
    version: Mapped[str] = mapped_column(String(50), default="")
    host: Mapped[dict[str, Any]] = mapped_column(JSON)  # sessions.Host
    # the session token, and the one before it, whose renewal the agent may not have heard of
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    token_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    previous_hash: Mapped[str | None] = mapped_column(String(64))
    previous_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # how it is
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_beat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: no poll yet
    room: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # polling.Room, as last reported
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # polling.Finding
    cordoned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cordoned_by: Mapped[str | None] = mapped_column(String(250))
    cordoned_reason: Mapped[str | None] = mapped_column(Prose)
    draining_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    draining_by: Mapped[str | None] = mapped_column(String(250))
    draining_reason: Mapped[str | None] = mapped_column(Prose)
    lost_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # given up, though some work waits for it yet
    noted_state: Mapped[str | None] = mapped_column(String(20))  # the last one an event was written for
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_how: Mapped[str | None] = mapped_column(String(20))  # domain.agents.End
    ended_reason: Mapped[str | None] = mapped_column(Prose)  # for a person


class SentinelRow(Base):
    """A sentinel of a site, and what it reported last."""

    __tablename__ = "tradewind_sentinel"
    __table_args__ = (UniqueConstraint("site", "name"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    site: Mapped[str] = mapped_column(String(250))
    name: Mapped[str] = mapped_column(String(250))
    token_id: Mapped[UUID] = mapped_column(Uuid)  # the token it came with last
    address: Mapped[str | None] = mapped_column(String(64))
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lost_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # an event said so
    report: Mapped[dict[str, Any]] = mapped_column(JSON)  # sentinel.SentinelReport


class Attempt(Base):
    """One workload Airflow's scheduler queued: its row is the queue, the lease and the report in one."""

    __tablename__ = "tradewind_attempt"
    __table_args__ = (
        # what may be claimed, in the order it is claimed
        Index("ix_tradewind_attempt_claim", "state", "site", "queue", text("priority DESC"), "created_at"),
        Index("ix_tradewind_attempt_session", "session_id", "state"),
        Index("ix_tradewind_attempt_subject", "subject_id"),
        Index("ix_tradewind_attempt_report", "scheduler_job_id", "state", "reported_at"),
        Index("ix_tradewind_attempt_ended", "ended_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))  # attempts.WorkKind
    subject_id: Mapped[UUID] = mapped_column(Uuid)  # of the task instance, callback or connection test
    executor: Mapped[str | None] = mapped_column(String(250))  # alias or path it was queued under
    # the task instance's key; empty for the other kinds
    dag_id: Mapped[str | None] = mapped_column(String(250))
    run_id: Mapped[str | None] = mapped_column(String(250))
    task_id: Mapped[str | None] = mapped_column(String(250))
    map_index: Mapped[int] = mapped_column(Integer, default=-1)
    try_number: Mapped[int] = mapped_column(Integer, default=0)
    label: Mapped[str] = mapped_column(Prose, default="")  # for people
    # where it may go: to agents of this site that have this bundle and serve this queue
    site: Mapped[str | None] = mapped_column(String(250))  # None: no site has the bundle
    bundle: Mapped[str | None] = mapped_column(String(250))  # None: it needs none
    queue: Mapped[str] = mapped_column(String(250))
    priority: Mapped[int] = mapped_column(Integer, default=1)
    payload: Mapped[str] = mapped_column(Text)  # workload JSON without token, encrypted; empty once it ended
    state: Mapped[str] = mapped_column(String(20))  # states.AttemptState
    epoch: Mapped[int] = mapped_column(Integer, default=0)  # grows by one with every offer
    session_id: Mapped[UUID | None] = mapped_column(Uuid)  # who holds it, or held it last
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    offered_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    granted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    missing_since: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # granted, but its agent does not name it
    avoid_session_id: Mapped[UUID | None] = mapped_column(Uuid)  # handed it back last
    handed_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(20))  # states.OutcomeKind
    exit_code: Mapped[int | None] = mapped_column(Integer)
    signal: Mapped[str | None] = mapped_column(String(20))
    task_state: Mapped[str | None] = mapped_column(String(20))  # in which its process left the task
    reason: Mapped[str] = mapped_column(Prose, default="")  # for a person
    scheduler_job_id: Mapped[int | None] = mapped_column(Integer)  # whose executor reports it
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the scheduler has been told
    # W3C Trace Context of Airflow's span above it; empty when it is not traced
    traceparent: Mapped[str] = mapped_column(String(60), default="", server_default="")


class CanaryRow(Base):
    """The canary of a queue: when the next one is due, which one is under way, and how the last one went."""

    __tablename__ = "tradewind_canary"

    site: Mapped[str] = mapped_column(String(250), primary_key=True)
    queue: Mapped[str] = mapped_column(String(250), primary_key=True)
    served_at: Mapped[datetime] = mapped_column(
        UtcDateTime
    )  # when an agent was last seen that serves the queue
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempt_id: Mapped[UUID | None] = mapped_column(Uuid)  # of the one under way
    # When the last one was queued; `judged_at` is shown instead. It is kept for an audit of the database.
    began_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    judged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: none has ended yet
    result: Mapped[str] = mapped_column(String(20), default="")  # operator.CanaryResult
    hop: Mapped[str | None] = mapped_column(String(20))  # attempts.CanaryHop that failed
    rule: Mapped[str] = mapped_column(String(200), default="")  # of the site's owner, that refused it
    reason: Mapped[str] = mapped_column(Prose, default="")
    remedy: Mapped[str] = mapped_column(Prose, default="")
    agent: Mapped[str] = mapped_column(String(250), default="")
    seconds: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # attempts.CanaryHop → seconds
    ok_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when one went all the way
    failures: Mapped[int] = mapped_column(Integer, default=0)  # since then


class AgentCommand(Base):
    """Something asked of an agent; sent with every answer until the agent names it as carried out."""

    __tablename__ = "tradewind_command"
    __table_args__ = (Index("ix_tradewind_command_session_id", "session_id", "carried_out_at"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(Uuid)
    verb: Mapped[str] = mapped_column(String(30))  # polling.Verb
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(Prose, default="")
    asked_by: Mapped[str] = mapped_column(String(250), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    carried_out_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RefusedTry(Base):
    """Tries of agents that came the same way and were refused for the same reason. Nothing of their credentials."""

    __tablename__ = "tradewind_refused_try"

    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    endpoint: Mapped[str] = mapped_column(String(100), primary_key=True)  # empty: the public way
    code: Mapped[str] = mapped_column(String(40), primary_key=True)  # errors.Code
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(Integer)
    message: Mapped[str] = mapped_column(String(500))
    path: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(20))  # of the agent's protocol; empty: not said


class Event(Base):
    """Who did what, when and why. Never changed."""

    __tablename__ = "tradewind_event"
    __table_args__ = (Index("ix_tradewind_event_at", "at"),)

    id: Mapped[int] = mapped_column(_BIG_ID, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(100))  # stable key: "token_created"
    actor: Mapped[str] = mapped_column(String(250))  # a person, "agent:<name>", or "plane"
    subject: Mapped[str] = mapped_column(String(250))  # "agent:eu-1", "token:ci"
    address: Mapped[str] = mapped_column(String(64), default="", server_default="")  # from where it was asked
    reason: Mapped[str] = mapped_column(Prose, default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
