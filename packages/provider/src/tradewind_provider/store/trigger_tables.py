"""What the plane remembers of triggerer hosts: up to which report it has applied what each of them sent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_provider.store.base import Base, UtcDateTime


class TriggerSource(Base):
    """One life of one triggerer host. Written in the transaction that applies a report, so that each is applied once."""

    __tablename__ = "tradewind_trigger_source"
    __table_args__ = (Index("ix_tradewind_trigger_source_updated_at", "updated_at"),)

    source: Mapped[UUID] = mapped_column(Uuid, primary_key=True)  # triggers.Sync.source
    agent_id: Mapped[UUID] = mapped_column(Uuid)  # whose triggerer it is; no other agent may use its numbers
    applied_through: Mapped[int] = mapped_column(BigInteger)  # triggers.Report.seq
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
