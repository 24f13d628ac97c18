"""Attempts: confirmed, run, stopped, recorded. The rules of what an agent takes and what it gives back."""
