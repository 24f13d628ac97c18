"""What the agent's processes and attempts may do: their local secrets, and the grant of each task. No I/O."""
