"""What axe-core finds on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

AXE: Final = Path(__file__).parents[2] / "ui/node_modules/axe-core/axe.min.js"
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="`make test-ui` installs axe-core")

_RUN: Final = """async () => (await axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
})).violations.map(each => `${each.id}: ${each.help}: ${each.nodes.map(node => node.html + " " + node.failureSummary).join(" | ")}`)"""


def violations(page: Any) -> list[str]:
    page.evaluate(AXE.read_text())  # by the debugger: the page's policy lets no other script in
    return list(page.evaluate(_RUN))
