"""What exists only for speed or memory. Every process works without any of it; nothing in the adapter imports it."""
