"""The tables of Dags: which agent leads a bundle, what is held of each file, which callbacks were granted."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, Index, Integer, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_protocol import sites
from tradewind_provider.store.base import Base, Prose, UtcDateTime


class DagBundle(Base):
    """A bundle that a site has claimed and owns. Airflow's own row of it (`dag_bundle`) is what schedulers and the UI read."""

    __tablename__ = "tradewind_dag_bundle"
    __table_args__ = (Index("ix_tradewind_dag_bundle_session", "session_id"),)

    name: Mapped[str] = mapped_column(String(250), primary_key=True)
    site: Mapped[str] = mapped_column(String(250), default=sites.DEFAULT, server_default=sites.DEFAULT)
    token_id: Mapped[UUID] = mapped_column(Uuid)  # the agent token of the last claim
    agent_id: Mapped[UUID] = mapped_column(Uuid)  # that led it last
    agent_name: Mapped[str] = mapped_column(String(250))
    # of the agent that leads it; None: the next agent to claim it will
    session_id: Mapped[UUID | None] = mapped_column(Uuid)
    instance: Mapped[UUID | None] = mapped_column(Uuid)  # the dag processor process
    key_print: Mapped[str | None] = mapped_column(String(64))  # of the key the speaker keeps text under
    mark: Mapped[str] = mapped_column(String(32))  # of what is held: another with every write
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DagFile(Base):
    """What was last stored of one file of a bundle."""

    __tablename__ = "tradewind_dag_file"

    bundle: Mapped[str] = mapped_column(String(250), primary_key=True)
    path: Mapped[str] = mapped_column(String(1000), primary_key=True)
    content: Mapped[str] = mapped_column(String(64))  # hash; empty: to be sent again
    version: Mapped[str | None] = mapped_column(String(200))  # of the bundle
    dag_ids: Mapped[list[str]] = mapped_column(JSON)  # Dags stored from it
    blocked: Mapped[list[str]] = mapped_column(JSON)  # Dags not stored, because the id is another file's
    error_paths: Mapped[list[str]] = mapped_column(JSON)  # file names its import errors are filed under
    live: Mapped[int] = mapped_column(Integer)  # how many of its Dags were not stale once it was stored
    stored_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DagCallbackGrant(Base):
    """A callback handed to one dag processor, until that one says it is done."""

    __tablename__ = "tradewind_dag_callback"
    __table_args__ = (Index("ix_tradewind_dag_callback_session", "session_id"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)  # of Airflow's callback row
    bundle: Mapped[str] = mapped_column(String(250))
    session_id: Mapped[UUID] = mapped_column(Uuid)
    instance: Mapped[UUID] = mapped_column(Uuid)
    label: Mapped[str] = mapped_column(Prose, default="")  # for people
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
