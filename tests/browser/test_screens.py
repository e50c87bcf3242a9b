"""Every screen of pycore's page, for whoever sees it small, large, dark or not at all."""

import json
from pathlib import Path

import pytest

from pycore.site.pages import front
from tests.browser.conftest import phase

WEB = Path(__file__).resolve().parents[2] / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not AXE.is_file(), reason="the npm packages are not installed: python3 build.py env"),
]

PLAYERS = """[{id: 0, you: true, name: 'Coral', color: '#ef6a58'},
    {id: 1, you: false, name: 'Blue', color: '#3d7be0', path: 'p2p', connection_type: 'direct', rtt_ms: 31,
     ...other}]"""
PARTS = """
    const screens = await import('./demo/screens.js');
    const { Hud, makeTouchButtons } = await import('./demo/hud.js');
    const { useTexts, ...texts } = await import('./demo/texts.js');
    const game = (other = {}, more = {}) => {
        screens.show('game');
        globalThis.theHud ??= new Hud({fps: 30, max_steps: 900});
        makeTouchButtons({ArrowLeft: 1, ArrowRight: 2, ArrowUp: 3}, {ArrowUp: 'jump'});
        const data = {players: PLAYERS, frame: 90, episode: 0, num_episodes: 2, score: [3, 12], rollbacks: 4,
            max_rollback_frames: 2, stalled: false, holding: false, phase: 'playing', notice: '', ...more};
        theHud.update(data, globalThis.now = (globalThis.now ?? 0) + 10);
        theHud.update(data, globalThis.now += 1);
    };
    const others = {2: 'Green', 3: 'Violet'};
    const more = [2, 3].map((id) => ({id, you: false, name: others[id], path: 'p2p', connection_type: 'direct'}));
    const group = (changes = {}) => {
        const two = PLAYERS_OF_TWO;
        game({}, {players: [...two, ...more].map((each) => ({...each, ...changes[each.id]})), score: [3, 12, 7, 0]});
    };
    const end = {lead: texts.text('ended.complete'), outcome: 'You won by 2 points, 5 to 3.', tiles: [['You', '5']],
        rounds: [['Round 1', 'You 5']], rows: [['Frames played', '900']]};
""".replace("PLAYERS_OF_TWO", PLAYERS.replace("...other", "")).replace("PLAYERS", PLAYERS)
SCREENS = {
    "start": "screens.show('start'); screens.showLeftover(1, 0);",
    "coming back": "screens.showStart('returning'); screens.show('start');",
    "waiting":
        "screens.show('waiting'); screens.showWaiting({cur_num_players: 2, players_needed: 2, ms_remaining: 9e4});",
    "asked": "screens.show('waiting'); screens.showReady('asked'); screens.showTimeLeft('waiting.answer', 9e3);",
    "answered": "screens.showReady('answered');",
    "waiting again": "screens.showReady(null); screens.showWaiting({note: 'other_left'});",
    "game": "game();",
    "game, the other one is away": "game({hidden: true});",
    "game, a stall": "game({interrupted: true}, {stalled: true});",
    "game, without the server": "game(); screens.notice(texts.text('server.trying'));",
    "game, the other one has left": "screens.notice(''); game({gone: true});",
    "game of four": "group();",
    "game of four, one has left, one comes back": "group({2: {gone: true}, 3: {returning: true, interrupted: true}});",
    "between": "screens.notice(''); game(); theHud.banner('Round 1 of 2 is over', 'Next');",
    "end": "screens.showEnd(end); screens.showStored({pending: 0, stored: 3, refused: []}, true);",
    "end, data refused": "screens.showEnd(end); screens.showStored({pending: 1, stored: 0, refused: ['why']}, true);",
    "error, and the data": "screens.showError({code: 'x', message: 'm', advice: '', details: ''}, true);"
        "screens.showStored({pending: 2, refused: ['why']}, true);",
    "end, and on": "screens.showEnd(end); screens.showNext('https://study.test/');",
    "over": "screens.showOver('waited_in_vain');",
    "elsewhere": "screens.showNext(null); screens.showError({code: 'elsewhere', details: ''}, false);",
    "error": "screens.showError({code: 'x', message: 'm', advice: '', details: 'd'}, true);",
}  # fmt: skip
"""What brings each screen up, in the page."""


