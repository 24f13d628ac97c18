"""`python -m tradewind`."""

from tradewind.cli import main

main(prog_name="tradewind")
