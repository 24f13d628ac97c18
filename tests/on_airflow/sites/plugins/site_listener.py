"""A plugin that an owner of a site might have: its listener writes down which tasks start and end."""

from __future__ import annotations

import os
import sys

import site_journal
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin


def _heard(state, task_instance):
    site_journal.write("listener", state=state, task=task_instance.task_id, site=os.environ["SITE_NAME"])


@hookimpl
def on_task_instance_running(previous_state, task_instance):
    _heard("running", task_instance)


@hookimpl
def on_task_instance_success(previous_state, task_instance):
    _heard("success", task_instance)


@hookimpl
def on_task_instance_failed(previous_state, task_instance, error):
    _heard("failed", task_instance)


class SiteListener(AirflowPlugin):
    name = "site_listener"
    listeners = [sys.modules[__name__]]
