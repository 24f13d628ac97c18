"""Dags that rely on what their site's owner has installed."""

from __future__ import annotations

import os
from types import SimpleNamespace

import site_journal
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task
from owners_plugin import FortyTwo, ThreeDays

NAME = os.environ["SITE_NAME"]

with DAG("owners_own", schedule=ThreeDays("0 0 1 1 *", timezone="UTC"), catchup=False):

    @task
    def tried_again_by_policy(ti=None):
        if ti.try_number == 1:
            raise RuntimeError("as planned")

    @task
    def mutates_a_pod():
        """As KubernetesPodOperator does before it asks for a pod."""
        from airflow.settings import pod_mutation_hook

        pod = SimpleNamespace(metadata={})
        pod_mutation_hook(pod)
        site_journal.write("pod", metadata=pod.metadata, site=NAME)

    @task
    def interval(data_interval_start=None, data_interval_end=None):
        days = (data_interval_end - data_interval_start).days
        site_journal.write("interval", days=days, site=NAME)

    @task
    def mutated_by_the_plane():
        pass

    @task(weight_rule=FortyTwo())
    def urgent():
        pass

    tried_again_by_policy()
    mutates_a_pod()
    interval()
    mutated_by_the_plane()
    urgent()
    command = 'echo "{\\"event\\": \\"context\\", \\"site\\": \\"$SITE_NAME\\", \\"task\\": \\"$AIRFLOW_CTX_OF_THE_OWNER\\"}" >> $SITE_JOURNAL'
    BashOperator(task_id="sees_the_context", bash_command=command)
