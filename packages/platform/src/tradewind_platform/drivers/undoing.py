"""How an upgrade is undone, in a cluster of either kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def undone_by(back_in_service: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The steps that undo an upgrade, by the step at which it failed; `back_in_service` are those that serve the version before.

    Once the route is open only a person decides to go back: agents have handed in outcomes, and a restore would forget them.
    """
    return {
        "preflight": ("route",),
        "count": ("route",),
        "close for upgrade": ("route",),
        "stop": back_in_service,
        "back up": back_in_service,
        **dict.fromkeys(
            ("configure", "migrate", "start API server", "probe inside"), ("restore before", *back_in_service)
        ),
    }
