"""What the platform does: one function for each request, in the transaction that it is given."""
