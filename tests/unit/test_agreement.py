"""Records of one game are compared line by line, to the end of the longest."""

from __future__ import annotations

import pytest
from records_support import changed, played

from pycore.records import Agreement, Reading, RecordError, agree
from pycore.records.agreement import Held, NotOneGame, joined


def agreed(**texts: str) -> Agreement:
    """What is found of these texts."""
    return agree({name: Reading(text.removesuffix("\n").split("\n"), name) for name, text in texts.items()})


def test_the_records_of_a_whole_game_are_the_same() -> None:
    """Whatever the network did."""
    texts, _ = played(seats=3)
    found = agreed(a=texts["0"], b=texts["1"], c=texts["2"])
    assert found.identical
    assert found.held["b"].whole
    assert (found.held["c"].rows, found.held["c"].stops_at) == (100, (2, 0))
    assert found.header["players"] == [0, 1, 2]


def test_who_left_has_the_first_lines_of_the_others() -> None:
    """Fewer rows are no difference; where they stop is told."""
    texts, _ = played(leaves=True)
    found = agreed(left=texts["1"], stayed=texts["0"])
    assert found.parting is None
    assert not found.identical
    assert found.longest == "stayed"
    assert found.held["left"].stops_at == (1, 41)
    assert found.held["stayed"].stops_at == (1, 42)
    assert not found.held["stayed"].whole


def test_input_delays_are_those_of_their_episode_also_behind_one_that_no_record_has() -> None:
    """Tables had none of any episode behind it, and who stood in by the record was held against none."""
    text = played()[0]["0"]
    header, *lines = text.split("\n")
    whole = agreed(a=text).delays
    assert agreed(a="\n".join([header, *lines[51:]])).delays == {1: whole[1]}


def test_records_together_have_of_each_episode_what_the_one_with_most_has() -> None:
    """Also behind an episode of which none has anything."""
    header, *lines = played()[0]["0"].split("\n")
    first, second = lines[:51], [line.replace('"episode":1', '"episode":2').replace('{"end":1', '{"end":2')
                                 for line in lines[51:102]]  # fmt: skip
    texts = {"a": [header, *first[:20], *second, ""], "b": [header, *first, *second[:30], ""]}

    def opened() -> dict[str, Reading]:
        return {name: Reading(text[:-1], name) for name, text in texts.items()}

    found = agree(opened())
    assert (found.longest, found.holders) == ("a", {0: "b", 2: "a"})
    assert found.together == Held(100, (50, 0, 50), (True, False, True))
    assert [item.text for item in joined(opened(), found.holders)] == [*first, *second]


def test_the_first_line_that_differs_is_told_with_its_fields() -> None:
    """Of whom, and where; the rest is read all the same."""
    texts, _ = played(seats=3)
    other = changed(texts["2"], 62, lambda value: value["rewards"].update({"1": 77}))
    other = changed(other, 63, lambda value: value["rewards"].update({"1": 78}))
    found = agreed(a=texts["0"], b=texts["1"], c=other)
    assert found.parting is not None
    assert (found.parting.line, found.parting.episode, found.parting.frame) == (62, 1, 9)
    assert (found.parting.one, found.parting.other) == ("a", "c")
    assert [(path, right) for path, _, right in found.parting.fields] == [("$.rewards['1']", 77)]
    assert str(found.parting).startswith("episode 1, frame 9 (line 62): $.rewards['1'] is ")
    assert found.held["c"].rows == 100


def test_a_hash_and_an_end_that_differ_are_differences() -> None:
    """An end where the other goes on, too."""
    text = played()[0]["0"]
    hashed = agreed(a=text, b=changed(text, 22, lambda value: value.update(hash="00" * 8))).parting
    assert hashed is not None
    assert [path for path, *_ in hashed.fields] == ["$.hash"]
    ended = changed(text, 52, lambda value: value.update(hash="00" * 8))
    assert str(agreed(a=text, b=ended).parting).startswith("episode 0, frame 50 (line 52): $.hash is ")
    lines = text.split("\n")
    sooner = "\n".join([*lines[:50], '{"end":0,"frames":49,"hash":"00"}'])
    found = agreed(a=text, b=sooner).parting
    assert found is not None
    assert (found.episode, found.frame) == (0, 49)


@pytest.mark.parametrize(
    ("key", "value"), [("game_id", "other"), ("seed", 5), ("configuration", "00"), ("players", [1, 0])]
)
def test_the_record_of_another_game_is_refused_by_the_name_of_what_differs(key: str, value: object) -> None:
    """It is no difference of this game."""
    text = played()[0]["0"]
    other = changed(text, 1, lambda header: header.update({key: value}))
    with pytest.raises(NotOneGame, match=f"^b is not of the same game as a: its {key} is "):
        agreed(a=text, b=other)


def test_a_record_that_cannot_be_read_is_refused_with_its_name_and_line() -> None:
    """Also behind the first difference."""
    text = played()[0]["0"]
    cut = changed(text, 9, lambda value: value.update(hash="00"))[:-30]
    with pytest.raises(RecordError, match=r"^b: line 103: no JSON"):
        agreed(a=text, b=cut)
