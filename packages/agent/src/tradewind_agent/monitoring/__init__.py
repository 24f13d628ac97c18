"""How the agent is, for people and their tools: checks, status, metrics, probes, logs. Changes nothing in the agent."""
