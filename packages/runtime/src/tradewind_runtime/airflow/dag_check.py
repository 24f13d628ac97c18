"""One parse of every Dag file of a site by Airflow's own manager, with the data boundary in the plane's place."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import attrs
import httpx
from airflow.callbacks.callback_requests import CallbackRequest
from airflow.dag_processing.manager import DagFileInfo
from airflow.dag_processing.processor import DagFileProcessorProcess
from airflow.sdk.api.client import Client

from tradewind_protocol import boundary, dags
from tradewind_protocol.boundary import Caller, LocalAnswer, Rejection, RouteMatch, Rules, Treatment
from tradewind_runtime import gateway_client
from tradewind_runtime.airflow import dags as adapter
from tradewind_runtime.airflow import secrets_masker
from tradewind_runtime.airflow.parse_reports import ParseReports
from tradewind_runtime.dags import bundles
from tradewind_runtime.dags.results import Sized
from tradewind_runtime.dags.sync_state import SyncState

_NOT_HERE: Final = b'{"detail": {"reason": "not_found", "message": "this check has no plane"}}'

_NOT_AT_THE_SITE: Final = "the site does not have it here, and the plane's is not read under this policy"
_LATER: Final = "Read it in a task, not at the top of the file"


@dataclass(frozen=True)
class PlaneRequest:
    """A request to the plane that a Dag file made while it was parsed, and what the data boundary said."""

    what: str  # "reads the variable 'region'"
    cause: str
    remedy: str = ""
    refused: bool = False


@dataclass(frozen=True)
class CheckedFile:
    """What one Dag file gave."""

    bundle: str
    result: dags.FileResult
    requests: tuple[PlaneRequest, ...] = ()


class BoundaryTransport(httpx.BaseTransport):
    """Answers the Execution API as an agent's gateway does under `rules`. What would pass to the plane is not found."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._requests: list[PlaneRequest] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        # raw: a key may have escaped slashes
        path = request.url.raw_path.decode().partition("?")[0]
        path = path.removeprefix(urlsplit(gateway_client.EXECUTION_URL).path.rstrip("/"))
        if not path.startswith("/"):
            path = f"/{path}"
        found = boundary.classify(request.method, path)
        if found is None:
            decision = boundary.unknown(request.method, path, self._rules)
        else:
            decision = boundary.admit(found, Caller.DAG_PROCESSOR) or boundary.decide(
                found, request.read(), self._rules
            )
        what = _words(found) if found else f"asks {request.method} {path}"
        if isinstance(decision, Rejection):
            self._note(PlaneRequest(what, decision.message, decision.remedy, refused=True))
            return _answer(decision.status, decision.body)
        if isinstance(decision, LocalAnswer):
            self._note(PlaneRequest(what, _NOT_AT_THE_SITE, _remedy(found)))
            return _answer(decision.status, decision.body)
        self._note(PlaneRequest(what, "only the plane can answer, and this check has none", _LATER))
        return _answer(404, _NOT_HERE)

    def _note(self, request: PlaneRequest) -> None:
        if request not in self._requests:
            self._requests.append(request)

    def take(self) -> tuple[PlaneRequest, ...]:
        """The requests since the last call, each once."""
        taken, self._requests = tuple(self._requests), []
        return taken


def _words(found: RouteMatch) -> str:
    if found.route.treatment is Treatment.VARIABLE:
        return f"reads the variable {found.params['variable_key']!r}"
    if found.route.treatment is Treatment.CONNECTION:
        return f"reads the connection {found.params['connection_id']!r}"
    if found.route.treatment is Treatment.VARIABLE_WRITE:
        return f"writes the variable {found.params['variable_key']!r}"
    return f"asks {found.route.method} {found.route.template}"


