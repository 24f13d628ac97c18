"""Where Airflow's internals are touched, one module per seam. A new Airflow minor means editing these files only."""
