"""The files of the site: which anybody may have, and how they are sent."""
