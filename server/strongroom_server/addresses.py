"""Addresses that a server file leaves to the machine: ``{{ GetPrivateIP }}`` and ``{{ GetInterfaceIP "eth0" }}``.

Of the language that Vault takes here (https://pkg.go.dev/github.com/hashicorp/go-sockaddr/template) these are the words
that files in use have; others are refused by name.
"""

import fcntl
import ipaddress
import re
import socket
import struct
from dataclasses import replace

from strongroom_common.settings import SettingsError
from strongroom_server.config import Config

_TEMPLATE = re.compile(r'\{\{\s*(\w+)(?:\s+"([^"]*)")?\s*\}\}')
_SIOCGIFADDR = 0x8915  # netdevice(7)
_ELSEWHERE = ("192.0.2.1", 9)  # RFC 5737: nobody is asked, the route alone is looked up


def with_addresses(config: Config) -> Config:
    """Return the file with its templates filled in; raises SettingsError for one that is unknown or has no answer."""
    listeners = tuple(
        replace(one, address=filled(one.address), cluster_address=filled(one.cluster_address))
        for one in config.listeners
    )
    return replace(config, api_addr=filled(config.api_addr), cluster_addr=filled(config.cluster_addr),
                   listeners=listeners)  # fmt: skip


def filled(text: str) -> str:
    """Return an address with its templates filled in."""
    if "{{" not in text:
        return text
    text = _TEMPLATE.sub(lambda found: _value(found[1], found[2]), text)
    if "{{" in text:
        raise SettingsError(f"address {text}: {_EXPECTED}")
    return text


def _value(word: str, argument: str | None) -> str:
    if word == "GetInterfaceIP" and argument:
        return _of_interface(argument)
    if word in ("GetPrivateIP", "GetPublicIP") and argument is None:
        own = _towards_others()
        if own is None or ipaddress.ip_address(own).is_private is not (word == "GetPrivateIP"):
            raise SettingsError(f"{{{{ {word} }}}}: this machine has no such address on its default route")
        return own
    raise SettingsError(f"{{{{ {word} }}}}: {_EXPECTED}")


def _of_interface(name: str) -> str:
    request = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            return socket.inet_ntoa(fcntl.ioctl(probe, _SIOCGIFADDR, request)[20:24])
        except OSError:
            raise SettingsError(f'{{{{ GetInterfaceIP "{name}" }}}}: no such interface, or it has no address') from None


def _towards_others() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return None
        own: str = probe.getsockname()[0]
        return own


_EXPECTED = 'expected {{ GetPrivateIP }}, {{ GetPublicIP }} or {{ GetInterfaceIP "name" }}'
