"""What one process asks the others, and is asked: answered from memory at once, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from pycore.relay.cluster.ways import Item, Ways
from pycore.relay.elsewhere import Answer

ANSWER_S: Final = 0.5
"""What a process may take to answer; one that lives does so within milliseconds."""


class Questions:
    """Of one process."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {"lives": lambda question: {"lives": True}}

    def on(self, kind: str, answer: Answer) -> None:
        """Have questions of that kind answered."""
        self._answers[kind] = answer

    def asked(self, question: Item) -> Item | None:
        """The answer to another process's question; None: this version knows none."""
        answer = self._answers.get(question["t"])
        return None if answer is None else answer(question)

    async def ask_all(self, ways: Ways, question: Item, of: Sequence[str]) -> dict[str, Item | None]:
        """What these processes say, all asked at once; None: nothing in time."""
        answers = await asyncio.gather(*(ways.ask(process, question, ANSWER_S) for process in of))
        return dict(zip(of, answers, strict=True))
