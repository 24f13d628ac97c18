"""Dag bundles of a site, under the names that go into `bundles` of the agent's settings."""

from __future__ import annotations

from tradewind_runtime.airflow.verified_git import CommitRefused, VerifiedGitDagBundle

__all__ = ["CommitRefused", "VerifiedGitDagBundle"]
