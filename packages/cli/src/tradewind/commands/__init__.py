"""The verbs of the command, one module for each noun. They parse, call the operator client and print; no rules here."""
