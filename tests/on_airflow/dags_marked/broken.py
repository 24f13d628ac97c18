"""Cannot be imported."""

from airflow.sdk import DAG  # noqa: F401

password = "SECRET-LINE-before-the-error"
customers = {"SECRET-LINE-in-the-traceback": 1}["nobody"]
