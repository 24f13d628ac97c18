"""`tradewind demo`: a plane and an agent on this machine, and Dags that only the agent's side has ever seen.

`site` is the directory of the agent's owner, `runs` what the plane is asked to run and how it goes, `show` what a
person sees of it, `perform` the order of events.
"""
