"""What Airflow imports by name: a trigger, and a bundle that signs in with a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import site_journal
from airflow.dag_processing.bundles.local import LocalDagBundle
from airflow.sdk import BaseHook, BaseOperator, Variable
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async


def write(where: str, connection: Any, variable: str) -> None:
    site_journal.write("asked", where=where, password=connection.password, variable=variable)


class Asks(BaseTrigger):
    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "asking_for_secrets_later.Asks", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        connection = await sync_to_async(BaseHook.get_connection)("warehouse")
        variable = await sync_to_async(Variable.get)("limit")
        write("trigger", connection, variable)
        yield TriggerEvent({"asked": True})


class AsksInATrigger(BaseOperator):
    def execute(self, context: Any) -> None:
        self.defer(trigger=Asks(), method_name="resumed")

    def resumed(self, context: Any, event: Any) -> None:
        """The trigger has asked."""


class SignsIn(LocalDagBundle):
    """A local folder, which asks for its credentials as a Git bundle does."""

    def initialize(self) -> None:
        super().initialize()
        write("bundle", BaseHook.get_connection("warehouse"), Variable.get("limit"))
