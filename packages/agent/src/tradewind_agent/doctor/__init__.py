"""`tradewind-agent doctor`: is everything here that an agent with these settings needs?

One file for each check. A check takes the `Patient` and yields results; it changes nothing but what it cleans up itself,
opens no session and may run beside a running agent. `examination.py` puts them in order.
"""
