"""Keys, encryption at rest, and hashes of tokens."""
