"""tradewind_provider."""
