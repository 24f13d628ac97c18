"""What a person sees of runs on a local plane: a table that lives on a terminal, plain lines everywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tradewind.stage.runs import RunView

Watch = Callable[[Sequence[RunView]], None]

_STYLES = {"success": "green", "failed": "red", "running": "cyan", "waiting": "dim"}


class Show:
    """Tells how it goes. `started` is a monotonic clock's reading."""

    def __init__(self, console: Console, *, started: float) -> None:
        self.console = console
        self.started = started
        self._said: dict[str, RunView] = {}

    def say(self, sentence: str) -> None:
        """One line, with the seconds since the start."""
        self.console.print(
            f"[dim]{time.monotonic() - self.started:5.1f} s[/dim]  {sentence}",
            highlight=False,
            soft_wrap=True,
        )

    @contextmanager
    def doing(self, sentence: str) -> Iterator[None]:
        """A line that shows life while something takes its time, and stays once it is done."""
        if not self.console.is_terminal:
            self.say(sentence + "…")
            yield
            return
        with self.console.status(sentence + "…"):
            yield
        self.say(sentence)

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Show runs as they change: call the result with every new view of them."""
        if not self.console.is_terminal:
            yield self._lines
            return
        with Live(console=self.console, refresh_per_second=8) as live:
            yield lambda views: live.update(_table(views))

    def _lines(self, views: Sequence[RunView]) -> None:
        for view in views:
            if view != self._said.get(view.dag_id) and view.run_id:
                self._said[view.dag_id] = view
                self.say(f"{view.dag_id}: {view.state}, {_progress(view)}")


def _table(views: Sequence[RunView]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("DAG", "RUN", "TASKS", ""):
        table.add_column(heading)
    for view in views:
        state = Text(view.state, style=_STYLES.get(view.state, ""))
        table.add_row(view.dag_id, state, _tasks(view), Text(_rest(view), style="dim"))
    return table


def _progress(view: RunView) -> str:
    rest = _rest(view)
    return f"{_tasks(view)} tasks done" + (f" ({rest})" if rest else "")


def _tasks(view: RunView) -> str:
    return f"{view.done} of {view.total}" if view.total else ""


def _rest(view: RunView) -> str:
    if not view.run_id:
        return "starts when its asset has been published"
    return ", ".join(
        f"{count} {state}" for state, count in view.states if state not in ("success", "skipped")
    )
