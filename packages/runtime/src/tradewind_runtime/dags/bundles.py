"""What a dag processor claims: the bundles of its environment."""

from __future__ import annotations

import re
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError

from tradewind_protocol import dags


class Bundle(Protocol):
    """Airflow's `BaseDagBundle`, as far as it is needed here."""

    name: str
    supports_versioning: bool

    def view_url_template(self) -> str | None: ...


_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


def claim(bundle: Bundle) -> dags.BundleClaim:
    """The claim for one bundle. Raises ValueError when its name cannot travel."""
    template, params = _view_url(bundle)
    try:
        return dags.BundleClaim(
            name=bundle.name,
            versioned=bundle.supports_versioning,
            view_url_template=template,
            template_params=params,
        )
    except ValidationError as problem:
        raise ValueError(f"bundle {bundle.name!r} cannot be claimed: {problem.errors()[0]['msg']}") from None


def _view_url(bundle: Bundle) -> tuple[str | None, dict[str, str]]:
    template = bundle.view_url_template()
    if not template or "@" in urlsplit(template).netloc or len(template) > 2000:
        return None, {}
    params: dict[str, str] = {}
    for name in _PLACEHOLDER.findall(template):
        value: Any = getattr(bundle, name, None)
        if name != "version" and isinstance(value, str | int):
            params[name] = str(value)
    return template, params