def _remedy(found: RouteMatch | None) -> str:
    if found is None or found.route.treatment not in (Treatment.VARIABLE, Treatment.CONNECTION):
        return _LATER
    is_variable = found.route.treatment is Treatment.VARIABLE
    name = found.params["variable_key" if is_variable else "connection_id"]
    variable = f"AIRFLOW_{'VAR' if is_variable else 'CONN'}_{name.upper()}"
    return f"{_LATER}, or give the site {variable} or a secrets backend that has it"


def _answer(status: int, body: bytes) -> httpx.Response:
    return httpx.Response(status, content=body, headers={"content-type": "application/json"})


class CheckedState(SyncState):
    """Leads every bundle and keeps each result; sends none."""

    def __init__(self, claims: list[dags.BundleClaim]) -> None:
        super().__init__(uuid4(), claims)
        self.results: dict[tuple[str, str], dags.FileResult] = {}
        claimed = [dags.BundleClaimed(name=claim.name, role=dags.Role.SPEAKS) for claim in claims]
        self.claimed(dags.Claimed(bundles=tuple(claimed)))

    def parsed(self, bundle: str, sized: Sized, *, version_data: dict[str, Any] | None = None) -> None:
        self.results[(bundle, sized.result.path)] = sized.result


@dataclass
class CheckLoop:
    """The manager's loop without an agent and without a plane."""

    granted: list[CallbackRequest] = field(default_factory=list)

    def enter(self, manager: adapter.Processor) -> None:
        """Nothing to listen to."""

    def turn(self, manager: adapter.Processor) -> None:
        """Nothing to do."""

    def callbacks(self) -> list[CallbackRequest]:
        return self.granted

    def callback_skipped(self, request: CallbackRequest) -> None:
        """There are none."""

    def callbacks_ended(self, file: DagFileInfo, started: float) -> None:
        """There are none."""

    def priority_files(self) -> set[tuple[str, str]]:
        return set()


@attrs.define(kw_only=True)
class CheckProcessor(adapter.Processor):
    """Parses each file once, one after the other, so that a request belongs to the file that is being parsed."""

    max_runs: int = 1
    transport: BoundaryTransport
    requests: dict[tuple[str, str], tuple[PlaneRequest, ...]] = attrs.field(init=False, factory=dict)
    _parallelism: int = attrs.field(init=False, default=1)

    def handle_parsing_result(self, file: DagFileInfo, proc: DagFileProcessorProcess, **_: Any) -> None:
        super().handle_parsing_result(file, proc)
        self.requests[(file.bundle_name, str(file.rel_path))] = self.transport.take()


def check(rules: Rules, log_directory: Path) -> tuple[list[CheckedFile], Mapping[str, str]]:
    """Parse every Dag file of the configured bundles once. Returns the files, and by bundle why it has none."""
    found, broken = adapter.configured_bundles()
    problems = dict.fromkeys(broken, "it cannot be made: its class or its kwargs in `bundles` are wrong")
    claims = [bundles.claim(bundle) for bundle in found]
    state, transport = CheckedState(claims), BoundaryTransport(rules)
    processor = CheckProcessor(
        sync_state=state,
        loop=CheckLoop(),
        bundles={bundle.name: bundle for bundle in found},
        execution=Client(base_url=gateway_client.EXECUTION_URL, token="", transport=transport),
        transport=transport,
        reports=ParseReports(state, quote_source=True),
        base_log_dir=str(log_directory),
    )
    logging.getLogger("airflow").setLevel(logging.ERROR)
    try:
        processor.run()
    finally:
        processor.terminate()
        processor.end()
    problems.update(processor.fetches.troubles())
    checked = [
        CheckedFile(bundle, _masked(result), processor.requests.get((bundle, path), ()))
        for (bundle, path), result in sorted(state.results.items())
    ]
    return checked, problems


def _masked(result: dags.FileResult) -> dags.FileResult:
    errors = {path: secrets_masker.masked(text) for path, text in result.import_errors.items()}
    return result.model_copy(update={"import_errors": errors})
