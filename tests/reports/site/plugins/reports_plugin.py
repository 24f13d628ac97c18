"""A plugin as sites have one: a listener, a macro, and a module that Dags import."""

from __future__ import annotations

import witness
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

LISTENED = "a_listener_hears_each_end"


def shout(text: str) -> str:
    """A macro."""
    return text.upper() + "!"


class Listener:
    """Writes down what happens to the tasks of one Dag."""

    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        self._heard("running", previous_state, task_instance)

    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        self._heard("success", previous_state, task_instance)

    @hookimpl
    def on_task_instance_failed(self, previous_state, task_instance, error):
        self._heard("failed", previous_state, task_instance, error=error)

    @hookimpl
    def on_task_instance_skipped(self, previous_state, task_instance):
        self._heard("skipped", previous_state, task_instance)

    @staticmethod
    def _heard(event, previous_state, ti, **facts):
        if ti.dag_id == LISTENED:
            facts |= {"task": ti.task_id, "try": ti.try_number, "previous": str(previous_state)}
            witness.saw(f"listener_{event}", dag=ti.dag_id, **facts)


class ReportsPlugin(AirflowPlugin):
    """What Airflow loads."""

    name = "reports_plugin"
    listeners = [Listener()]
    macros = [shout]
