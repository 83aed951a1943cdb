"""The second factor of logins (HTTP API, "Identity: login MFA").

``kinds`` says what methods there are, ``methods`` and ``enforcements`` are where operators set them up, ``secrets``
hands people what their authenticator needs, ``validation`` looks at what a login shows or has the vendors' services
look (``services``; ``duo``, ``okta``, ``pingid``), ``logins`` keeps logins that wait for it. ``store`` is where all of
that lies.
"""
