"""How many connections one address has: a laboratory plays, and a stranger takes nobody's place."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from relay_support import Client, running

from pycore.relay import Limits
from pycore.relay.transport.addresses import Addresses, network_of

FEW = Limits(address_connections=3, address_rate=1.0, address_burst=100)
BESIDE = "127.0.0.2"
"""An address of this machine that no proxy has."""


def test_an_address_has_so_many_connections_and_others_are_not_concerned() -> None:
    """One that ends makes room; each counts once."""
    of = Addresses(FEW, lambda: 0.0)
    assert [of.connects(number, "192.0.2.1") for number in range(5)] == [True] * 3 + [False] * 2
    assert of.connects("other", "192.0.2.2")
    for gone in (3, 0, 0):
        of.gone(gone)
    assert [of.connects(number, "192.0.2.1") for number in (5, 6)] == [True, False]


def test_connections_that_come_too_fast_are_too_many_until_time_has_passed() -> None:
    """Though those before them are gone."""
    now = [0.0]
    of = Addresses(Limits(address_rate=2.0, address_burst=3), lambda: now[0])

    def come(address: str = "192.0.2.1") -> bool:
        came = of.connects("one", address)
        of.gone("one")
        return came

    assert [come() for _ in range(4)] == [True, True, True, False]
    assert come("192.0.2.2")
    now[0] = 1.0
    assert [come() for _ in range(3)] == [True, True, False]


def test_a_network_of_ipv6_is_one_address_and_a_unix_socket_is_none() -> None:
    """Nobody has one address of those alone."""
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::4") != network_of("2001:db8:1:2::4")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert [network_of(name) for name in ("", "/run/pycore.sock", "unix:")] == [None] * 3
    of = Addresses(FEW, lambda: 0.0)
    assert all(of.connects(number, "") and of.asks("") for number in range(20))


def test_a_proxy_is_not_counted_and_those_behind_it_are() -> None:
    """By the address that it names."""
    of = Addresses(FEW, lambda: 0.0)
    of.trust({"10.0.0.1"}.__contains__, everybody=False)
    assert all(of.connects(number, "10.0.0.1") for number in range(20))
    assert [of.asks("192.0.2.1") for _ in range(4)] == [True, True, True, False]
    assert of.asks("192.0.2.2")
    of.answered("192.0.2.1")
    assert [of.asks("192.0.2.1") for _ in range(2)] == [True, False]
    assert all(of.asks("10.0.0.1") for _ in range(20)), "who asks from the proxy's own machine"


def test_where_there_is_always_a_proxy_whoever_it_names_is_counted() -> None:
    """`FORWARDED_ALLOW_IPS=*`, as in a container."""
    of = Addresses(FEW, lambda: 0.0)
    of.trust(lambda address: True, everybody=True)
    assert all(of.connects(number, "172.17.0.1") for number in range(20))
    assert [of.asks("192.0.2.1") for _ in range(4)] == [True, True, True, False]


def test_a_limit_of_zero_is_none() -> None:
    """Of either kind."""
    of = Addresses(Limits(address_connections=0), lambda: 0.0)
    assert all(of.connects(number, "192.0.2.1") and of.asks("192.0.2.1") for number in range(2000))
    of = Addresses(Limits(address_rate=0), lambda: 0.0)
    for number in range(2000):
        assert of.connects(number, "192.0.2.1")
        of.gone(number)


def test_it_is_said_once_in_a_while_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """A proxy that nobody named looks like a stranger."""
    now = [0.0]
    of = Addresses(FEW, lambda: now[0])
    for second in range(100):
        now[0] = float(second)
        of.connects(second, "192.0.2.1")
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 2
    assert lines[0].startswith("192.0.2.1 has 3 connections")
    assert "FORWARDED_ALLOW_IPS" in lines[0]


@pytest.mark.slow
def test_one_address_is_cut_off_and_its_sockets_and_others_stay(tmp_path: Path) -> None:
    """And when its sockets go, it may come again."""

    async def opened(port: int) -> bool:
        """Whether a connection from that address is answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(BESIDE, 0))
        kept.append(writer)
        writer.write(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            return (await asyncio.wait_for(reader.read(12), 5)).endswith(b"200")
        except ConnectionError:
            return False

    kept: list[asyncio.StreamWriter] = []

    async def go(url: str) -> None:
        port = int(url.rstrip("/").rpartition(":")[2])
        assert [await opened(port) for _ in range(5)] == [True, True, True, False, False]
        # Whoever comes from this machine, where a proxy would be, is not concerned.
        clients = [await Client(url).connect() for _ in range(5)]
        assert (await clients[-1].call("pycore_ping", {}))["status"] == "ok"
        for writer in kept:
            writer.close()
        for _ in range(100):
            if await opened(port):
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("it does not come again")
        kept[-1].close()
        await asyncio.gather(*(client.close() for client in clients))

    with running(tmp_path, limits=FEW) as relay:
        asyncio.run(go(relay.url))


@pytest.mark.slow
def test_a_websocket_counts_until_it_ends_and_whoever_a_proxy_names_is_refused(tmp_path: Path) -> None:
    """By 403 in the place of a WebSocket, and by 429."""

    async def asked(port: int, client: str, path: str, more: str = "") -> tuple[int, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\n{more}\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        return int(head.split()[1]), writer

    websocket = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )

    async def go(url: str) -> None:
        port = int(url.rstrip("/").rpartition(":")[2])
        path = "/socket.io/?EIO=4&transport=websocket"
        found = [await asked(port, "192.0.2.1", path, websocket) for _ in range(4)]
        assert [status for status, _ in found] == [101, 101, 101, 403]
        assert (await asked(port, "192.0.2.1", "/api/health"))[0] == 429
        assert (await asked(port, "192.0.2.2", "/api/health"))[0] == 200
        assert (await asked(port, "192.0.2.2", path, websocket))[0] == 101
        found[0][1].close()
        for _ in range(100):
            if (await asked(port, "192.0.2.1", "/api/health"))[0] == 200:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("a socket that went counts still")
        for _, writer in found:
            writer.close()

    with running(tmp_path, limits=FEW) as relay:
        asyncio.run(go(relay.url))
