"""What one parse of a Dag file gave, as it may leave the site, on its way into the sync state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow.dag_processing.processor import DagFileParsingResult

from tradewind_protocol import boundary
from tradewind_runtime.airflow import secrets_masker
from tradewind_runtime.dags import files, results
from tradewind_runtime.dags.sync_state import SyncState


@dataclass(frozen=True)
class ParseReports:
    """Builds results under the site's data boundary and hands them to the sync state."""

    sync_state: SyncState
    send_source: bool = False  # whether the text of Dag files goes along
    quote_source: bool = (
        False  # whether tracebacks may quote lines of code, and secrets that Airflow's masker knows
    )
    content_key: bytes = field(default=b"", repr=False)  # that the hash of a result is made under

    def parsed(
        self,
        bundle: str,
        path: str,
        found: DagFileParsingResult,
        *,
        place: Path | None,
        seconds: float,
        version_data: dict[str, Any] | None,
    ) -> None:
        """Report what a parser found in a file. `place`: the folder of the bundle; None when it has none any more."""
        parsed = [results.ParsedDag(dag.data, dag.hash) for dag in found.serialized_dags]
        result = results.build(
            bundle=bundle,
            path=path,
            parsed=parsed,
            import_errors=self._errors_without_site(bundle, place, found.import_errors or {}),
            warnings=[warning for warning in found.warnings or () if isinstance(warning, dict)],
            seconds=seconds,
            source=_source(place, path, parsed) if self.send_source and place else None,
            key=self.content_key,
        )
        self.sync_state.parsed(bundle, result, version_data=version_data)

    def failed(self, bundle: str, path: str, sentence: str) -> None:
        """Report that no parser found anything in a file, and why, as its import error."""
        result = results.build(
            bundle=bundle, path=path, parsed=[], import_errors={path: sentence}, key=self.content_key
        )
        self.sync_state.parsed(bundle, result)

    def _errors_without_site(
        self, bundle: str, place: Path | None, errors: Mapping[str, str]
    ) -> dict[str, str]:
        reduced: dict[str, str] = {}
        for path, text in errors.items():
            said = text if self.quote_source else boundary.without_source(secrets_masker.masked(text))
            reduced[path] = (
                results.without_site(said, bundle=bundle, bundle_path=str(place)) if place else said
            )
        return reduced


def _source(place: Path, path: str, parsed: Sequence[results.ParsedDag]) -> dict[str, str]:
    """The text of each file that the Dags name, by its path in the bundle; what cannot be read is left out."""
    wanted = {str(one.data["dag"].get("relative_fileloc") or path) for one in parsed} or {path}
    texts = {inside: files.read_source(place, inside) for inside in sorted(wanted)}
    return {inside: text for inside, text in texts.items() if text is not None}
