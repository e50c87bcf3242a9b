"""What everything that conducts an episode works with: what is simulated, what is known of it, and with whom."""

from __future__ import annotations

from collections.abc import Sequence

from pycore.frozen import Named
from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.course import Course
from pycore.session.dispatch import Dispatch
from pycore.session.episode import Episode
from pycore.session.publication import Publication
from pycore.simulation import Simulation


class Stage(Named):
    """The parts that the beginning, the ending and every tick of an episode share."""

    simulation: Simulation
    timeline: Timeline
    links: Sequence[Link]
    """Those that are there, which may become fewer."""
    episode: Episode
    course: Course
    dispatch: Dispatch
    publication: Publication
