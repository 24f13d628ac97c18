"""On PYTHONPATH of both sides of a comparison: Dags that throw dice throw the same ones in every process, forked or
started anew."""

import os
import random

random.seed(7)
os.register_at_fork(after_in_child=lambda: random.seed(7))
