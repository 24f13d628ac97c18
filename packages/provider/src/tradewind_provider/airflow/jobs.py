"""Airflow's schedulers, as its `job` table knows them."""

from __future__ import annotations

from airflow.jobs.job import Job, JobState
from sqlalchemy import select
from sqlalchemy.orm import Session


def running_schedulers(db: Session) -> set[int]:
    """Ids of schedulers that have not ended or been given up."""
    return set(
        db.scalars(select(Job.id).where(Job.job_type == "SchedulerJob", Job.state == JobState.RUNNING)).all()
    )
