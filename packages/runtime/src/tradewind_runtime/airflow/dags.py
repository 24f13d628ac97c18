"""Airflow's `DagFileProcessorManager` without a database: what it stored goes to a sync state, what it fetched comes from one.

Overridden are the methods its docstrings name for API-backed subclasses, and four of the loop's steps around files
(`prepare_file_queue`, `_start_new_processes`, `_kill_timed_out_processors`, `_get_team_names`), so that a bundle this site
does not speak for is not parsed, a file that is asked for while it is parsed is parsed again, and a file whose parser was
killed is reported.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any, Protocol

import attrs
from airflow.callbacks.callback_requests import CallbackRequest
from airflow.configuration import conf
from airflow.dag_processing.bundles.base import BaseDagBundle
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.manager import (
    BundleState,
    DagFileInfo,
    DagFileProcessorManager,
    process_parse_results,
)
from airflow.dag_processing.processor import DagFileParsingResult, DagFileProcessorProcess
from airflow.sdk.api.client import Client
from pydantic import TypeAdapter

from tradewind_runtime.airflow import secrets_masker
from tradewind_runtime.airflow.parse_reports import ParseReports
from tradewind_runtime.dags import bundle_fetches, files
from tradewind_runtime.dags.sync_state import SyncState

log = logging.getLogger(__name__)

_CALLBACK: TypeAdapter[Any] = TypeAdapter(CallbackRequest)


class Loop(Protocol):
    """What the process does in the parsing loop: see `tradewind_runtime.dag_processor.ParsingLoop`."""

    def enter(self, manager: Processor) -> None:
        """The loop begins: the manager's selector exists."""

    def turn(self, manager: Processor) -> None:
        """Once every time around the loop."""

    def callbacks(self) -> list[CallbackRequest]:
        """Granted callbacks, each once."""

    def callback_skipped(self, request: CallbackRequest) -> None:
        """There is no bundle to run it in."""

    def callbacks_ended(self, file: DagFileInfo, started: float) -> None:
        """The process that ran the callbacks of `file` and was started at `started` (monotonic) has ended."""

    def priority_files(self) -> set[tuple[str, str]]:
        """Files (bundle, path) that are to be parsed before all others."""


def configured_bundles() -> tuple[list[BaseDagBundle], list[str]]:
    """Every bundle of this environment's configuration, and the names of those that cannot be made (Airflow's log says
    why). Touches no database: connections come from the site's secrets backend and environment."""
    manager = DagBundlesManager()
    bundles = list(manager.get_all_dag_bundles())
    made = {bundle.name for bundle in bundles}
    return bundles, [name for name in manager.get_all_bundle_names() if name not in made]


def callback_request(request: dict[str, Any]) -> CallbackRequest:
    """Airflow's callback request from its JSON. Raises pydantic's ValidationError when it is none."""
    return _CALLBACK.validate_python(request)


def log_directory_option() -> str:
    """Where parsers log when the agent names no directory."""
    return str(conf.get("logging", "dag_processor_child_process_log_directory"))


