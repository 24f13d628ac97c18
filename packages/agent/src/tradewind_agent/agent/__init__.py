"""The composition root: `composition` wires every part of the agent, and only it knows all of them."""

from tradewind_agent.agent.composition import Agent, run

__all__ = ["Agent", "run"]