@pytest.fixture
def opened(double_site, start_relay, open_page):
    """opened(language, view) opens a page whose game is loaded, with `query` in its address."""
    relay = start_relay()

    def opens(language="en", view="participant", query="", **options):
        name = f"{language}-{view}.html"
        (double_site / name).write_text(front(language=language, view=view), "utf-8")
        page = open_page(f"{relay.url}{name}{query}", **options)
        phase(page, "start")
        return page

    return opens


def show(page, screen):
    page.evaluate(f"async () => {{ {PARTS} {screen} }}")


@pytest.mark.parametrize(
    ("language", "view"), [("en", "developer"), pytest.param("de", "participant", marks=pytest.mark.long)]
)
def test_axe_finds_nothing_on_any_screen_in_light_and_dark(language, view, opened):
    page = opened(language, view, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page.add_script_tag(path=str(AXE))
    wrong = []
    for colors in ("light", "dark"):
        page.emulate_media(color_scheme=colors)
        for name, screen in SCREENS.items():
            show(page, screen)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert len(found["passes"]) > 10, "axe has looked at nothing"
            wrong += [
                f"{name}, {colors}: {violation['id']}: {node['target']} {node['failureSummary']}"
                for violation in found["violations"] for node in violation["nodes"]
            ]  # fmt: skip
    assert wrong == []
    assert page.evaluate("document.documentElement.lang") == language
    assert page.problems == []


ENLARGED = {"300 %": (426, 240), "400 %": (320, 180)}
SIZES = {"desktop": (1280, 720), "200 %": (640, 360), "phone": (360, 740), "320 px": (320, 640), "tablet": (768, 1024)}


@pytest.mark.parametrize(
    "touch", [pytest.param(False, id="mouse"), pytest.param(True, id="touch", marks=pytest.mark.long)]
)
def test_the_field_is_large_and_stands_still_whatever_is_said_around_it(touch, opened):
    """Who is away, what stalls, a lost server: nothing moves, nothing lies over the field, the line above it is one."""
    page = opened(has_touch=touch, is_mobile=touch)
    # What the element `id` covers, and the field and the buttons.
    place = """() => ['canvas', 'touch', 'hud'].map((id) => {
        const {x, y, width, height} = document.getElementById(id).getBoundingClientRect();
        return [x, y, width, height];
    })"""
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        show(page, "screens.notice(''); game();")
        before = page.evaluate(place)
        (x, y, wide, high), (_, touch_y, _, touch_high), (_, _, _, hud_high) = before
        assert hud_high <= 44, f"{name}: the line above the field takes more than one row"
        assert max(wide / width, (high + 76) / height) > 0.9 or touch, f"{name}: {wide} x {high}"
        assert wide > 0.55 * min(width, 1.5 * height), f"{name}: {wide} x {high}"
        cut = min(x, y, width - x - wide, height - y - high) < 0
        assert not cut, f"{name}: the field is cut off"
        if touch:
            assert touch_y > 0
            assert touch_y + touch_high <= height, f"{name}: the buttons are cut off"
        for state in (
            "game({hidden: true});", "game({interrupted: true, hidden: true}, {stalled: true});",
            "game({}, {score: [123, 45]});", "game(); screens.notice(texts.text('server.among_us'));",
        ):  # fmt: skip
            show(page, state)
            assert page.evaluate(place) == before, f"{name}: {state}"
            if "hidden" in state:
                pill = page.locator("#stall").bounding_box()
                assert pill["y"] >= y + high, f"{name}: the line lies over the field"
                assert pill["height"] > 10
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name}: it scrolls sideways"


