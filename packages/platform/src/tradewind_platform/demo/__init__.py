"""`tradewind platform demo`: a platform with two Deployments, an agent each, and Dags that only the agents have."""
