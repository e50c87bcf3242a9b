"""The version, which wheel, package and peers share."""

__version__ = "0.1.0"
