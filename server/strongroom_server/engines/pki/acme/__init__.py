"""ACME (RFC 8555): certificates for those who prove that a name is theirs."""
