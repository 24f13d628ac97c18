"""What the agent keeps in its state directory from one start to the next: identity, keys, outbox, storage requests."""
