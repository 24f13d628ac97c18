"""What is asked of the platform in the life of a Deployment: hibernation, versions, backups, configuration."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from tradewind_protocol.messages import Message
from tradewind_protocol.platform import Ask

# ---- hibernation


class SleepScheduleView(Ask):
    """A Deployment sleeps from each moment of one cron expression, in UTC, to the next one of the other."""

    hibernate_at_cron: Annotated[str, StringConstraints(min_length=9, max_length=100)]
    wake_at_cron: Annotated[str, StringConstraints(min_length=9, max_length=100)]
    is_enabled: bool = True


class ChangeHibernation(Ask):
    """The schedules that shall be there from now on."""

    schedules: Annotated[tuple[SleepScheduleView, ...], Field(max_length=20)]


class Hibernate(Ask):
    """Ask a Deployment to sleep, when its tasks have ended."""

    until: datetime | None = None  # None: until it is woken up
    deadline_seconds: int | None = Field(default=None, ge=0, le=7 * 86400)
    """So long it waits for tasks that run; they go on at their sites then. None: as long as it takes."""


class WakeUp(Ask):
    """Ask a Deployment to go on."""

    until: datetime | None = None  # its schedules are not followed before; None: until their next moment


class HibernationView(Message):
    """When a Deployment sleeps."""

    schedules: tuple[SleepScheduleView, ...] = ()
    override_sleeps: bool | None = None  # stronger than the schedules, until it ends
    override_until: datetime | None = None
    next_event: str = ""  # hibernate or wake; empty: none
    next_event_at: datetime | None = None
    revision: int = 0


# ---- versions and backups


Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){2}$")]
"""Of Airflow: "3.3.2"."""


class ReleaseView(Message):
    """A version of Airflow that a Deployment may have."""

    version: str
    channel: str  # stable or candidate
    clusters: tuple[str, ...] = ()  # names of those that can run it


class Upgrade(Ask):
    """Ask for another version of a Deployment."""

    version: Version
    dry_run: bool = False  # look what it would meet, and change nothing


class NewBackup(Ask):
    """Ask for a backup of the database of a Deployment."""

    keep_days: int = Field(default=30, ge=1, le=3650)


class RestoreBackup(Ask):
    """Ask for the database as it was when a backup was made."""

    accept_loss: bool = False  # runs that began since are forgotten


class BackupView(Message):
    """A backup of the database of a Deployment. Its platform encrypts it with a key of its own."""

    id: UUID
    deployment: UUID
    operation: UUID | None = None  # that has made it
    state: str  # pending, succeeded or failed
    version: str = ""  # of Airflow
    size: int = 0  # bytes
    heads: dict[str, str] = {}  # the revision of each chain of migrations, by its table
    created_at: datetime
    created_by: str = ""
    keep_until: datetime | None = None


# ---- configuration and environment variables


OptionName = Annotated[str, StringConstraints(max_length=200, pattern=r"^[a-z0-9_]{1,60}\.[a-z0-9_]{1,120}$")]
"""An option of Airflow: "core.parallelism"."""
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Value = Annotated[str, StringConstraints(max_length=32768, pattern=r"^[^\x00]*$")]


class SetOption(Ask):
    """The value of an option in a layer."""

    value: Value
    locked: bool = False  # the layers inside may not say otherwise


class OptionView(Message):
    """An option that counts for a scope, and the layer that it is from."""

    option: str
    value: str = ""  # empty also for a caller who may not read values
    origin: str  # cluster, workspace or deployment
    locked: bool = False
    updated_at: datetime
    updated_by: str = ""
    applied: bool = True  # whether the processes of the Deployment have it


class SetVariable(Ask):
    """The value of an environment variable in a layer."""

    value: Value = Field(repr=False)
    is_secret: bool = False  # it is never returned
    locked: bool = False


class NamedVariable(SetVariable):
    """A variable among several."""

    name: VariableName


class SetVariables(Ask):
    """Set these variables, and keep the others."""

    variables: Annotated[tuple[NamedVariable, ...], Field(min_length=1, max_length=500)]


class VariableView(Message):
    """An environment variable that counts for a scope, and the layer that it is from."""

    name: str
    value: str = ""  # empty for a secret one, and for a caller who may not read values
    is_secret: bool = False
    origin: str
    locked: bool = False
    updated_at: datetime
    updated_by: str = ""
    applied: bool = True