def test_touch_buttons_of_many_keys_are_all_on_the_page_whole_and_apart(opened):
    """Directions, a word and more, on every phone: whole words, nothing beside the page, and none over another."""
    page = opened("de", has_touch=True, is_mobile=True)
    keys = "{ArrowLeft: 1, ArrowRight: 2, ArrowUp: 3, ArrowDown: 4, ' ': 5, x: 6}"
    for name, (width, height) in {**SIZES, "on its side": (640, 320)}.items():
        page.set_viewport_size({"width": width, "height": height})
        show(page, f"screens.notice(''); game(); makeTouchButtons({keys});")
        boxes = page.locator("#touch button").evaluate_all(
            """all => all.map((each) => {
                const {left, top, right, bottom} = each.getBoundingClientRect();
                return [left, top, right, bottom, each.scrollWidth <= each.clientWidth];
            })"""
        )
        assert len(boxes) == 6
        for left, top, right, bottom, whole in boxes:
            assert whole, f"{name}: a word is cut off"
            assert 0 <= left < right <= width, f"{name}: {left:g} to {right:g}"
            assert 0 <= top < bottom <= height, f"{name}: {top:g} to {bottom:g}"
        apart = [
            a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            for number, a in enumerate(boxes) for b in boxes[:number]
        ]  # fmt: skip
        assert all(apart), name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("direction", [pytest.param("ltr", marks=pytest.mark.long), "rtl"])
def test_what_stands_around_the_field_has_its_middle_in_every_direction(direction, opened):
    """Also in a low window, as one at 200 %, where some of it is wider than the field."""
    page = opened()
    page.evaluate("direction => { document.documentElement.dir = direction; }", direction)
    middle = """(id) => {
        const {left, right} = document.getElementById(id).getBoundingClientRect();
        return (left + right) / 2;
    }"""
    for name, (width, height) in {**SIZES, **ENLARGED}.items():
        page.set_viewport_size({"width": width, "height": height})
        show(page, "game({hidden: true});")
        field, hud, pill = (page.evaluate(middle, each) for each in ("canvas", "hud", "stall"))
        assert abs(hud - field) <= 1, name
        assert abs(pill - field) <= 1, name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_a_text_in_a_picture_runs_as_its_letters_do_whatever_the_page_speaks(opened):
    page = opened()
    pictures = page.evaluate(
        """async () => {
        const { Renderer } = await import('./demo/canvas.js');
        const drawn = {};
        for (const dir of ['ltr', 'rtl']) for (const text of ['3 : 2', 'Round 3!', '\u05d0\u05d1!']) {
            const canvas = document.createElement('canvas');
            canvas.style.cssText = 'width: 300px; height: 200px';
            document.documentElement.dir = canvas.dir = dir;
            document.body.append(canvas);
            const renderer = new Renderer(canvas, (...given) => { throw new Error(given); });
            const object = {uuid: 't', object_type: 'text', x: 300, y: 200, size: 60, align: 'center', text};
            renderer.show({objects: [object]}, 0, 0, false);
            await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
            drawn[`${dir} ${text}`] = canvas.toDataURL();
            renderer.close();
            canvas.remove();
        }
        return drawn;
    }"""
    )
    for text in ("3 : 2", "Round 3!", "\u05d0\u05d1!"):
        assert pictures[f"ltr {text}"] == pictures[f"rtl {text}"], text
    assert len(set(pictures.values())) == 3


