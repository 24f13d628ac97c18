"""Dag bundles of a site, under the names that go into `bundles` of the agent's settings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tradewind_runtime.airflow.verified_git import CommitRefused, VerifiedGitDagBundle
    from tradewind_runtime.airflow.verified_local import BundleRefused, VerifiedLocalDagBundle

__all__ = ["BundleRefused", "CommitRefused", "VerifiedGitDagBundle", "VerifiedLocalDagBundle"]

_MODULES: Final = {
    "BundleRefused": "verified_local",
    "CommitRefused": "verified_git",
    "VerifiedGitDagBundle": "verified_git",
    "VerifiedLocalDagBundle": "verified_local",
}


def __getattr__(name: str) -> Any:
    # Not before it is asked for: Airflow's provider for Git is there in some task environments only.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tradewind_runtime.airflow.{_MODULES[name]}"), name)
