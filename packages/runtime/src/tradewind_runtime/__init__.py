"""tradewind_runtime."""
