"""`tradewind platform doctor`: what a platform's owner is asked when something does not work. A check changes nothing.

One file for each thing that is examined; `examination.py` puts them in order.
"""
