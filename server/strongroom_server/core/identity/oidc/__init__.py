"""Identity tokens: signed JSON Web Tokens that say who an entity is, and the keys by which others check them.

HTTP API, "Identity tokens"; OpenID Connect Discovery 1.0; RFC 7517 (JWK), 7519 (JWT).
"""
