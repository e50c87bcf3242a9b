"""`python -m pycore`: the command line."""

from __future__ import annotations

import codecs
import io
import json
import sys

from pycore.version import __version__

ESCAPED = "pycore.escaped"


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What an encoding has no sign for, as JSON spells it: what is printed as JSON stays that."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def main() -> None:
    """Run the command line; without its dependencies, say how to get them."""
    codecs.register_error(ESCAPED, _escaped)
    # A verdict must not be lost for a sign that a Windows file has not, nor one in a locale of ASCII, whose way with
    # signs is for names of files alone.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors=ESCAPED)
    try:
        from pycore.cli import cli
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        if sys.argv[1:] == ["--version"]:
            print(f"pycore, version {__version__}")
            return
        print(
            f"{error.name} is not installed; the command line needs: pip install 'interactive-gym-pycore[study]'",
            file=sys.stderr,
        )
        sys.exit(2)
    cli(prog_name="python -m pycore" if sys.argv[0].endswith("__main__.py") else None)


if __name__ == "__main__":
    main()
