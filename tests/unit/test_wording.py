"""The texts of pycore's page: one table per language, what a study changes of them, and what it may not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pycore.cli import cli
from pycore.errors import ConfigError
from pycore.site import Study, pages, wording

WEB = Path(__file__).resolve().parents[2] / "web"
ENGLISH = wording.table("en")
DEVELOPERS = re.compile(
    r"socket|peer|p2p|rollback|pyodide|python|relay|websocket|webrtc|\bms\b|\bframe|\bsession|\bcore\b|TURN|latency|"
    r"desync|buffer|episode|sitzung|latenz",
    re.IGNORECASE,
)
OF_DEVELOPERS = (
    "step.", "standing.server", "standing.relayed", "standing.direct", "summary.", "details.", "save.", "ended.reason",
    "store.refused_why",
)  # fmt: skip
"""Texts that the page shows in the developer's view alone."""


def forms(text: wording.Text) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


@pytest.mark.parametrize("language", wording.languages())
def test_every_table_has_all_texts_with_values_that_there_are(language: str) -> None:
    table = wording.table(language)
    assert list(table) == list(ENGLISH)
    for name, text in table.items():
        wording.check(name, text, ENGLISH[name])
        # A value that a language leaves out is something that its readers are not told.
        assert wording.values_of(text) == wording.values_of(ENGLISH[name]), name
        assert all(form.strip() for form in forms(text)), name


@pytest.mark.parametrize("language", wording.languages())
def test_participants_read_no_word_of_developers(language: str) -> None:
    said = {name: text for name, text in wording.table(language).items() if not name.startswith(OF_DEVELOPERS)}
    found = {name: DEVELOPERS.findall(" ".join(forms(text))) for name, text in said.items()}
    assert {name: words for name, words in found.items() if words} == {}
    assert DEVELOPERS.search("Rollbacks: 3")


def test_the_page_says_what_the_table_has_and_the_table_what_the_page_says() -> None:
    """A name that is nowhere would be seen as a name; one that nothing says would be translated for nothing."""
    html = (WEB / "demo" / "index.html").read_text("utf-8")
    source = "\n".join(path.read_text("utf-8") for path in sorted((WEB / "demo").glob("*.js")))
    asked = set(re.findall(r"'([a-z]+\.[A-Za-z_.-]+)'", source)) - NO_TEXTS
    asked |= set(re.findall(r"said\['([^']+)'\]", html))
    families = set(re.findall(r"`([a-z]+\.)\$\{", source))
    partners = {f"{name}.partner" for name in asked if f"{name}.partner" in ENGLISH}
    assert asked - set(ENGLISH) == set()
    unsaid = [name for name in ENGLISH if name not in asked | partners and not name.startswith(tuple(families))]
    assert unsaid == []


NO_TEXTS = {
    f"{module}.{what}" for module, whats in {
        "storage": "open send refused write flush hold", "keys": "down up hidden touch click release gamepad menu",
        "visit": "deposit return waiting", "canvas": "paint resize", "sprites": "image", "deposit": "keep",
    }.items() for what in whats.split()
} | {"unsent.json"}  # fmt: skip
"""What has a dot and is no text: places of reports, and a file."""


def test_a_study_changes_single_texts_and_all_others_are_those_of_its_language() -> None:
    said = wording.worded("de", {"start.play": "Los!"})
    assert (said["start.play"], said["end.again"]) == ("Los!", "Noch einmal spielen")
    assert wording.worded("de-AT", {})["start.play"] == "Spielen"


@pytest.mark.parametrize("language", ["de-AT", "de-Latn-CH-1996", "en-u-nu-latn", "EN-gb", "de-419"])
def test_a_language_is_spelled_with_script_region_and_variant(language: str) -> None:
    assert wording.worded(language, {})["start.play"] in ("Play", "Spielen")


