"""Where we touch Airflow's internals: one module per seam, so that a new Airflow minor means editing these."""
