"""The dag processor process's own parts: what a parse gave, what the plane holds, and the two threads that talk to it.

Nothing here imports Airflow; what does is in `tradewind_runtime.airflow.dags`.
"""