def test_what_has_a_color_that_no_browser_reads_is_seen_on_its_ground(opened):
    """It was drawn in the color of what came before it, which is the ground: somebody played invisible."""
    page = opened()
    colors = page.evaluate(
        """async () => {
        const { Renderer } = await import('./demo/canvas.js');
        const canvas = document.createElement('canvas');
        canvas.style.cssText = 'width: 600px; height: 400px';
        document.body.append(canvas);
        const renderer = new Renderer(canvas, (...given) => { throw new Error(given); });
        const box = {object_type: 'rectangle', y: 0, w: 200, h: 400};
        renderer.show({objects: [
            {...box, uuid: 'ground', x: 0, w: 600, color: '#dddddd', stroke: '#dddddd', depth: -1},
            {...box, uuid: 'tuple', x: 0, color: [255, 0, 0]},
            {uuid: 'no name', object_type: 'line', points: [200, 200, 400, 200], width: 400,
                edges: 'sharp', color: 'grey99x'},
            {...box, uuid: 'fine', x: 400, color: 'teal'},
        ]}, 0, 0, false);
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        const context = canvas.getContext('2d');
        return [1, 3, 5].map((x) => [...context.getImageData(canvas.width * x / 6, canvas.height / 2, 1, 1).data]);
    }"""
    )
    assert colors == [[0, 0, 0, 255], [0, 0, 0, 255], [0, 128, 128, 255]]


def test_nothing_that_no_browser_reads_is_that_of_what_was_drawn_before(opened):
    """A sprite's color, a width of 0, and where a text is aligned: a canvas keeps what it had."""
    page = opened()
    colors, ends = page.evaluate(
        """async () => {
        const { Renderer } = await import('./demo/canvas.js');
        const canvas = document.createElement('canvas');
        canvas.style.cssText = 'width: 600px; height: 400px';
        document.body.append(canvas);
        const renderer = new Renderer(canvas, (...given) => { throw new Error(given); });
        const text = {object_type: 'text', x: 300, text: 'III', size: 60};
        renderer.show({objects: [
            {object_type: 'rectangle', uuid: 'ground', x: 0, y: 0, w: 600, h: 400, color: '#dddddd', stroke: '#dddddd',
                width: 150, depth: -1},
            {object_type: 'sprite', uuid: 'sprite', src: 'none.png', x: 0, y: 0, w: 100, h: 100, color: [255, 0, 0]},
            {object_type: 'line', uuid: 'thin', points: [200, 50, 300, 50], width: 0, color: 'red'},
            {object_type: 'circle', uuid: 'bare', x: 400, y: 50, radius: 40, color: 'teal', stroke: 'red', width: 0},
            {...text, uuid: 'right', y: 200, align: 'right', color: 'red'},
            {...text, uuid: 'middle', y: 300, align: 'middle', color: 'red'},
        ]}, 0, 0, false);
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        const context = canvas.getContext('2d');
        const unit = canvas.width / 600;
        const red = (x, y) => {
            const { data } = context.getImageData(x * unit, y * unit, 290 * unit, 1);
            return data.some((part, at) => at % 4 === 1 && part < 50);
        };
        return [
            [50, 250, 437].map((x) => [...context.getImageData(x * unit, 50 * unit, 1, 1).data]),
            [200, 300].map((y) => [red(5, y), red(305, y)]),
        ];
    }"""
    )
    assert colors == [[0, 0, 0, 255], [221, 221, 221, 255], [0, 128, 128, 255]]
    assert ends == [[True, False], [False, True]]


def test_a_text_in_a_font_that_no_browser_reads_has_its_own_size(opened):
    """A name with a part that begins with a digit needs quotes in CSS; without them it had the size of another text."""
    page = opened()
    plain, odd, named = page.evaluate(
        """async () => {
        const { Renderer } = await import('./demo/canvas.js');
        const drawn = [];
        for (const font of [{}, {font: 'Press Start 2P'}, {font: 'monospace'}]) {
            const canvas = document.createElement('canvas');
            canvas.style.cssText = 'width: 300px; height: 200px';
            document.body.append(canvas);
            const renderer = new Renderer(canvas, (...given) => { throw new Error(given); });
            const text = {object_type: 'text', x: 20, text: 'Wait'};
            renderer.show({objects: [
                {...text, uuid: 'large', y: 100, size: 90}, {...text, uuid: 'small', y: 300, size: 30, ...font},
            ]}, 0, 0, false);
            await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
            drawn.push(canvas.toDataURL());
            renderer.close();
            canvas.remove();
        }
        return drawn;
    }"""
    )
    assert odd == plain
    assert named != plain


