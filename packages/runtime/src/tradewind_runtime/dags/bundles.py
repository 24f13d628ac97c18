"""What a dag processor claims: the bundles of its environment, told apart from another site's of the same name."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

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
            fingerprint=fingerprint(bundle),
            versioned=bundle.supports_versioning,
            view_url_template=template,
            template_params=params,
        )
    except ValidationError as problem:
        raise ValueError(f"bundle {bundle.name!r} cannot be claimed: {problem.errors()[0]['msg']}") from None


def fingerprint(bundle: Bundle) -> str:
    """Equal on two sites when both bundles read the same shared source, empty when that cannot be said.

    Only a versioned bundle that names its source by URL can say so: a directory of the same path on two machines is
    two directories. Credentials in a URL play no part.
    """
    source = str(getattr(bundle, "repo_url", None) or "")
    if not bundle.supports_versioning or not source or source.startswith(("/", ".", "file:")):
        return ""
    facts = {
        "class": f"{type(bundle).__module__}.{type(bundle).__qualname__}",
        "source": _without_credentials(source),
        "ref": str(getattr(bundle, "tracking_ref", "")),
        "subdir": str(getattr(bundle, "subdir", None) or ""),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    if not parts.scheme:
        return url.rpartition("@")[2]  # git@host:path
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


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
