"""The kernel of batches: the compiled one (``kernel.c``) where it was built, else the same in Python."""

try:
    from strongroom_server.engines.transit._kernel import seal, unseal
except ImportError:  # no compiler when this was installed, or another machine's file
    from strongroom_server.engines.transit.plain_kernel import seal, unseal

__all__ = ["seal", "unseal"]
