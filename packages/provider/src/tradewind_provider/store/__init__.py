"""Tables, statements and migrations of our own. Knows the domain, nothing above it."""
