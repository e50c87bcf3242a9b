"""What is wrong when a site cannot be made."""

from __future__ import annotations

from pycore.errors import UsageError


class SiteFailed(UsageError):
    """A site cannot be made of what was given: the message says of what, and what to do."""

    code = "site"
