"""Options that belong together: a command gets them as one argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradewind.commands.options import gathered


def option_group(
    argument: str, group: type[Any], *options: Callable[[Any], Any]
) -> Callable[[Callable[..., Any]], Any]:
    """Adds `options` to a command, which gets one `argument`: an instance of `group`, a dataclass with a field for each option."""

    def decorate(function: Callable[..., Any]) -> Any:
        decorated: Any = gathered(group, argument)(function)
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate
