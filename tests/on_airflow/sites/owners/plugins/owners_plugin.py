"""A plugin with what the plane computes by, too: a timetable and a priority strategy. Both sides install it."""

from __future__ import annotations

from datetime import timedelta

from airflow.plugins_manager import AirflowPlugin
from airflow.task.priority_strategy import PriorityWeightStrategy
from airflow.timetables.base import DataInterval
from airflow.timetables.trigger import CronTriggerTimetable


class ThreeDays(CronTriggerTimetable):
    """Runs are about the three days before them."""

    def infer_manual_data_interval(self, *, run_after):
        return DataInterval(start=run_after - timedelta(days=3), end=run_after)


class FortyTwo(PriorityWeightStrategy):
    """Every task is as urgent as the next one."""

    def get_weight(self, ti):
        return 42


class OwnersPlugin(AirflowPlugin):
    name = "owners_plugin"
    timetables = [ThreeDays]
    priority_weight_strategies = [FortyTwo]
