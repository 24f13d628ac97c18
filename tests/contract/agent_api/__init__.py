"""What the plane promises agents: the same tests against the plane that agents are tested with and against the real one."""
