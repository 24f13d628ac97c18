"""What is asked of the platform in the life of a Deployment: hibernation, versions, backups, maintenance, configuration."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from tradewind_protocol.messages import Message
from tradewind_protocol.platform import Ask, NamedVariable, Value
from tradewind_protocol.platform import SetVariable as SetVariable

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
    now: bool = False  # also outside its maintenance windows


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


# ---- maintenance


Cron = Annotated[str, StringConstraints(min_length=9, max_length=100)]


class MaintenanceWindow(Ask):
    """Opens at each moment of a cron expression, in UTC, for some minutes."""

    opens_at_cron: Cron
    minutes: int = Field(ge=1, le=7 * 24 * 60)


class RecurringWork(Ask):
    """An operation that begins at each moment of a cron expression, in UTC."""

    cron: Cron
    keep_days: int = Field(ge=1, le=3650)  # so long the rows, or the backups, are kept
    is_enabled: bool = True


class ChangeMaintenance(Ask):
    """What shall be from now on. Fields that are left out stay as they are; recurring work that is null is turned off."""

    windows: Annotated[tuple[MaintenanceWindow, ...], Field(max_length=20)] = ()
    clean_up: RecurringWork | None = None
    backups: RecurringWork | None = None
    follows: Annotated[str, StringConstraints(max_length=9)] | None = None
    """A minor of Airflow, "3.3": its newest stable release is upgraded to while a window is open. Null: no upgrade begins by itself."""


class CleanUp(Ask):
    """Ask for old rows to be deleted from the database of a Deployment."""

    keep_days: int = Field(default=90, ge=1, le=3650)
    now: bool = False  # also outside its maintenance windows


class LastWork(Message):
    """The last operation of its kind, however it was begun."""

    operation: UUID
    state: str
    error: str = ""
    created_at: datetime
    ended_at: datetime | None = None
    rows: int | None = None  # that a clean-up has deleted
    rows_by_table: dict[str, int] = {}
    skipped: dict[str, str] = {}  # tables that a clean-up leaves alone, and why
    left_out: tuple[str, ...] = ()  # Dags whose old runs have not ended: a clean-up deletes nothing of them


class RecurringWorkView(Message):
    """Work that recurs, and what came of it."""

    cron: str = ""
    keep_days: int = 0
    is_enabled: bool = False
    next_at: datetime | None = None
    last: LastWork | None = None


class MaintenanceView(Message):
    """When the platform works on a Deployment by itself."""

    windows: tuple[MaintenanceWindow, ...] = ()
    is_open: bool = True  # whether an upgrade or a clean-up may begin now; always without windows
    opens_at: datetime | None = None
    clean_up: RecurringWorkView
    backups: RecurringWorkView
    follows: str = ""  # the minor of Airflow whose newest release it is upgraded to by itself
    followed: str = ""  # the version that was begun so last; one that failed is not begun again by itself
    revision: int = 0


# ---- configuration and environment variables


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


# ---- logs of components


class ComponentLogView(Message):
    """The last lines that a component of a Deployment has written."""

    component: str  # api-server, scheduler or migrate
    lines: tuple[str, ...]  # the newest last; secrets that the platform knows of are masked
    source: str  # the file and the machine
