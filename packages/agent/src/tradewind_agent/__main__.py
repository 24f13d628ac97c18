"""`python -m tradewind_agent` is `tradewind-agent`."""

from tradewind_agent.cli.main import main

if __name__ == "__main__":
    main()
