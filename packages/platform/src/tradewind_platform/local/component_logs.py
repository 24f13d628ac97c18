"""Logs of a Deployment's processes, in files of its home."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tradewind.embedded.home_files import LinkFound
from tradewind_platform.domain.component_logs import Component
from tradewind_platform.local.home_id import place_of
from tradewind_platform.local.planes import Planes
from tradewind_platform.reconciler.driver import ComponentLog, Document
from tradewind_protocol.errors import Code, Refused

_DIRECTORY: Final = "logs"
_FILES: Final[Mapping[Component, str]] = {
    Component.API_SERVER: "api-server-1.log",
    Component.SCHEDULER: "scheduler-1.log",
    Component.MIGRATE: "migrate.log",
}


class LogFiles:
    """Reads them as root does files of another user: through no link."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes

    def last_lines(self, document: Document, component: Component, count: int) -> ComponentLog:
        file = self._planes.home(document) / _DIRECTORY / _FILES[component]
        what = f"the log of {component.value} of the Deployment {document.name!r}"
        try:
            lines = self._planes.files(document).last_lines(_DIRECTORY, file.name, count)
        except LinkFound as found:
            raise Refused(Code.CONFLICT, f"{what} is not read: {found}") from None
        except FileNotFoundError:
            lines = []  # it has no home yet
        except OSError as error:
            raise Refused(
                Code.UNAVAILABLE,
                f"{what} cannot be read: {error}",
                remedy="Read the platform's log, and `tradewind platform doctor`.",
            ) from None
        if not lines:
            raise Refused(
                Code.NOT_FOUND,
                f"{what} has no line yet",
                remedy=f"`tradewind operations list --deployment {document.name}` shows what is being done.",
            )
        return ComponentLog(lines, place_of(file))
