"""Looking whether a name is its owner's, over the network: http-01, dns-01 (RFC 8555, 8), tls-alpn-01 (RFC 8737).

Security 1: what is read is short and its reading limited in time; redirects lead to ports 80 and 443 only. Security 2:
nothing that a stranger's server says reaches the client, but whether it was what was expected.
"""

import asyncio
import hashlib
import ipaddress
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509

from strongroom_server.engines.pki.acme import jws
from strongroom_server.engines.pki.acme.problems import Problem
from strongroom_server.engines.pki.acme.records import DNS, HTTP, Identifier
from strongroom_server.lib.bodies import read_body
from strongroom_server.lib.x509 import load_certificate

_TIMEOUT = 10.0  # seconds
_LONGEST = 8192  # bytes of an answer
_REDIRECTS = 10
_MOVED = {301, 302, 303, 307, 308}
_ACME_TLS = "acme-tls/1"
_ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING = b"\x04\x20"  # of 32 bytes


@dataclass(frozen=True)
class Prober:
    """Asks the network. ``resolver`` is the DNS server to ask ("1.1.1.1:53"), empty for the system's."""

    resolver: str = ""
    http_port: int = 80
    tls_port: int = 443

    async def prove(self, kind: str, identifier: Identifier, token: str, thumbprint: str) -> None:
        """Return if the name is proven by this challenge; raises Problem."""
        answer = f"{token}.{thumbprint}"
        try:
            async with asyncio.timeout(_TIMEOUT):
                if kind == HTTP:
                    await self._http(identifier, token, answer)
                elif kind == DNS:
                    await self._dns(identifier, answer)
                else:
                    await self._tls_alpn(identifier, answer)
        except TimeoutError:
            raise Problem("connection", "the answer took too long") from None
        except (aiohttp.ClientError, OSError):
            raise Problem("connection", "the connection failed") from None

    async def _http(self, identifier: Identifier, token: str, answer: str) -> None:
        host = f"[{identifier.value}]" if ":" in identifier.value else identifier.value
        port = "" if self.http_port == 80 else f":{self.http_port}"
        try:
            body = await self._fetch(f"http://{host}{port}/.well-known/acme-challenge/{token}")
        except ValueError:
            raise Problem("incorrectResponse", "there is no file at .well-known/acme-challenge", 403) from None
        if body.rstrip() != answer.encode():
            raise Problem("incorrectResponse", "the file at .well-known/acme-challenge is not the expected one", 403)

    async def _fetch(self, url: str) -> bytes:
        connector = aiohttp.TCPConnector(resolver=_AiohttpResolver(self), ssl=False)
        async with aiohttp.ClientSession(connector=connector) as session:
            for _ in range(_REDIRECTS):
                body, url = await _get(session, url)
                if body is not None:
                    return body
                if not self._may_follow(url):
                    break
        raise ValueError("it is somewhere else")

    def _may_follow(self, url: str) -> bool:
        parts = urlsplit(url)
        ports = {"http": self.http_port, "https": self.tls_port}
        return parts.scheme in ports and (parts.port in {None, 80, 443, ports[parts.scheme]})

    async def _dns(self, identifier: Identifier, answer: str) -> None:
        expected = jws.encode(hashlib.sha256(answer.encode()).digest())
        texts = await self._lookup(f"_acme-challenge.{identifier.value}", "TXT")
        if expected not in texts:
            raise Problem("incorrectResponse", "no TXT record of _acme-challenge is the expected one", 403)

    async def _tls_alpn(self, identifier: Identifier, answer: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate is self-signed; what it says is looked at below
        context.set_alpn_protocols([_ACME_TLS])
        name = identifier.value
        if identifier.type == "ip":
            name = ipaddress.ip_address(name).reverse_pointer  # RFC 8738, section 6
        _, writer = await asyncio.open_connection(
            await self.address(identifier.value), self.tls_port, ssl=context, server_hostname=name
        )
        secured = writer.get_extra_info("ssl_object")
        chosen, raw = secured.selected_alpn_protocol(), secured.getpeercert(binary_form=True)
        writer.transport.abort()  # there is nothing more to say
        with suppress(OSError):
            await writer.wait_closed()
        if chosen != _ACME_TLS or not _proves(raw or b"", identifier, answer):
            raise Problem("incorrectResponse", "the certificate is not the expected one", 403)

    async def address(self, host: str) -> str:
        """Return an address of a host; raises Problem."""
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            pass
        if not self.resolver:
            infos = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
            return str(infos[0][4][0])
        for kind in ("A", "AAAA"):
            try:
                return (await self._lookup(host, kind))[0]
            except Problem:
                continue
        raise Problem("dns", f"no address for {host}")

    async def _lookup(self, name: str, kind: str) -> list[str]:
        import dns.asyncresolver
        import dns.exception

        resolver = dns.asyncresolver.Resolver(configure=not self.resolver)
        if self.resolver:
            host, _, port = self.resolver.rpartition(":")
            resolver.nameservers, resolver.port = [host.strip("[]")], int(port)
        try:
            found = await resolver.resolve(name, kind, lifetime=_TIMEOUT)
        except dns.exception.DNSException:
            raise Problem("dns", f"no {kind} record of {name} could be found") from None
        if kind == "TXT":
            return [b"".join(record.strings).decode(errors="replace") for record in found]
        return [record.to_text() for record in found]


class _AiohttpResolver(AbstractResolver):
    """Lets aiohttp find addresses as the prober does; after each redirect, too."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the one address to connect to."""
        address = await self._prober.address(host)
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        del family
        flags = socket.AI_NUMERICHOST
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=flags)]

    async def close(self) -> None:
        """Nothing to release."""


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[bytes | None, str]:
    """Return the file at a URL, else where to look for it; raises ValueError where the answer is of no use."""
    async with session.get(url, allow_redirects=False) as answer:
        if answer.status == 200:
            return await read_body(answer, _LONGEST), url
        location = answer.headers.get("Location")
        if answer.status not in _MOVED or not location:
            raise ValueError("there is no file")
        return None, urljoin(url, location)


def _proves(raw: bytes, identifier: Identifier, answer: str) -> bool:
    """Tell whether a certificate is the challenge's (RFC 8737, section 3)."""
    try:
        certificate = load_certificate(raw)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        proof = certificate.extensions.get_extension_for_oid(_ACME_IDENTIFIER)
    except (ValueError, x509.ExtensionNotFound):
        return False
    own: list[Any] = (
        names.get_values_for_type(x509.DNSName)
        if identifier.type == "dns"
        else [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    )
    value = getattr(proof.value, "value", b"")
    expected = _OCTET_STRING + hashlib.sha256(answer.encode()).digest()
    return len(list(names)) == 1 and own == [identifier.value] and proof.critical and value == expected
