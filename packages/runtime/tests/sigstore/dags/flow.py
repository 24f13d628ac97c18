from airflow.sdk import DAG

with DAG("signed_by_ci", schedule=None):
    pass
