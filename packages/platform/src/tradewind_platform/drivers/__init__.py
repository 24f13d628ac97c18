"""What drivers of every kind do in the same way: databases, backups, and what they ask of a Deployment's Airflow."""
