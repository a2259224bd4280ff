"""Queries and programs run here: in a worker process of their own, bounded and killable."""
