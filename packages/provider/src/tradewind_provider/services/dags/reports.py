"""Storing what a dag processor reports: each file in a transaction of its own, so that a bad one spoils no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, PendingRollbackError
from sqlalchemy.orm import Session

from tradewind_protocol import boundary
from tradewind_protocol import dags as wire
from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_protocol.sessions import Policy
from tradewind_provider import notifications
from tradewind_provider.airflow import dag_bundles, dag_checks, dag_source, dags
from tradewind_provider.services.agents import Agent
from tradewind_provider.services.dags import bundles, file_checks
from tradewind_provider.services.dags.parsed_reports import ParsedReport, file_refused
from tradewind_provider.store.dag_tables import DagBundle, DagFile

log = logging.getLogger(__name__)

Open = Callable[[], AbstractContextManager[Session]]

_TRIES = 3


def store(
    open_session: Open, agent: Agent, asked: ParsedReport, *, clock: Callable[[], datetime]
) -> wire.Reported:
    """Store a report. Raises Refused BUNDLE_NOT_YOURS when this dag processor does not lead the bundle.

    Idempotent. What cannot be stored is refused by file or Dag and becomes an import error; the rest is stored.
    """
    storing = _Storing(open_session, agent, asked.report, clock)
    storing.refreshed()
    for path in asked.report.removed:
        storing.remove(path)
    for file in asked.report.files:
        storing.store(file)
    for same in asked.report.same:
        storing.same(same)
    return storing.answer(asked.refused)


class _Storing:
    """One report on its way into the database."""

    def __init__(
        self, open_session: Open, agent: Agent, report: wire.Report, clock: Callable[[], datetime]
    ) -> None:
        self._open = open_session
        self._agent = agent
        self._report = report
        self._clock = clock
        self._mark = self._before = ""
        self._stored: list[str] = []
        self._refused: list[wire.FileRefused] = []
        self._resend: list[str] = []

    def refreshed(self) -> None:
        with self._open() as db:
            row = self._row(db)
            self._mark = self._before = row.mark
            if (at := self._report.refreshed_at) is not None:
                now = self._clock()
                dag_bundles.refreshed(db, row.name, version=self._report.version, at=min(at, now))

    def remove(self, path: str) -> None:
        with self._open() as db:
            row = self._row(db)
            file = db.get(DagFile, (row.name, path))
            freed = list(file.dag_ids) if file is not None else []
            error_paths = list(file.error_paths) if file is not None else []
            dags.remove(db, bundle=row.name, path=path, error_paths=error_paths)
            if file is not None:
                db.delete(file)
            self._free(db, row, freed)
            self._written(db, row)
        self._stored.append(path)

    def same(self, same: wire.FileSame) -> None:
        with self._open() as db:
            row = self._row(db)
            file = db.get(DagFile, (row.name, same.path))
            if file is None or file.content != same.content:
                self._resend.append(same.path)
                return
            if file.version != self._report.version:
                file.version = self._report.version
                dags.move_to_version(
                    db, file.dag_ids, bundle=row.name, version=self._report.version,
                    version_data=self._report.version_data,
                )  # fmt: skip
                self._written(db, row)
        self._stored.append(same.path)

    def store(self, file: wire.FileResult) -> None:
        found = file_checks.checked(self._report.bundle, file, strict=self._agent.policy is Policy.STRICT)
        try:
            self._store_again_after_conflicts(file, found)
        except OperationalError:
            raise  # the database is away or busy: the whole report is worth sending again
        except Refused:
            raise
        except Exception as problem:
            if isinstance(problem, DBAPIError) and problem.connection_invalidated:
                raise
            log.exception(
                "Cannot store %s of bundle %s",
                file.path,
                self._report.bundle,
                extra={"action": "dag_file_refused"},
            )
            message = f"file {file.path} of bundle {self._report.bundle!r} cannot be stored: {type(problem).__name__}"
            found = file_checks.StorableFile(
                (), {file.path: f"{message}. The reason is in the log of the plane's API server."}, ()
            )
            self._refused.append(file_refused(file.path, Refusal(error=Code.MALFORMED, message=message)))
            self._store(file, found)
        else:
            self._refused += [file_refused(file.path, refusal, dag_id) for dag_id, refusal in found.refused]

    def answer(self, refused: Collection[wire.FileRefused]) -> wire.Reported:
        return wire.Reported(
            mark=self._mark,
            before=self._before,
            stored=tuple(self._stored),
            refused=(*refused, *self._refused),
            resend=tuple(dict.fromkeys(self._resend)),
        )

    def _store_again_after_conflicts(self, file: wire.FileResult, found: file_checks.StorableFile) -> None:
        """Two sites can report the same new asset or Dag in one moment: the second finds the first one's rows when it
        tries again. A refusal would last, since a file that did not change is not sent again."""
        for left in reversed(range(_TRIES)):
            try:
                return self._store(file, found)
            # Airflow tries again in the transaction that the conflict ended, and hides the conflict behind the second
            except (IntegrityError, PendingRollbackError) as problem:
                if not left:
                    raise
                log.info(
                    "Cannot store %s of bundle %s beside another report (%s); trying again",
                    file.path,
                    self._report.bundle,
                    type(problem).__name__,
                    extra={"action": "dag_file_again"},
                )

    def _store(self, file: wire.FileResult, found: file_checks.StorableFile) -> None:
        now = self._clock()
        with self._open() as db:
            row = self._row(db)
            before = db.get(DagFile, (row.name, file.path))
            if before is not None and (before.content, before.version) == (
                file.content,
                self._report.version,
            ):
                self._stored.append(file.path)  # the same report again, after a lost answer
                return
            free, blocked, errors = file_checks.ownership(db, row.name, file.path, found)
            free_ids = {dag.dag_id for dag in free}
            filed = dags.store(
                db,
                dags.FileFacts(
                    bundle=row.name,
                    version=self._report.version,
                    version_data=self._report.version_data,
                    path=file.path,
                    dags=tuple(free),
                    import_errors=errors,
                    warnings=_warnings(file, free_ids, strict=self._agent.policy is Policy.STRICT),
                    seconds=file.seconds,
                    source=(file.source or {}) if self._agent.policy is Policy.OPEN else {},
                    notice=dag_source.notice(self._agent.name),
                    cleared=before.error_paths if before is not None else (),
                ),
                now=now,
            )
            # A plane with another plugin or version may take what this one refuses: such a file is sent again with the next claim.
            content = "" if found.refused else file.content
            fresh = DagFile(
                bundle=row.name, path=file.path, content=content, version=self._report.version,
                dag_ids=sorted(free_ids), blocked=sorted(blocked), error_paths=sorted(filed),
                live=dags.live_count(db, row.name, among=free_ids), stored_at=now,
            )  # fmt: skip
            freed = set(before.dag_ids) - free_ids if before is not None else set()
            db.merge(fresh)
            self._free(db, row, freed)
            self._written(db, row)
            if free:
                notifications.publish(db, notifications.TRIGGERS)
        self._stored.append(file.path)

    def _row(self, db: Session) -> DagBundle:
        return bundles.lock_led(db, self._agent, UUID(str(self._report.instance)), self._report.bundle)

    def _written(self, db: Session, row: DagBundle) -> None:
        row.mark = self._mark = bundles.new_mark()
        db.flush()

    def _free(self, db: Session, row: DagBundle, dag_ids: Collection[str]) -> None:
        """These Dag ids are free now: files that were refused them are to be sent again."""
        if not dag_ids:
            return
        for file in db.scalars(select(DagFile)).all():
            if set(file.blocked) & set(dag_ids):
                file.content = ""
                if file.bundle == row.name:
                    self._resend.append(file.path)
                elif (other := db.get(DagBundle, file.bundle)) is not None:
                    other.mark = bundles.new_mark()
                    notifications.publish(db, notifications.DAGS)


def _warnings(file: wire.FileResult, dag_ids: Collection[str], *, strict: bool) -> tuple[Any, ...]:
    return tuple(
        dags.warning(
            one.dag_id, one.warning_type, boundary.without_code(one.message) if strict else one.message
        )
        for one in file.warnings
        if one.dag_id in dag_ids and dag_checks.warning_type(one.warning_type)
    )
