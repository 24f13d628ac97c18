"""Tradewind beside LocalExecutor, edge3 and CeleryExecutor: same machine, same Airflow, same Dags. See docs/benchmarks.md."""
