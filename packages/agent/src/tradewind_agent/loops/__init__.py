"""One forever-loop per file. `agent.py` is the only place that knows all of them."""
