"""What the server says of its version."""

VERSION = "1.18.0"
"""The Vault release whose HTTP API is spoken; clients decide by it what they may ask."""

PRODUCT_VERSION = "0.1.0"
"""Strongroom's own."""

BUILD_DATE = "2026-11-25T00:00:00Z"
