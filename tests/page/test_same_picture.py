"""An environment that draws for the interactive_gym page looks the same in ours: both draw it, pixel beside pixel.

What is drawn comes from that page's own `Surface`: lasting objects of which only changes are told, others that live for
one picture, sprites of single files, sheets and atlases.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_rig
import page_tricks
import pytest

from pycore.envs.pictures import drawable
from pycore.film.pictures import png_of
from pycore.site.images import images_of
from tools.paths import WEB

pytestmark = pytest.mark.page

GAME = {"episodes": 1}
SIZE = (600, 400)
RED, GREEN, BLUE, GREY = (200, 30, 40), (20, 160, 60), (30, 60, 220), (120, 120, 120)
APART = 40
"""By so much a channel of a pixel may differ where both smooth an edge each in their own way."""
EDGES = 0.003
"""Share of pixels that lie on such an edge, at most; letters among them."""

BOTH = """async ({ size: [width, height], assets, images, packets, marked }) => {
  const box = Object.assign(document.createElement('div'), { id: 'theirs' });
  document.body.append(box);
  const graphics = await import('/static/js/phaser_gym_graphics.js');
  graphics.graphics_start({
    parent: 'theirs', width, height, background: '#ffffff', state_init: null, assets_dir: '', assets_to_preload: assets,
    animation_configs: [], fps: 30, location_representation: 'relative', pyodide_remote_game: null,
    scene_metadata: { policy_mapping: {}, policy_configs: {}, scene_id: 'same' },
  });
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const until = async (what) => {
    for (let turn = 0; !what(); turn += 1) {
      if (turn > 600) throw new Error(`not within ${turn} pictures: ${what}`);
      await frame();
    }
  };
  await until(() => window._phaserScene?.canvas);
  const { Renderer } = await import('/ours/demo/canvas.js');
  const { image } = await import('/ours/demo/sprites.js');
  const ours = document.createElement('canvas');
  ours.style = `position: fixed; top: 0; left: 0; width: ${width}px; height: ${height}px; z-index: 99`;
  document.body.append(ours);
  const reports = [];
  const report = (where, error) => reports.push(`${where}: ${error}`);
  const renderer = new Renderer(ours, report, { world: [width, height], images });
  for (const { src } of Object.values(images)) await image(src).decode();
  const pixels = (canvas) => {
    const copy = Object.assign(document.createElement('canvas'), { width, height });
    const context = copy.getContext('2d');
    context.fillStyle = '#ffffff';
    context.fillRect(0, 0, width, height);
    context.drawImage(canvas, 0, 0);
    return { data: context.getImageData(0, 0, width, height).data, url: copy.toDataURL() };
  };
  const found = [];
  for (const [number, packet] of packets.entries()) {
    graphics.addStateToBuffer({ ...packet, step: number });
    await until(() => window._phaserScene.state?.step === number);
    renderer.show({ objects: marked[number], reset: number === 0 }, number, 0, false);
    for (let turn = 0; turn < 3; turn += 1) await frame();
    const [one, two] = [window._phaserScene.canvas, ours].map(pixels);
    let different = 0;
    let white = 0;
    for (let at = 0; at < one.data.length; at += 4) {
      const off = [0, 1, 2].map((channel) => Math.abs(one.data[at + channel] - two.data[at + channel]));
      if (Math.max(...off) > APART) different += 1;
      if (Math.min(one.data[at], one.data[at + 1], one.data[at + 2]) > 250) white += 1;
    }
    found.push({ different: different / (width * height), white: white / (width * height), urls: [one.url, two.url] });
  }
  return { found, reports };
}""".replace("APART", str(APART))


def files(folder: Path) -> list[dict[str, Any]]:
    """A picture, a sheet of four frames, and an atlas with a frame of which what was empty was cut away."""
    tiles = [RED, GREEN, BLUE, GREY]
    sheet = b"".join(bytes(tiles[2 * (y // 8) + x // 8]) for y in range(16) for x in range(16))
    (folder / "sheet.png").write_bytes(png_of(16, 16, 3, sheet))
    (folder / "one.png").write_bytes(png_of(2, 1, 3, bytes([*RED, *BLUE])))
    (folder / "atlas.png").write_bytes(png_of(16, 16, 3, sheet))
    place = {"x": 8, "y": 0, "w": 8, "h": 8}
    frames = {
        "whole": {"frame": {"x": 0, "y": 0, "w": 8, "h": 8}, "rotated": False, "trimmed": False},
        "cut.png": {
            "frame": place, "rotated": False, "trimmed": True, "spriteSourceSize": {"x": 4, "y": 8, "w": 8, "h": 8},
            "sourceSize": {"w": 16, "h": 16},
        },
    }  # fmt: skip
    (folder / "atlas.json").write_text(json.dumps({"frames": frames, "meta": {"image": "atlas.png"}}))
    return [
        {"object_type": "img_spec", "name": "one", "img_path": "one.png"},
        {"object_type": "spritesheet", "name": "sheet", "img_path": "sheet.png", "frame_width": 8, "frame_height": 8},
        {"object_type": "atlas_spec", "name": "atlas", "img_path": "atlas.png", "atlas_path": "atlas.json"},
    ]


def drawn() -> list[dict[str, Any]]:
    """Three pictures, the way an environment makes them."""
    from mug.rendering.surface import Surface

    surface = Surface(*SIZE)
    packets = []
    for number in range(3):
        surface.rect(x=0, y=0, w=600, h=400, color="#eef2f8", id="field", persistent=True, depth=-2)
        surface.rect(
            x=40 + 90 * number, y=40, w=80, h=50, color=GREEN, stroke_color=BLUE, stroke_width=4, border_radius=9,
            id="box", persistent=True,
        )  # fmt: skip
        surface.circle(x=300, y=120 + 60 * number, radius=40, color=RED, stroke_color="black", stroke_width=3, depth=2)
        surface.polygon(points=[(450, 60), (560, 90), (480, 160 + 30 * number)], color=BLUE)
        surface.line(points=[(20, 380), (200, 330 - 20 * number), (400, 390)], color=GREY, width=6, depth=1)
        surface.text(text=f"{number} : Ωx", x=30, y=200, size=40, color="black", font="sans-serif")
        if number < 2:
            surface.circle(x=560, y=360, radius=20, color=GREEN, id="lamp", persistent=True)
        else:
            surface.remove("lamp")
        # That page takes the size of a sprite in pixels.
        where = {"relative": True, "w": 64, "h": 64}
        surface.image(image_name="one", x=0.1, y=0.7, id="one", persistent=True, **where)
        surface.image(image_name="sheet", frame=number, x=0.3, y=0.7, **where)
        surface.image(image_name="atlas", frame=("whole", "cut.png")[number % 2], x=0.5, y=0.7, **where)
        surface.image(image_name="sheet", frame=1, angle=15 * number, x=0.75, y=0.7, **where)
        surface.ellipse(x=100, y=100, rx=50, ry=20, color=RED)  # which that page does not draw
        packets.append(surface.commit().to_dict())
    return json.loads(json.dumps(packets))


@pytest.mark.long  # no game is played in it
def test_what_a_study_draws_for_the_interactive_gym_page_looks_the_same_in_ours(
    start: Callable[..., page_rig.Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every object and every kind of sprite, on several pictures of which only what changed is told."""
    monkeypatch.chdir(tmp_path)
    specs = files(tmp_path)
    images = images_of(specs)
    assert images.manifest["atlas"]["frames"]["cut.png"] == [8, 0, 8, 8, 4, 8, 16, 16]

    def serve(context: Any) -> None:
        for name, path in images.files.items():
            page_tricks.serve(f"**/{name}", path.resolve())(context)
        for path in tmp_path.glob("*.*"):
            page_tricks.serve(f"**/theirs/{path.name}", path)(context)

        def own(route: Any, request: Any) -> None:
            route.fulfill(path=WEB / request.url.partition("/ours/")[2], content_type="text/javascript")

        context.route("**/ours/**", own)

    study = start()
    ann = study.participant("ann", prepare=serve)
    ann.wait("window.Phaser && window.socket", 60, "the page's own code")
    theirs = [{key: f"/theirs/{of}" if key.endswith("_path") else of for key, of in spec.items()} for spec in specs]
    ours = {name: {**of, "src": f"/{of['src']}"} for name, of in images.manifest.items()}
    packets = drawn()
    marked = [drawable(packet) for packet in packets]
    asked = {"size": SIZE, "assets": theirs, "images": ours, "packets": packets, "marked": marked}
    result = ann.page.evaluate(BOTH, asked)
    (tmp_path / "pictures.json").write_text(json.dumps([each["urls"] for each in result["found"]]))
    assert result["reports"] == []
    for each in result["found"]:
        assert each["white"] < 0.1, "that page has drawn something"
        assert each["different"] < EDGES, [round(100 * of["different"], 2) for of in result["found"]]