@attrs.define(kw_only=True)
class Processor(DagFileProcessorManager):
    """The manager of a site. `bundles` are all configured ones; those the sync state speaks for are parsed."""

    max_runs: int = -1
    sync_state: SyncState
    loop: Loop
    bundles: dict[str, BaseDagBundle]
    execution: Client
    reports: ParseReports
    heartbeat: Callable[[], None] = attrs.field(default=lambda: None)
    base_log_dir: str = attrs.field(factory=log_directory_option)

    # Airflow's would start an Execution API, and with it a database, inside this process.
    _api_server: Any = attrs.field(init=False, default=None)
    _multi_team: bool = attrs.field(init=False, default=False)

    fetches: bundle_fetches.Fetches = attrs.field(
        init=False, factory=lambda: bundle_fetches.Fetches(clock=time.monotonic)
    )

    def __attrs_post_init__(self) -> None:
        for bundle in self.bundles.values():
            self._note_fetches(bundle)

    def __repr__(self) -> str:
        # Each parser puts signal handlers back that are methods of this, and Python writes them out as it does so. What
        # attrs would write names every file there is.
        return f"<{type(self).__name__} of {len(self.bundles)} bundles>"

    @property
    def client(self) -> Client:
        """What the parsers' requests for connections and variables go through: the agent's gateway."""
        return self.execution

    # ---- the process

    def prepare_server_process_context(self) -> None:
        """Nothing: the server context would look for connections in the metadata database."""

    def prepare_process_context(self) -> None:
        super().prepare_process_context()
        self.heartbeat = self._turn
        self.loop.enter(self)

    def _turn(self) -> None:
        self.loop.turn(self)

    def numbers(self) -> dict[str, float]:
        """What has been found so far, for the agent's status page."""
        stats = list(self._file_stats.values())
        return {
            "files": float(len(stats)),
            "dags": float(sum(one.num_dags for one in stats)),
            "import_errors": float(sum(one.import_errors for one in stats)),
        }

    def drop_queue(self) -> None:
        """Forget what waits to be parsed, but for callbacks."""
        for file in [one for one in self._file_queue if one not in self._callback_to_execute]:
            del self._file_queue[file]

    def idle(self) -> bool:
        """True when nothing runs and nothing waits."""
        return not self._processors and not self._file_queue

    def _get_team_names(self, bundle_names: Iterable[str]) -> dict[str, str | None]:
        return {}  # the plane knows which team a bundle is of

    # ---- bundles

    def prepare_bundles(self) -> None:
        self.roles_changed()

    def get_all_bundles(self) -> list[BaseDagBundle]:
        led = self.sync_state.led()
        return [bundle for name, bundle in self.bundles.items() if name in led]

    def recovered(self, names: Iterable[str]) -> list[BaseDagBundle]:
        """Those of the named bundles that can be made by now; they are parsed once this one speaks for them."""
        wanted = set(names)
        made = [bundle for bundle in configured_bundles()[0] if bundle.name in wanted]
        for bundle in made:
            self._note_fetches(bundle)
        self.bundles.update({bundle.name: bundle for bundle in made})
        return made

    def roles_changed(self) -> None:
        """Parse what this one speaks for now; what is new is refreshed at once."""
        before = {bundle.name for bundle in self._dag_bundles}
        self.load_dag_bundles()
        now = {bundle.name for bundle in self._dag_bundles}
        for name in before - now:
            self._bundle_versions.pop(name, None)
            self._bundle_version_data.pop(name, None)
            for file in [one for one in (*self._file_stats, *self._file_queue) if one.bundle_name == name]:
                self._file_stats.pop(file, None)
                self._file_queue.pop(file, None)
        if now - before:
            self.request_bundle_refresh(now - before)

    def _refresh_dag_bundles(self, known_files: dict[str, set[DagFileInfo]]) -> None:
        # Airflow tries a bundle that it was asked to refresh, and could not, with every turn of its loop.
        every: list[BaseDagBundle] = list(self._dag_bundles)
        resting = self.fetches.resting()
        waiting = self._force_refresh_bundles & resting
        self._force_refresh_bundles -= resting
        self._dag_bundles[:] = [bundle for bundle in every if bundle.name not in resting]
        try:
            super()._refresh_dag_bundles(known_files=known_files)
        finally:
            self._dag_bundles[:] = every
            self._force_refresh_bundles |= waiting
            self.sync_state.not_fetched(self.fetches.troubles())

    def _note_fetches(self, bundle: BaseDagBundle) -> None:
        """From now on it is noted how each try to fetch the bundle went."""
        for name in ("initialize", "refresh"):
            fetch = self.fetches.noting(bundle.name, getattr(bundle, name), masked=secrets_masker.masked)
            setattr(bundle, name, fetch)

    def reparse(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Parse these files (bundle, path) before all others."""
        self._add_files_to_queue(self._files(wanted), mode="frontprio")

    def _files(self, wanted: Iterable[tuple[str, str]]) -> list[DagFileInfo]:
        bundles = {bundle.name: bundle for bundle in self._dag_bundles if bundle.is_initialized}
        found = []
        for name, path in sorted(wanted):
            bundle = bundles.get(name)
            inside = files.to_parse(bundle.path, path) if bundle is not None else None
            if bundle is not None and inside is not None:
                found.append(DagFileInfo(rel_path=inside, bundle_name=name, bundle_path=bundle.path))
        return found

    def get_bundle_state(self, bundle_name: str, **_: Any) -> BundleState:
        state = self.sync_state.state(bundle_name)
        return BundleState(last_refreshed=state.refreshed_at, version=state.version)

    def update_bundle_state(
        self, bundle_name: str, *, last_refreshed: datetime, version: str | None, **_: Any
    ) -> None:
        self.sync_state.refreshed(bundle_name, at=last_refreshed, version=version)

    # ---- what the plane asks for

    def claim_priority_files(self) -> list[DagFileInfo]:
        return self._files(self.loop.priority_files())

    def fetch_callbacks(self) -> list[CallbackRequest]:
        return self.loop.callbacks()

    def prepare_callback_bundle(self, request: CallbackRequest) -> BaseDagBundle | None:
        bundle = None
        if _leaves(request):
            log.warning(
                "The plane asks for a callback of %r at version %r, which is not in the bundle",
                request.filepath,
                request.bundle_version,
                extra={"action": "callback_refused"},
            )
        else:
            bundle = super().prepare_callback_bundle(request)
        if bundle is None:
            self.loop.callback_skipped(request)
        return bundle

    # ---- what the plane is told

    def prepare_file_queue(self, known_files: dict[str, set[DagFileInfo]]) -> None:
        led = {bundle.name for bundle in self._dag_bundles}
        for name in [name for name in known_files if name not in led]:
            del known_files[name]
        super().prepare_file_queue(known_files=known_files)

    def handle_parsing_result(self, file: DagFileInfo, proc: DagFileProcessorProcess, **_: Any) -> None:
        if proc.had_callbacks:
            self.loop.callbacks_ended(file, proc.start_time)
        callback_only = proc.had_callbacks and proc.parsing_result is None
        seconds = time.monotonic() - proc.start_time
        self._file_stats[file] = process_parse_results(
            run_duration=seconds,
            finish_time=datetime.now(timezone.utc),
            run_count=self._file_stats[file].run_count,
            bundle_name=file.bundle_name,
            parsing_result=proc.parsing_result,
            is_callback_only=callback_only,
            relative_fileloc=str(file.rel_path),
        )
        if callback_only or file.bundle_name not in self.sync_state.led():
            return
        if proc.parsing_result is None:
            self.reports.failed(
                file.bundle_name,
                str(file.rel_path),
                "The process that parsed this file ended without a result. See the site's log",
            )
            return
        self.persist_parsing_result(
            bundle_name=file.bundle_name,
            bundle_version=self._bundle_versions.get(file.bundle_name),
            version_data=self._bundle_version_data.get(file.bundle_name),
            parsing_result=proc.parsing_result,
            run_duration=seconds,
            relative_fileloc=str(file.rel_path),
        )

    def persist_parsing_result(
        self,
        *,
        bundle_name: str,
        bundle_version: str | None,
        version_data: dict[str, Any] | None,
        parsing_result: DagFileParsingResult,
        run_duration: float,
        relative_fileloc: str | None,
        **_: Any,
    ) -> None:
        self.reports.parsed(
            bundle_name,
            str(relative_fileloc),
            parsing_result,
            place=next((one.path for one in self._dag_bundles if one.name == bundle_name), None),
            seconds=run_duration,
            version_data=version_data,
        )

    def _start_new_processes(self) -> None:
        """A file that is being parsed stays in the queue: Airflow drops it, and who asked for it may have changed it meanwhile."""
        again = [file for file in self._file_queue if file in self._processors]
        for file in again:
            del self._file_queue[file]
        super()._start_new_processes()
        self._add_files_to_queue(again, mode="front")

    def _kill_timed_out_processors(self) -> None:
        before = dict(self._processors)
        super()._kill_timed_out_processors()
        for file in [one for one in before if one not in self._processors]:
            if before[file].had_callbacks:
                self.loop.callbacks_ended(file, before[file].start_time)
            elif file.bundle_name in self.sync_state.led():
                self.reports.failed(
                    file.bundle_name,
                    str(file.rel_path),
                    f"Parsing this file took longer than {self.processor_timeout:g} seconds, the limit of this site "
                    "([dag_processor] dag_file_processor_timeout)",
                )

    def deactivate_deleted_dags(self, bundle_name: str, present: set[DagFileInfo]) -> None:
        self.sync_state.present(bundle_name, {str(file.rel_path) for file in present})

    def clear_orphaned_import_errors(self, bundle_name: str, observed_filelocs: set[str], **_: Any) -> None:
        """Nothing: the plane clears them with the file they were of."""

    def deactivate_stale_dags(self, last_parsed: dict[DagFileInfo, datetime | None], **_: Any) -> None:
        """Nothing: a file's result names all its Dags, so the plane knows at once which are gone."""

    def purge_inactive_dag_warnings(self) -> None:
        """Nothing: the plane does it as it stores."""


def _leaves(request: CallbackRequest) -> bool:
    """Whether the file or the version that a callback names may lead out of its bundle, or be read as a flag of Git."""
    version = request.bundle_version
    return files.leaves(request.filepath) or (
        version is not None and (files.leaves(version) or version.startswith("-"))
    )
