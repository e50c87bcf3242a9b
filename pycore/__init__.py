"""pycore: a rollback core for Python environments in the browser."""

__version__ = "0.1.0"
