"""Cluster policies of a site's owner."""

from __future__ import annotations

from airflow.exceptions import AirflowClusterPolicyViolation


def task_policy(task):
    if task.task_id == "tried_again_by_policy":
        task.retries = 1
        task.retry_delay = __import__("datetime").timedelta(seconds=1)


def dag_policy(dag):
    if dag.dag_id == "owners_refused":
        raise AirflowClusterPolicyViolation("owners_refused breaks a rule of the site's owner")
    if dag.dag_id == "owners_own":
        dag.max_active_runs = 3


def pod_mutation_hook(pod):
    pod.metadata["labels"] = {"of": "the-owner"}


def get_airflow_context_vars(context):
    return {"of_the_owner": context["ti"].task_id}
