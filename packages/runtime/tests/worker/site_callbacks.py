"""A site's own module, with callbacks the plane may name and things it may not."""

from __future__ import annotations

from os import system
from subprocess import run

from airflow.sdk.bases.notifier import BaseNotifier


class Tells(BaseNotifier):
    """A notifier of the site."""

    def __init__(self, text: str = "", **kwargs):
        super().__init__()
        self.text = text

    def notify(self, context):
        print(f"told {self.text}", flush=True)


def reads(**kwargs):
    from airflow.sdk import BaseHook, Variable

    print(f"read {BaseHook.get_connection('site_only').host} {Variable.get('site_only')}", flush=True)


def alert(**kwargs):
    print(f"alerted with {kwargs}", flush=True)


__all__ = ["Tells", "alert", "reads", "run", "system"]
