"""The keyboard alone reaches and does everything on the way from no Deployment to a variable of one."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect


def test_a_deployment_is_made_without_a_mouse(open_page: Any) -> None:
    page = open_page("/deployments")
    expect(page.get_by_text("No Deployments yet")).to_be_visible()
    _tab_to(page, "New Deployment")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New Deployment")).to_be_visible()
    _tab_to(page, "Name")
    page.keyboard.type("sales")
    page.keyboard.press("Enter")
    expect(page.get_by_text("sales runs")).to_be_visible()
    _tab_to(page, "Open sales")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="sales")).to_be_visible()
    _tab_to(page, "Environment")
    page.keyboard.press("Enter")
    _tab_to(page, "Add variable")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    _tab_to(page, "Name")
    page.keyboard.type("REGION")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Add variable")).to_be_focused()


_FOCUSED = """() => {
  const at = document.activeElement;
  return at.getAttribute("aria-label") || (at.labels?.[0] ?? at).textContent.trim();
}"""


def _tab_to(page: Any, name: str, most: int = 60) -> None:
    """Press Tab until that control has the focus. What the focus is on is drawn differently from what it is not on."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if str(page.evaluate(_FOCUSED)).rstrip("*").strip() == name:
            return
    raise AssertionError(f"Tab does not reach {name!r}")
