"""A package of a team, in the folder of its Dags."""
