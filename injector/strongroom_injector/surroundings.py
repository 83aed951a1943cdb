"""Keeps up to date what holds for every pod: the cluster's version, and defaults that a ConfigMap may change."""

import logging

from strongroom_injector.admission import Surroundings
from strongroom_injector.config import Config, Defaults, overlay
from strongroom_injector.kube import Kube

NATIVE_SIDECARS = (1, 29)
EVERY = 15.0
"""Seconds between looks."""
_log = logging.getLogger(__name__)


class Known:
    """``current`` is what holds now; None until the API server has said its version."""

    def __init__(self, kube: Kube, config: Config, defaults: Defaults) -> None:
        self.current: Surroundings | None = None
        self._kube, self._config, self._defaults = kube, config, defaults
        self._problems: list[str] = []

    async def refresh(self) -> None:
        """Ask for the version and the ConfigMap; raises KubeError."""
        version = await self._kube.version()
        defaults = await self._current_defaults()
        known = Surroundings(defaults.settings, defaults.ca_pem, version >= NATIVE_SIDECARS, self._config.namespace)
        if known != self.current:
            _log.info("the cluster's version is %d.%d, native sidecars: %s", *version, known.native_sidecars)
        self.current = known

    def surroundings(self) -> Surroundings:
        """Return what holds now; until the version is known, what an older cluster would need."""
        return self.current or Surroundings(
            self._defaults.settings, self._defaults.ca_pem, native_sidecars=False, own_namespace=self._config.namespace
        )

    def problem(self) -> str | None:
        """Say why pods cannot be injected yet."""
        return None if self.current else "the API server has not said its version yet"

    async def _current_defaults(self) -> Defaults:
        name = self._config.defaults_config_map
        found = await self._kube.config_map(self._config.namespace, name) if name else None
        defaults, problems = overlay(self._defaults, (found or {}).get("data") or {})
        if problems != self._problems:
            for problem in problems:
                _log.error("ConfigMap %s: %s is left out", name, problem)
        self._problems = problems
        return defaults