def test_words_of_a_study_that_are_as_long_as_an_address_make_no_page_wider(opened):
    """The button to play stood beside the screen of a phone."""
    page = opened()
    word = "https://study.test/" + "information-for-participants/" * 5
    page.set_viewport_size({"width": 320, "height": 640})
    show(page, f"screens.setTexts('{word}', '{word}');")
    for screen in ("screens.show('start');", f"screens.showEnd({{...end, lead: '{word}'}});"):
        show(page, screen)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, screen


def test_a_name_and_its_points_stand_in_one_line_of_the_table_at_the_end(opened):
    page = opened()
    page.set_viewport_size({"width": 360, "height": 640})
    own = "You\u00a0(Periwinkleblue)\u00a01,200"
    rounds = json.dumps([["Round 1", f"{own} \u00b7 Green\u00a07 \u00b7 Orange\u00a012"]])
    show(page, f"screens.showEnd({{...end, rounds: {rounds}}});")
    page.locator("#end-rounds td").wait_for()
    lines = page.locator("#end-rounds td").evaluate(
        """(cell, length) => {
            const range = document.createRange();
            range.setStart(cell.firstChild, 0);
            range.setEnd(cell.firstChild, length);
            return new Set([...range.getClientRects()].map(({top}) => top)).size;
        }""",
        len(own),
    )
    assert lines == 1


