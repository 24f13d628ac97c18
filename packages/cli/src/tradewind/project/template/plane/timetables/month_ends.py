"""A timetable of the project: the last day of each month, which no cron expression can say.

The plane schedules by it, so it gets this file by `tradewind project deploy plane`. The site parses with it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.trigger import CronTriggerTimetable


class MonthEnd(CronTriggerTimetable):
    """Of the moments of a cron expression, those on the last day of a month."""

    def next_dagrun_info(self, *, last_automated_data_interval: Any, restriction: Any) -> Any:
        last = last_automated_data_interval
        while True:
            info = super().next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
            if info is None or (info.run_after + timedelta(days=1)).month != info.run_after.month:
                return info
            last = info.data_interval


class MonthEnds(AirflowPlugin):
    name = "month_ends"
    timetables = [MonthEnd]
