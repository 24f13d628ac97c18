"""tradewind."""
