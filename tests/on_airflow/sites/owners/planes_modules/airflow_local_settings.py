"""The cluster policy that a plane applies: tasks become task instances there."""

from __future__ import annotations


def task_instance_mutation_hook(task_instance, dag_run=None):
    if task_instance.task_id == "mutated_by_the_plane":
        task_instance.pool_slots = 2
