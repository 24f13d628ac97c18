"""tradewind_agent."""
