"""What people look at and change, one noun a module.

Each function works in the transaction it is given, takes the moment as `now`, and answers with messages of
`tradewind_protocol.operator`. A change is announced to the agents and recorded in the audit trail in the same
transaction, so that one never happens without the other.
"""
