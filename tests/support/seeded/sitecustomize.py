"""On PYTHONPATH of both sides of a comparison: Dags that throw dice throw the same ones in every forked process."""

import os
import random

os.register_at_fork(after_in_child=lambda: random.seed(7))
