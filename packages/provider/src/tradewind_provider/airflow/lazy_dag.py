"""A Dag as Airflow's `update_dag_parsing_results_in_db` takes it."""

from __future__ import annotations

from functools import cached_property

from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.timetables.base import Timetable


class LazyDag(LazyDeserializedDAG):
    """Airflow's own, but its timetable is read once: storing a Dag asks for it seventeen times, and Airflow's reads it
    anew each time, a description of its cron expression included."""

    @cached_property
    def timetable(self) -> Timetable:
        return super().timetable
