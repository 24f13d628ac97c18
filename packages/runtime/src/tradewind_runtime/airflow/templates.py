"""What a template at a site may reach.

Airflow's sandbox lets attributes through that begin with one underscore, and modules that a module has imported:
`{{ macros.json.codecs }}` is on the way to any module. Airflow's own words: "Unlike the stock SandboxedEnvironment, we allow
access to private attributes". A site renders text of its own Dags alone; this is the second wall, for a Dag that puts a value of
a run into a template by itself.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any, Final

_OPTION: Final = "private_template_names"


def restrict() -> None:
    """Refuse private attributes and modules of modules in sandboxed templates, in every process forked from this one.

    The site's `[tradewind] private_template_names = True` leaves Airflow's sandbox as it is. A Dag with
    `render_template_as_native_obj` has no sandbox in Airflow, and none here. Idempotent.
    """
    from airflow.configuration import conf
    from airflow.sdk.definitions._internal.templater import SandboxedEnvironment

    allowed = SandboxedEnvironment.is_safe_attribute
    if hasattr(allowed, "__wrapped__") or conf.getboolean("tradewind", _OPTION, fallback=False):
        return

    @functools.wraps(allowed)
    def is_safe_attribute(self: Any, obj: Any, attr: Any, value: Any) -> bool:
        return not _is_a_way_out(obj, str(attr), value) and bool(allowed(self, obj, attr, value))

    SandboxedEnvironment.is_safe_attribute = is_safe_attribute


def _is_a_way_out(obj: Any, attr: str, value: Any) -> bool:
    """A private attribute, or a module that is not inside the module it is looked up in (`macros.dateutil.parser` is)."""
    if attr.startswith("_"):
        return True
    modules = isinstance(obj, ModuleType) and isinstance(value, ModuleType)
    return modules and not value.__name__.startswith(f"{obj.__name__}.")