def test_a_language_that_pycore_has_not_is_spoken_with_all_texts_from_the_study() -> None:
    own = {name: f"<{name}>" if isinstance(text, str) else {"other": f"<{name}>"} for name, text in ENGLISH.items()}
    assert wording.worded("nl", own)["start.play"] == "<start.play>"
    del own["end.again"]
    with pytest.raises(ConfigError, match=r"no texts \(it has de, en\).*1 are missing, the first is 'end.again'"):
        wording.worded("nl", own)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"start.plya": "Go"}, r"'start.plya'; did you mean 'start.play'\?"),
        ({"xyzzy": "Go"}, "`pycore texts` lists all"),
        ({"start.play": 3}, "it must be a text"),
        ({"start.play": {"one": "a", "other": "b"}}, "depends on no number"),
        ({"waiting.title": {"one": "a"}}, "no 'other'"),
        ({"waiting.title": {"on": "a", "other": "b"}}, "did you mean 'one'"),
        ({"game.score": "Points {scor}"}, r"\{scor\}; did you mean 'score'\?"),
        ({"start.play": "Go {there}"}, "no value can stand there"),
        ({"waiting.title": [1]}, "or an object of texts by number"),
    ],
)
def test_texts_that_the_page_could_not_say_are_refused_by_name(texts: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Study.of({"texts": texts})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"language": "english!"}, "must be a language's code"),
        ({"language": "fr"}, "for which pycore has no texts"),
        ({"language": 3}, "must be a language's code"),
        *(({"language": name}, "must be a language's code") for name in ("pt-B", "zh-s", "de-", "en-u", "de_AT")),
        ({"view": "researcher"}, "'participant' or 'developer'"),
        ({"winner": "best"}, "'most', 'least' or 'none'"),
        ({"smooth_corrections": 100}, "from 0 .* to 1"),
        ({"smooth_corrections": True}, "from 0 .* to 1"),
        ({"assets_to_preload": {"ball": "ball.png"}}, "must be a list"),
        ({"world": [600]}, "a width and a height"),
        ({"world": [600, 0]}, "a width and a height"),
        ({"texts": [1]}, "must be an object of texts by name"),
        ({"langauge": "de"}, "did you mean 'language'"),
        ({"action_names": {"ArrowDown": "duck"}}, "there is no action_mapping"),
        ({"action_mapping": {"x": 1}, "action_names": {"y": "go"}}, "no key of the action_mapping"),
        ({"action_names": ["jump"]}, "must be an object of words by key"),
    ],
)
def test_what_a_study_says_of_its_page_is_refused_by_name(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Study.of(values)


def test_texts_may_lie_in_a_file_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "ours.json").write_text('{"start.play": "Begin"}', "utf-8")
    (tmp_path / "study.json").write_text('{"texts": "ours.json"}', "utf-8")
    assert Study.read(tmp_path / "study.json").texts == {"start.play": "Begin"}
    (tmp_path / "study.json").write_text('{"texts": "other.json"}', "utf-8")
    with pytest.raises(ConfigError, match=r"other\.json"):
        Study.read(tmp_path / "study.json")


def test_the_front_page_is_written_in_the_language_of_the_study() -> None:
    """Also before any module is there; what a study says is text, and never markup."""
    page = pages.front(language="de", title="<b>Tennis</b>", view="developer")
    assert '<html lang="de" dir="ltr" data-view="developer">' in page
    assert "&lt;b&gt;Tennis&lt;/b&gt;</h1>" in page
    assert "<b>" not in page
    assert ">Wird geladen …</button>" in page
    (table,) = re.findall(r'<script id="texts" type="application/json">(.*?)</script>', page, re.DOTALL)
    said = json.loads(table)
    assert (said["start.title"], said["start.play"]) == ("<b>Tennis</b>", "Spielen")
    assert 'data-view="participant"' in pages.front()


def test_a_language_that_is_written_from_right_to_left_says_so() -> None:
    given = {name: text if isinstance(text, str) else {"other": text["other"]} for name, text in ENGLISH.items()}
    assert '<html lang="ar-EG" dir="rtl"' in pages.front(language="ar-EG", texts=given)


def test_the_command_prints_a_table_as_a_study_takes_it() -> None:
    done = CliRunner().invoke(cli, ["texts", "de"])
    assert done.exit_code == 0
    assert Study.of({"language": "de", "texts": json.loads(done.output)}).texts["start.play"] == "Spielen"
    assert json.loads(CliRunner().invoke(cli, ["texts"]).output) == ENGLISH
    unknown = CliRunner().invoke(cli, ["texts", "dee"])
    assert unknown.exit_code == 2
    assert "there are no texts in 'dee'; did you mean 'de'?" in unknown.output
