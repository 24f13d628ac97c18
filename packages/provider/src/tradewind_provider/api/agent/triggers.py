"""The triggers verbs of the Remote Execution API."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
