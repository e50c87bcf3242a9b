"""Actions as bytes: one codec per action space."""
