"""Placeholder until the executor lands."""

from airflow.executors.base_executor import BaseExecutor


class RemoteExecutor(BaseExecutor):
    """Airflow's executor whose workers are agents."""
