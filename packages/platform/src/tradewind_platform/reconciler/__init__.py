"""Carries out operations in steps, and observes what runs. A driver does the work in one kind of cluster."""
