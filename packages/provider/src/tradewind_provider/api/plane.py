"""What the routes of one application share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from tradewind_provider import notifications
from tradewind_provider.api.dispatch.dispatcher import Dispatcher
from tradewind_provider.clock import Clock
from tradewind_provider.settings import Settings
from tradewind_provider.shortcuts.switch import ShortcutSwitch


@dataclass
class Plane:
    """Made once per application."""

    settings: Settings
    clock: Clock
    hub: notifications.Hub = field(default_factory=notifications.Hub)
    shortcuts: ShortcutSwitch = field(default_factory=ShortcutSwitch)
    dispatcher: Dispatcher | None = None  # while the application runs


def this_plane(request: Request) -> Plane:
    """FastAPI dependency."""
    plane: Plane = request.app.state.plane
    return plane


ThisPlane = Annotated[Plane, Depends(this_plane)]
