"""Where BLAKE2b comes from.

`hashlib` only passes it on, and looks for nine other functions and for OpenSSL meanwhile: 20 milliseconds of a page's
start, for which every participant waits.
"""

from __future__ import annotations

try:
    from _blake2 import blake2b
except ImportError:  # a Python that has it elsewhere
    from hashlib import blake2b

__all__ = ["blake2b"]
