"""HTTP. One audience per package: agents, operators; the door leads agents to Airflow's own Execution API."""
