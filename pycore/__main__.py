"""`python -m pycore`: the command line."""

from __future__ import annotations

import sys

from pycore.version import __version__


def main() -> None:
    """Run the command line; without its dependencies, say how to get them."""
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
