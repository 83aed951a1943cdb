"""The paths of a PKI mount by subject."""
