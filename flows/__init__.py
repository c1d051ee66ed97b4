"""Which boxes, in which order. ``inflight`` is the main job: ``python -m bytewax.run flows.inflight``."""
