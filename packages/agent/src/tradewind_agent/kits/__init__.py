"""Small asyncio and file tools. They know nothing of agents, planes or attempts, and import nothing of ours."""