def test_the_other_ones_long_name_takes_nothing_from_the_own_word_and_points(opened):
    page = opened()
    page.set_viewport_size({"width": 320, "height": 640})
    show(page, "game({name: 'Somebody with a name as long as this one'}, {score: [20.8, 1234]});")
    wide = """all => all.map((each) => [each.scrollWidth - each.clientWidth, each.getBoundingClientRect().width])"""
    (own, seen), _ = page.locator("#hud-players .name").evaluate_all(wide)
    assert own <= 1
    assert seen > 10
    for chip in page.locator("#hud-players li").all():
        outer, points = chip.bounding_box(), chip.locator(".points").bounding_box()
        assert points["x"] + points["width"] <= outer["x"] + outer["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("said", ["See https://study.test/" + "x" * 60, "A sentence of the study's. " * 40])
def test_a_code_of_the_interactive_gym_page_is_whole_on_a_phone_however_much_is_said_above_it(said, opened):
    """Both of its ends lay beside the screen, and what was above the upper edge could not be scrolled to."""
    page = opened()
    page.set_viewport_size({"width": 320, "height": 480})
    page.evaluate("document.body.replaceChildren()")
    code = "0f8fad5b-d9cb-469f-a165-70867728950e"
    script = (WEB / "interactive_gym" / "overlay.js").read_text("utf-8")
    shown = f"showOverlay('ended', 'The session has ended', {json.dumps(said)}, '{code}');"
    page.add_script_tag(type="module", content=f"{script}\n{shown}")
    title, whole = page.locator("#pycoreOverlay h2"), page.locator("#pycoreCompletionCode")
    title.wait_for()
    for each in (whole, title):
        each.evaluate("each => each.scrollIntoView()")
        box = each.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 320
        assert 0 <= box["y"] < box["y"] + box["height"] <= 480
    assert whole.inner_text() == code


def test_however_much_the_page_is_enlarged_the_whole_field_is_seen_without_scrolling(opened):
    page = opened("de")
    for name, (width, height) in ENLARGED.items():
        page.set_viewport_size({"width": width, "height": height})
        show(page, "game();")
        hud, field = (page.locator(id).bounding_box() for id in ("#hud", "#canvas"))
        assert hud["y"] >= 0, name
        assert field["y"] >= hud["y"] + hud["height"], name
        assert field["y"] + field["height"] <= height, name
        assert field["width"] > 0.4 * width, name
        assert hud["width"] <= width, name
        names = page.locator("#hud-players .name").evaluate_all("all => all.map((n) => n.scrollWidth - n.clientWidth)")
        assert max(names) <= 1, f"{name}: names are cut off"
        assert page.evaluate("document.documentElement.scrollHeight") <= height, name


@pytest.mark.parametrize(("language", "touch"), [("en", True), pytest.param("de", False, marks=pytest.mark.long)])
def test_what_is_said_of_the_server_lies_over_nothing_that_people_look_at(language, touch, opened):
    """Neither over the points nor over the field nor over buttons, however long; and it is all there."""
    more = {"a phone on its side": (740, 360), "a tablet on its side": (1180, 820)} if touch else {"400 %": (320, 180)}
    page = opened(language, has_touch=touch, is_mobile=touch)
    place = """(selector) => [...document.querySelectorAll(selector)].map((each) => {
        const {left, top, right, bottom} = each.getBoundingClientRect();
        return [left, top, right, bottom];
    })"""
    for name, (width, height) in {**SIZES, **more, "laptop": (1366, 657), "a window": (900, 900)}.items():
        page.set_viewport_size({"width": width, "height": height})
        for said in ("trying", "among_us", "waits"):
            show(page, f"game({{hidden: true}}); screens.notice(texts.text('server.{said}'));")
            ((left, top, right, bottom),) = page.evaluate(place, "#notice")
            assert 0 <= left < right <= width, f"{name}, {said}"
            assert 0 <= top < bottom <= height, f"{name}, {said}"
            # At 400 % there is no room for so many words beside the field.
            if width < 400 and height < 400:
                continue
            for x, y, to_x, to_y in page.evaluate(place, "#hud, #canvas, #touch button"):
                apart = left >= to_x or right <= x or top >= to_y - 0.5 or bottom <= y + 0.5
                assert apart, f"{name}, {said}: {top:g} to {bottom:g} lies over what goes from {y:g} to {to_y:g}"
            wide, seen = page.locator("#notice").evaluate("(notice) => [notice.scrollWidth, notice.clientWidth]")
            assert wide <= seen


@pytest.mark.long  # in every run: the other screens on phones
def test_the_steps_of_loading_stand_in_one_row_on_the_smallest_phone(opened):
    """In every language that pycore has; who plays sees the bar alone."""
    for language in ("en", "de"):
        page = opened(language, "developer", viewport={"width": 320, "height": 568})
        page.evaluate("document.querySelector('[data-step=packages]').hidden = false")
        tops = page.evaluate("[...document.querySelectorAll('#load-steps li')].map((step) => step.offsetTop)")
        assert len(tops) == 6
        assert len(set(tops)) == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page = opened()
    assert page.locator("#load-steps").is_hidden()


def test_who_does_not_see_the_page_hears_stalls_and_what_touch_buttons_do(opened):
    page = opened(has_touch=True, is_mobile=True)
    show(page, "game({interrupted: true}, {stalled: true});")
    live = page.locator("#live[aria-live=polite]")
    assert live.text_content() == "Blue does not answer. The game waits a moment."
    for _ in range(2):
        show(page, "game();")
        assert live.text_content() != "Waiting for Blue…", "the same words would not be heard again"
        show(page, "game({}, {stalled: true});")
        assert live.text_content() == "Waiting for Blue…"
    labels = page.locator("#touch button").evaluate_all("buttons => buttons.map((each) => each.ariaLabel)")
    assert labels == ["left", "right", "jump"]


def test_a_participant_sees_no_word_of_networks_and_whoever_adds_details_sees_them(opened):
    page = opened()
    shown = []
    for screen in SCREENS.values():
        show(page, screen)
        shown.append(page.locator("main").inner_text())
    text = " ".join(shown)
    for word in ("direct", "rollback", "frame", "31", "socket", "P2P", "Python", "metrics", "records of"):
        assert word.lower() not in text.lower().replace("download the records so far", ""), word
    page = opened(query="?details")
    show(page, "game();")
    assert "Rollbacks 4" in page.locator("#details").inner_text().replace("\n", " ")
    assert "direct" in page.locator("#hud").inner_text()


def test_a_page_in_german_speaks_german_from_the_first_moment_to_the_last(opened):
    page = opened("de")
    assert page.locator("#play").inner_text() == "Spielen"
    show(page, "game({interrupted: true});")
    assert page.locator("#stall").inner_text() == "Blue antwortet nicht. Das Spiel wartet einen Moment."
    show(page, "screens.showEnd(end); screens.showStored({pending: 0, stored: 1, refused: []}, true);")
    assert page.locator("#end-stored").inner_text() == "Ihre Daten sind gespeichert. Sie können diese Seite schließen."


def test_a_notice_is_gone_when_it_is_not_true_any_more(opened):
    """That the game waits for the server is not said of a game that is over."""
    page = opened()
    show(page, "game(); screens.notice(texts.text('server.waits'));")
    assert page.locator("#notice").is_visible()
    show(page, "screens.showEnd(end);")
    assert page.locator("#notice").is_hidden()


def test_without_a_gpu_the_processor_paints_the_field_and_nothing_around_it_costs_more(opened):
    """A shadow, round corners or a clip around it halve the pictures a second (`build.py bench --only participant`)."""
    page = opened()
    show(page, "game();")
    found = page.evaluate(
        """async () => {
        const { Renderer } = await import('./demo/canvas.js');
        const canvas = document.getElementById('canvas');
        new Renderer(canvas, () => {});
        const styles = [canvas, canvas.parentElement].map((each) => getComputedStyle(each));
        return [canvas.getContext('2d').getContextAttributes().willReadFrequently,
            styles.map(({boxShadow, borderRadius, overflow, filter}) => [boxShadow, borderRadius, overflow, filter])];
    }"""
    )
    # A canvas clips what it shows to its own box, which costs nothing.
    assert found == [True, [["none", "0px", "clip", "none"], ["none", "0px", "visible", "none"]]]


def test_a_field_that_gets_another_size_is_not_shown_empty(opened):
    """Every picture that is shown has the game in it; a canvas is cleared when its size is set."""
    page = opened()
    show(page, "game();")
    empty = page.evaluate(
        """async () => {
        const { Renderer } = await import('./demo/canvas.js');
        const canvas = document.getElementById('canvas');
        const renderer = new Renderer(canvas, () => {});
        const object = {uuid: 'all', object_type: 'rectangle', x: 0, y: 0, w: 600, h: 400, color: '#ff0000'};
        const shown = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        const found = [];
        for (const wide of [500, 500, 400, 300]) {
            renderer.show({objects: [object]}, 0, 0, false);
            await shown();
            document.querySelector('.stage').style.width = `${wide}px`;
            await shown();
            const {data} = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1);
            found.push([canvas.clientWidth, data[0]]);
        }
        return found;
    }"""
    )
    assert empty == [[500, 255], [500, 255], [400, 255], [300, 255]]


def test_a_real_thumb_slides_from_one_touch_button_to_the_next(opened):
    page = opened(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    show(
        page,
        """game();
        const { KeyState, listenToKeys } = await import('./demo/keys.js');
        const mapping = {ArrowLeft: 1, ArrowRight: 2, ArrowUp: 3, 'ArrowRight,ArrowUp': 5};
        globalThis.keys = new KeyState(mapping);
        listenToKeys(keys, makeTouchButtons(mapping), (...given) => { throw new Error(given); });""",
    )
    boxes = [button.bounding_box() for button in page.locator("#touch button").all()]
    left, right, up = [
        {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "id": 0} for box in boxes
    ]  # fmt: skip
    thumb = page.context.new_cdp_session(page)
    # A first read takes what was tapped; the second one is what is held.
    read = "() => { keys.read(); return keys.read() ?? null; }"

    def fingers(kind, *points):
        thumb.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})
        return page.evaluate(read)

    assert fingers("touchStart", left) == 1
    assert fingers("touchMove", right) == 2
    assert fingers("touchStart", right, up | {"id": 1}) == 5
    assert fingers("touchEnd", right) == 3
    assert fingers("touchEnd") is None
