"""HTTP. One package for each audience: agents, operators; the proxy leads agents to Airflow's own Execution API."""
