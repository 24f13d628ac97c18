"""The operator API's description and page are those of the code; the pages on access name what there is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from tradewind_provider.airflow.permissions import Permission
from tradewind_provider.options import OPTIONS

DOCS = Path(__file__).parents[2] / "docs"


def script() -> ModuleType:
    path = DOCS / "scripts" / "operator_api_page.py"
    spec = importlib.util.spec_from_file_location("operator_api_page", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_description_and_the_page_are_current() -> None:
    made = script()
    assert made.DESCRIPTION.read_text(encoding="utf-8") == made.description(), (
        "run docs/scripts/operator_api_page.py"
    )
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run docs/scripts/operator_api_page.py"


def test_the_page_of_permissions_has_each_permission_and_each_request() -> None:
    page = (DOCS / "reference" / "permissions.md").read_text()
    assert all(f"| `{one.name.lower()}` |" in page for one in Permission)
    for path in script().described()["paths"]:
        short = path.removeprefix("/v1").replace("{agent_id}", "{id}").replace("{token_id}", "{id}")
        short = short.replace("{attempt_id}", "{id}")
        assert short in page or short.rpartition("/")[2] in page, f"permissions.md does not name {path}"


def test_the_how_tos_name_options_that_exist() -> None:
    for name in ("tokens", "allow-addresses", "behind-a-proxy", "automation"):
        text = (DOCS / "how-to" / f"{name}.md").read_text()
        for option in re.findall(r"\[tradewind\]\s+(\w+)", text.replace("`", "")):
            assert option in OPTIONS, f"{name}.md names [tradewind] {option}"
