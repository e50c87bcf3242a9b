"""The page's way in: `create` makes the bridge of one game."""

from pycore.bridge.bridge import Bridge, create

__all__ = ["Bridge", "create"]
