"""The audit: whether an environment can be rolled back, what would go wrong, and what to do: `pycore audit`."""

from pycore.audit.findings import HARMS, Finding, Report

__all__ = ["HARMS", "Finding", "Report"]
