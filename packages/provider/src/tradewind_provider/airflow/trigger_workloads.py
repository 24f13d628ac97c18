"""A trigger's row as what a host needs to run it: Airflow's `RunTrigger`, with the arguments decrypted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.models.dagbag import DBDagBag
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.helpers import log_filename_template_renderer
from sqlalchemy.orm import Session

from tradewind_protocol import triggers as wire
from tradewind_provider.airflow import database

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuiltWorkloads:
    """What can be handed out, and what never will be: id and reason."""

    create: tuple[wire.CreateTrigger, ...]
    broken: tuple[tuple[int, str], ...]


@dataclass
class _Starters:
    """Tasks that start from a trigger, by version of their Dag: looking costs reading the whole Dag."""

    known: dict[tuple[UUID, str], frozenset[str]] = field(default_factory=dict)

    def has(self, serialized: Any, task_id: str) -> bool:
        key = (serialized.dag_version_id, serialized.dag_hash)
        if key not in self.known:
            if len(self.known) > 1_000:
                self.known.clear()
            tasks = serialized.dag.task_dict.items()
            self.known[key] = frozenset(name for name, task in tasks if task.start_from_trigger)
        return task_id in self.known[key]


_STARTERS = _Starters()


def build(db: Session, ids: Sequence[int]) -> BuiltWorkloads:
    """The workloads of these triggers, in their order; as `TriggerRunnerSupervisor.build_trigger_workloads`.

    Triggers that vanished, or whose task goes on already, are left out: they are deleted soon.
    """
    rows = Trigger.bulk_fetch(ids, session=db)
    others = Trigger.fetch_trigger_ids_with_non_task_associations(session=db)
    render = log_filename_template_renderer()
    dags = _Dags(db)
    create: list[wire.CreateTrigger] = []
    broken: list[tuple[int, str]] = []
    for trigger_id in ids:
        row = rows.get(trigger_id)
        if row is None or (row.task_instance is None and trigger_id not in others):
            continue
        if row.task_instance is not None and not row.task_instance.dag_version_id:
            broken.append((trigger_id, "its task instance has no Dag version: it was made before Airflow 3"))
            continue
        try:
            arguments = _arguments(row)
        except (
            Exception
        ) as error:  # InvalidToken, mostly; the message of some others would quote the ciphertext
            reason = f"its arguments cannot be decrypted ({type(error).__name__}): the Fernet key was changed"
            broken.append((trigger_id, reason))
            continue
        if row.task_instance is None:
            watched = {asset.name: asset.uri for asset in row.assets} or None
            create.append(
                wire.CreateTrigger(
                    id=row.id, classpath=row.classpath, arguments=arguments, watched_assets=watched
                )
            )
        else:
            create.append(_of_task(row, row.task_instance, arguments, dags, render))
    return BuiltWorkloads(tuple(create), tuple(broken))


class _Dags:
    """Serialized Dags of one build. A thousand tasks of one run ask for theirs once."""

    def __init__(self, db: Session) -> None:
        self._db = db
        self._bag = DBDagBag()
        self._found: dict[tuple[str, str, Any], tuple[Any, Any]] = {}

    def of(self, ti: TaskInstance) -> tuple[Any, Any]:
        """The run, and the serialized Dag it goes by, or None."""
        key = (ti.dag_id, ti.run_id, ti.dag_version_id)
        if key not in self._found:
            run = ti.get_dagrun(session=self._db)
            self._found[key] = (
                run,
                self._bag.get_serialized_dag_model_for_run(run, session=self._db)
                or self._bag.get_serialized_dag_model(version_id=ti.dag_version_id, session=self._db),
            )
        return self._found[key]


def _of_task(row: Trigger, ti: TaskInstance, arguments: str, dags: _Dags, render: Any) -> wire.CreateTrigger:
    dag_data, dag_run_data = None, None
    dag_run, serialized = dags.of(ti)
    if serialized and _STARTERS.has(serialized, ti.task_id):
        # its trigger renders templates, for which it needs the task and the run
        dag_data = serialized.data
        dag_run_data = dag_run.dag_run_data.model_dump(mode="json", exclude_unset=True)
    return wire.CreateTrigger(
        id=row.id,
        classpath=row.classpath,
        arguments=arguments,
        ti=TaskInstanceDTO.model_validate(ti, from_attributes=True).model_dump(mode="json"),
        timeout_after=ti.trigger_timeout,
        dag_data=dag_data,
        dag_run_data=dag_run_data,
        log_path=render(ti=ti),
    )


def _arguments(row: Trigger) -> str:
    stored = row.encrypted_kwargs
    # a task that defers sends its arguments as they are, and the API server stores them so
    return stored if stored.startswith("{") else database.decrypt(stored)
