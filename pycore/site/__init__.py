"""The site: a folder that the relay serves, with a study's environment and everything that its page needs.

::

    index.html                      the page; the rest of it is in demo/
    core/, demo/                    the shims and the page
    vendor/                         socket.io's client as an ES module
    pyodide/                        a Pyodide, if it is not loaded from its usual address
    wheels/                         pycore, plain and, where it can be had, byte-compiled for that Pyodide
    packages/                       wheels that the environment needs and no index has, or that shall not come from one
    game/environment.py             the environment, and what it imports from its folder
    manifest.json                   where these are; the only thing that the loader knows by name

It is made from the running package alone, in a checkout and in an installed pycore alike.
"""

from __future__ import annotations

from pycore.site.building import build
from pycore.site.failing import SiteFailed
from pycore.site.pyodide import USUAL_PYODIDE
from pycore.site.study import Study

__all__ = ["USUAL_PYODIDE", "SiteFailed", "Study", "build"]
