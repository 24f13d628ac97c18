"""What a triggerer host keeps and whom it talks to. Nothing here imports Airflow; `seams.triggers` does."""
