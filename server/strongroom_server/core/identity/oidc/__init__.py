"""Identity tokens: signed JSON Web Tokens that say who an entity is, and the keys by which others check them.

So that people log in by us elsewhere, an OpenID provider: ``authorize`` gives a client a code, ``exchange`` tokens for
it, ``userinfo`` the claims.

HTTP API, "Identity tokens", "OIDC identity provider"; OpenID Connect Core 1.0 and Discovery 1.0; RFC 7517 (JWK), 7519
(JWT).
"""
