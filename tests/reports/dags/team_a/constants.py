"""Constants of a team."""

PREFIX = "team-a"
