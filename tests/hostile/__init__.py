"""An attacker's suite: named attempts against a real plane and real agents, each held off or the suite is red."""
