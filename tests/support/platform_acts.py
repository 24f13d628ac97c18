"""What tests of the platform's pages do first, by the pages."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect


def created(page: Any, name: str = "sales") -> None:
    """A new Deployment that runs."""
    page.goto("/deployments/new")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Description").fill("Orders and invoices")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text(f"{name} runs")).to_be_visible()
