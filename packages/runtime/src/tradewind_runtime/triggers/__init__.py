"""What a triggerer process keeps and whom it talks to. Nothing here imports Airflow; `airflow.triggers` does."""
