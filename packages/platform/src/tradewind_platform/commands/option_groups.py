"""Options that belong together: a command gets them as one argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]


def option_group(argument: str, group: type[Any], *options: Callable[[Any], Any]) -> Decorator[Any]:
    """Adds `options` to a command, which gets one `argument`: an instance of `group`, a dataclass with a field for each option."""
    names = [field.name for field in fields(group)]

    def decorate(function: Function) -> Function:
        @wraps(function)
        def command(*arguments: Any, **values: Any) -> Any:
            made = group(**{name: values.pop(name) for name in names})
            return function(*arguments, **{argument: made}, **values)

        decorated: Any = command
        for option in reversed(options):
            decorated = option(decorated)
        found: Function = decorated
        return found

    return decorate
