"""Time-limited TURN credentials as coturn checks them with `use-auth-secret`.

The user name is ``<unix time of expiry>:<name>``, the password the Base64 of its HMAC-SHA1 under the secret
that relay and TURN server share (draft-uberti-behave-turn-rest). Nothing is registered anywhere, and a
credential that leaks is worthless after its time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pycore.errors import ConfigError

DEFAULT_TTL_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A TURN server and the secret shared with it."""

    urls: tuple[str, ...]
    secret: str
    ttl_s: float = DEFAULT_TTL_S
    """Lifetime of a credential: at least the longest session, since ICE restarts use it again."""
    force_relay: bool = False
    """True: pages use relayed candidates only (`iceTransportPolicy: 'relay'`): no player sees another's
    address."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Turn:
        """From ``{'urls': [...], 'secret': ..., 'ttl_s': ..., 'force_relay': ...}``; raises `ConfigError`."""
        unknown = sorted(set(values) - {"urls", "secret", "ttl_s", "force_relay"})
        if unknown:
            raise ConfigError(f"unknown TURN setting {unknown[0]!r}; known are urls, secret, ttl_s, force_relay")
        urls = values.get("urls")
        urls = [urls] if isinstance(urls, str) else urls
        if not isinstance(urls, list | tuple) or not urls:
            raise ConfigError("TURN needs `urls`: a list like ['turn:turn.example.org:3478']")
        for url in urls:
            if not isinstance(url, str) or not url.startswith(("turn:", "turns:", "stun:", "stuns:")):
                raise ConfigError(f"{url!r} is not a TURN address; it begins with turn:, turns:, stun: or stuns:")
        secret = values.get("secret")
        if not isinstance(secret, str) or not secret:
            raise ConfigError("TURN needs `secret`: coturn's static-auth-secret")
        ttl = values.get("ttl_s", DEFAULT_TTL_S)
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 60 <= ttl <= 30 * 86_400:
            raise ConfigError(f"TURN's ttl_s is {ttl!r}; it must be from 60 s to 30 days")
        return cls(tuple(urls), secret, float(ttl), bool(values.get("force_relay", False)))

    def config(self, name: str, wall: float) -> dict[str, Any]:
        """`turn_config` for one player, valid from `wall` (Unix time, s)."""
        username = f"{int(wall + self.ttl_s)}:{name}"
        mac = hmac.new(self.secret.encode(), username.encode(), hashlib.sha1).digest()
        return {
            "username": username,
            "credential": base64.b64encode(mac).decode("ascii"),
            "urls": list(self.urls),
            "force_relay": self.force_relay,
        }
