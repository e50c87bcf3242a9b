"""The page's way in: `create` makes the bridge of one game."""

from pycore.bridge.bridge import create

__all__ = ["create"]
