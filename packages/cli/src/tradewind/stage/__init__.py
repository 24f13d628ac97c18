"""A local plane with one agent, the Dags it runs, and what a person sees of them: `tradewind demo`, `tradewind project dev`."""
