"""Which sites' pages may connect, and what the log says of those that may not."""

from __future__ import annotations

import logging

import pytest

from pycore.errors import UsageError
from pycore.relay.transport.origins import QUIET_S, REMEMBERED, Origins, read_origin

STUDY = "https://study.example.org"


@pytest.mark.parametrize(
    ("origin", "headers", "allowed"),
    [
        ("http://127.0.0.1:8000", {"HTTP_HOST": "127.0.0.1:8000"}, True),
        ("http://[::1]:8000", {"HTTP_HOST": "[::1]:8000"}, True),
        # A proxy that speaks https and does not say so.
        (STUDY, {"HTTP_HOST": "study.example.org", "wsgi.url_scheme": "http"}, True),
        (STUDY, {"HTTP_HOST": "study.example.org:443"}, True),
        (STUDY + ":8443", {"HTTP_HOST": "study.example.org:8443"}, True),
        ("HTTPS://Study.Example.Org", {"HTTP_HOST": "STUDY.example.org"}, True),
        # A proxy that asks by its own name for us, and says as whom it was asked.
        (STUDY, {"HTTP_HOST": "127.0.0.1:8000", "HTTP_X_FORWARDED_HOST": "study.example.org"}, True),
        (STUDY, {"HTTP_HOST": "a:1", "HTTP_X_FORWARDED_HOST": "study.example.org, inner.example.org"}, True),
        (STUDY, {"HTTP_HOST": "127.0.0.1:8000"}, False),
        (STUDY + ":8443", {"HTTP_HOST": "study.example.org"}, False),
        ("https://evil.example", {"HTTP_HOST": "study.example.org"}, False),
        ("https://study.example.org.evil.example", {"HTTP_HOST": "study.example.org"}, False),
        ("https://study.example.org@evil.example", {"HTTP_HOST": "study.example.org"}, False),
        ("https://evil.example", {"HTTP_HOST": "study.example.org@evil.example"}, False),
        ("null", {"HTTP_HOST": "null"}, False),
        ("https://study.example.org:99999", {"HTTP_HOST": "study.example.org:99999"}, False),
        ("", {"HTTP_HOST": ""}, False),
        (STUDY, {}, False),
    ],
)
def test_the_own_site_is_the_one_that_the_server_is_asked_as(
    origin: str, headers: dict[str, str], allowed: bool
) -> None:
    assert Origins()(origin, headers) is allowed


@pytest.mark.parametrize("named", [STUDY, STUDY + "/", "HTTPS://Study.example.org", STUDY + ":443/", " " + STUDY])
def test_a_named_site_is_one_more_however_it_is_spelled(named: str) -> None:
    origins = Origins([named])
    assert origins(STUDY, {"HTTP_HOST": "relay.example.org"})
    assert origins("https://relay.example.org", {"HTTP_HOST": "relay.example.org"})
    assert not origins("http://study.example.org", {"HTTP_HOST": "relay.example.org"})
    assert not origins("https://evil.example", {"HTTP_HOST": "relay.example.org"})


def test_every_site_may_be_named() -> None:
    assert Origins(["*"])("https://any.example", {"HTTP_HOST": "relay.example.org"})


@pytest.mark.parametrize("named", ["study.example.org", "https://a.b/page", "ftp://a.b", "https://", "https://a:x", ""])
def test_what_is_no_site_is_said_at_the_start(named: str) -> None:
    with pytest.raises(UsageError, match=r"is no site: it is named as https://study\.example\.org"):
        Origins([named])
    with pytest.raises(UsageError):
        read_origin(named)


def test_a_refusal_says_what_to_do_and_not_for_every_request(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    origins = Origins(clock=lambda: now[0])
    with caplog.at_level(logging.WARNING, "pycore.relay"):
        for _ in range(5):
            origins(STUDY, {"HTTP_HOST": "127.0.0.1:8000"})
        (record,) = caplog.records
        assert record.getMessage() == (
            "a page of 'https://study.example.org' was refused: this server is asked as '127.0.0.1:8000'. If that page "
            "is the study's and a proxy stands between, have it pass on the name (nginx: proxy_set_header Host "
            "$http_host); if it is another site's, and may connect, start with --origin and its address"
        )
        now[0] += QUIET_S
        origins(STUDY, {"HTTP_HOST": "127.0.0.1:8000"})
        assert len(caplog.records) == 2


def test_made_up_sites_fill_neither_the_log_nor_the_memory(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    origins = Origins(clock=lambda: now[0])
    with caplog.at_level(logging.WARNING, "pycore.relay"):
        for number in range(10 * REMEMBERED):
            origins(f"https://{number}.example\x1b[2J", {"HTTP_HOST": "relay.example.org\x1b]0;"})
        assert len(caplog.records) == REMEMBERED
        assert not any("\x1b" in record.getMessage() for record in caplog.records)
        now[0] += QUIET_S
        origins("https://late.example", {"HTTP_HOST": "relay.example.org"})
        assert "https://late.example" in caplog.records[-1].getMessage()


def test_what_names_no_site_is_no_browsers_page_and_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    """A browser names none to a site of its own, either."""
    assert Origins()(None, {"HTTP_HOST": "127.0.0.1:8000"})
    assert caplog.messages == []
