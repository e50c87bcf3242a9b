"""Whether an environment comes to what the players' records say, and what it is that differs.

A hash says where, not what. So the states at that place are made anew: twice in CPython, and in the Pyodide of a page
that did not play. Of these three the fields are told that differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from pycore.audit.comparison import fields_that_differ
from pycore.errors import described
from pycore.rehearsal import again

WAYS: Final = ("cpython", "pyodide", "no")
HASHES: Final = ("hash", "final_hash")
DEPTH: Final = 3
"""Frames that are taken back, to see what a saved state lacks."""
SAMPLED: Final = 10
"""Frames from one state that is looked at to the next."""
SOURCE: Final = Path(again.__file__)

_CALL: Final = """
([source, call, text, settings]) => {
  const { pyodide, makeEnvironment } = window.pycoreLoaded;
  const names = pyodide.globals.get('dict')();
  names.set('__name__', 'pycore_again');
  names.set('make', makeEnvironment);
  names.set('text', text);
  names.set('settings', settings);
  pyodide.runPython(source, { globals: names });
  return pyodide.runPython(call, { globals: names });
}
"""


class Place(Protocol):
    """Somewhere a record can be stepped again."""

    def told(self, text: str) -> dict[str, Any] | None:
        """The first difference from the record: kind, episode, frame, said; None if there is none."""

    def state(self, text: str, episode: int, frame: int) -> bytes:
        """The canonical state before a frame, or at the end."""


class Here:
    """This interpreter; `make` makes a new environment, `settings` are those of the session, as JSON text."""

    def __init__(self, make: Callable[[], Any], settings: str) -> None:
        self._make = make
        self._settings = settings
        self.states: list[bytes] = []
        """Some of the canonical states that `told` came through, where the environment says what its state is."""

    def told(self, text: str) -> dict[str, Any] | None:
        """See `Place`."""
        stepping = again.Again(self._make, text, self._settings)
        simulation = stepping.simulation
        captured = getattr(simulation, "state_way", "capture") == "capture"
        for number, _ in enumerate(stepping.stepped()):
            if not captured and number % SAMPLED == 0:
                self.states.append(simulation.canonical(simulation.save()))
        return again.difference_of(stepping)

    def state(self, text: str, episode: int, frame: int, back: int = 0) -> bytes:
        """See `Place`, and `again.Again.state`."""
        return again.Again(self._make, text, self._settings).state(episode, frame, back)


class InPage:
    """The Pyodide of a page that has loaded the environment; `page` is asked for when it is needed."""

    def __init__(self, page: Callable[[], Any], settings: str) -> None:
        self._page = page
        self._settings = settings

    def told(self, text: str) -> dict[str, Any] | None:
        """See `Place`."""
        found: dict[str, Any] | None = json.loads(self._call("told(make, text, settings)", text))
        return found

    def state(self, text: str, episode: int, frame: int) -> bytes:
        """See `Place`."""
        return bytes.fromhex(self._call(f"state_hex(make, text, settings, {episode:d}, {frame:d})", text))

    def _call(self, call: str, text: str) -> str:
        source = SOURCE.read_text(encoding="utf-8")
        return str(self._page().evaluate(_CALL, [source, call, text, self._settings]))


def reproduced(way: str, text: str, here: Here, there: Place) -> str:
    """What differs where the record is stepped again; empty if nothing does. `way` is a word of `WAYS`."""
    if way == "no":
        return ""
    place: Place = here if way == "cpython" else there
    found = place.told(text)
    if found is None:
        return ""
    said = f"{'CPython' if way == 'cpython' else 'Pyodide'} does not reproduce it: {found['said']}"
    if found["kind"] not in (*HASHES, "results"):
        return said
    # What a frame gave shows in the state behind it.
    frame = found["frame"] + (found["kind"] == "results")
    return said + explained(text, found["episode"], frame, here, there, judged=way == "cpython")


def explained(text: str, episode: int, frame: int, here: Here, there: Place, judged: bool = False) -> str:
    """Why a state may differ between players, or between a record and this interpreter (`judged`): the fields, and what
    they depend on."""
    try:
        first, second = here.state(text, episode, frame), here.state(text, episode, frame)
        if first != second:
            return (
                f". The same actions come to something else each time: {_fields(first, second)}; that "
                "depends on what is no input: a clock, an unseeded generator, id() or hash()"
            )
        third = there.state(text, episode, frame)
        fields = "" if first == third else f": {_fields(first, third)}"
        if judged and there.told(text) is None:
            return (
                f". Pyodide does reproduce it, so the players saw one game, and CPython has other arithmetic{fields}. "
                "Judge by Pyodide (--reproduce pyodide), or use functions that are the same everywhere "
                "(docs/environment.md)"
            )
        if fields:
            return f". CPython and Pyodide come to different states{fields}"
        rolled = here.state(text, episode, frame, DEPTH)
        lost = "" if rolled == first else f": {_fields(first, rolled)}"
    except Exception as error:  # an environment may raise anything
        return f". Stepping it again raised {described(error)}"
    return (
        ". The same actions without any rollback come to one state in CPython and in Pyodide: something is lost when "
        f"the state is saved and loaded{lost}; pycore audit looks for it"
    )


def _fields(one: bytes, other: bytes) -> str:
    """As the author of the environment would call them."""
    return fields_that_differ(one, other).replace("env.layers[0].", "env.")
