"""Every use of Airflow's internals that correctness needs, one module for each part of Airflow. Nothing here imports
`tradewind_runtime.accelerators`. A new Airflow minor means editing these files, and those of the accelerators."""
