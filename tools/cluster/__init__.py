"""A real Kubernetes on one Linux machine without Docker, for the demonstration and the end-to-end tests.

The parts run in a network namespace of their own, from which nothing can leave the machine; everything that they
write lies below one cache folder (`layout.py`). `python -m tools.cluster up`, `down`, `status`, `images`.
docs/local-cluster.md tells the story.
"""
