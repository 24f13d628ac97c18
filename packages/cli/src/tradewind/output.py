"""Tables for people, JSON for programs, and the same facts in both."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

import click
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tradewind_protocol.operator import Page

_STATE_STYLES = {
    "healthy": "green",
    "running": "green",
    "succeeded": "green",
    "success": "green",
    "starting": "cyan",
    "offered": "cyan",
    "queued": "cyan",
    "degraded": "yellow",
    "draining": "yellow",
    "cordoned": "yellow",
    "unreachable": "red",
    "lost": "red",
    "failed": "red",
    "purge_failed": "red",
    "exited": "green",
    "stopped": "yellow",
    "up_for_retry": "yellow",
}


class Column(NamedTuple):
    """One column of a table: its heading and how a row's cell is read off an item."""

    heading: str
    cell: Callable[[Any], str]
    wide: bool = False  # may be cut short on a narrow terminal; the others never are


class Output:
    """Where a command's result goes: `table` for people, `json` for programs."""

    def __init__(self, form: str) -> None:
        self.form = form
        piped = not sys.stdout.isatty()
        # a pipe has no width: a line is as long as it needs to be, so that grep and awk see whole cells
        self.console = Console(width=400 if piped else None, highlight=False, emoji=False, markup=False)

    @property
    def is_json(self) -> bool:
        return self.form == "json"

    def data(self, value: BaseModel | Sequence[BaseModel] | dict[str, Any]) -> None:
        """One JSON document on standard output."""
        if isinstance(value, BaseModel):
            plain: Any = value.model_dump(mode="json")
        elif isinstance(value, dict):
            plain = value
        else:
            plain = [item.model_dump(mode="json") for item in value]
        click.echo(json.dumps(plain, indent=2))

    def rows(self, items: Iterable[Any], columns: Sequence[Column], *, none: str) -> None:
        """A table, or the sentence `none` when there is nothing to show."""
        items = list(items)
        if not items:
            click.echo(none)
            return
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
        for column in columns:
            table.add_column(column.heading, no_wrap=True, overflow="ellipsis" if column.wide else "fold")
        for item in items:
            table.add_row(*(_styled(one_line(column.cell(item))) for column in columns))
        self.console.print(table)

    def page(self, page: Page[Any], columns: Sequence[Column], *, none: str) -> None:
        """A page of a list: its items as `rows` shows them, or the whole of it as JSON."""
        if self.is_json:
            self.data(page)
        else:
            self.rows(page.items, columns, none=none)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """One thing, a fact a line; empty facts are left out."""
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs:
            if value:
                table.add_row(name, _styled(value))
        self.console.print(table)

    def say(self, sentence: str) -> None:
        """A sentence for a person; nothing when the output is for a program."""
        if not self.is_json:
            click.echo(sentence)


def _styled(cell: str) -> Text:
    return Text(printable(cell), style=_STATE_STYLES.get(cell, ""))


def one_line(cell: str) -> str:
    """A row of a table is one line, whatever Git or Python had to say."""
    return " ".join(cell.split()) if "\n" in cell else cell


def printable(text: str) -> str:
    """The text without control characters: names and reasons come from agents, and a terminal obeys what it is sent."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def span(seconds: float | None) -> str:
    """A length of time as a person says it: "4 s", "3 min", "5 h", "2 d"."""
    if seconds is None:
        return "–"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(at: datetime | None) -> str:
    """A moment in UTC, to the second; a dash when there is none."""
    if at is None:
        return "–"
    return at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
