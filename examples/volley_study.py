"""Beach volley as a study for two people, in the interactive_gym page: a complete experiment in one file.

    pip install "multi-user-gymnasium[server]==0.1.3" "PATH/TO/THIS/CHECKOUT[relay]"
    python -m pycore interactive-gym install SITE_PACKAGES
    python examples/volley_study.py

pycore is on no index yet, so it is installed from its checkout. SITE_PACKAGES is the "Location" that `pip show
multi-user-gymnasium` prints. Then two browser windows at http://localhost:8000 play with each other: Continue, Start,
and the arrow keys. The data comes to data/volley/match/, one CSV file for each participant and episode;
docs/interactive-gym.md explains it. With the page's own module it would not run: that one needs observations that are
numpy arrays.
"""

import argparse
import inspect
from pathlib import Path

ENVIRONMENT = Path(__file__).with_name("volley.py")
FPS = 30


def page_shapes(shapes):
    """What volley draws, in the page's terms: this function runs in the page, so it uses nothing outside of itself.

    The page measures in shares of the picture, a radius in shares of its longer side, and a text from its left upper
    corner; transparency is a number of its own, which lines and outlines do not have (they get a paler color); and it
    never moves a line, so a line that moves is another one.
    """
    width, height, longer = 600, 400, 600

    def pale(color):
        share = int(color[7:] or "ff", 16) / 255
        parts = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
        return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in parts)

    drawn = []
    for shape in shapes:
        kind, color = shape["object_type"], shape["color"]
        made = {"permanent": False, **shape, "color": color[:7], "tween": False, "tween_duration": 0}
        if len(color) == 9:
            made["alpha"] = int(color[7:], 16) / 255
        if "points" in shape:
            places = iter(shape["points"])
            made["points"] = [[x / width, y / height] for x, y in zip(places, places, strict=True)]
            if kind == "line" and not made["permanent"]:
                made["uuid"] = f"{shape['uuid']}@{shape['points']}"
        else:
            made["x"], made["y"] = shape["x"] / width, shape["y"] / height
        if kind == "circle":
            made["radius"] = shape["radius"] / longer
            if "stroke" in shape:
                made["stroke_color"], made["stroke_width"] = pale(shape["stroke"]), 1
        elif kind == "line":
            made["color"] = pale(color)
        elif kind == "rectangle":
            made["w"], made["h"] = shape["w"] / width, shape["h"] / height
        elif kind == "text":
            made["x"] -= 0.27 * shape["size"] * len(shape["text"]) / width
            made["y"] -= 0.55 * shape["size"] / height
            made["font"] = "sans-serif"
        drawn.append(made)
    return drawn


def environment_code():
    """The Python that every participant's browser executes. Whatever it does, it must bind `env`."""
    return "\n".join(
        [
            ENVIRONMENT.read_text(encoding="utf-8"),
            inspect.getsource(page_shapes),
            "class PageVolley(Volley):",
            "    def render(self):",
            "        return page_shapes(super().render())",
            "env = PageVolley(points=5)",
        ]
    )


def match():
    """The scene with the game."""
    from mug.scenes.gym_scene import GymScene

    scene = (
        GymScene()
        .scene(scene_id="match", experiment_config={}, should_export_metadata=True)
        # Two people. The keys are the environment's agents; a bot would be "random" or a model.
        .policies(policy_mapping={0: "human", 1: "human"})
        .rendering(fps=FPS, game_width=600, game_height=400, background="#9fd3ea", hud_score_carry_over=False)
        .gameplay(
            action_mapping={
                "ArrowLeft": 1,
                "ArrowRight": 2,
                "ArrowUp": 3,
                ("ArrowLeft", "ArrowUp"): 4,
                ("ArrowRight", "ArrowUp"): 5,
            },
            default_action=0,
            # What is predicted while the other's input is on its way: keys are held much longer than a frame.
            action_population_method="previous_submitted_action",
            num_episodes=2,
            max_steps=120 * FPS,
        )
        .content(
            scene_header="Beach volley",
            scene_body="<p>Left and right arrow to run, up to jump; hold it to jump higher. First to five points.</p>",
            in_game_scene_body="<p>Left and right arrow to run, up to jump.</p>",
        )
        .waitroom(timeout=5 * 60 * 1000)
        .runtime(environment_initialization_code=environment_code())
        # A frame or two of input delay saves most rollbacks and is hardly felt; 0 is as quick as it can be.
        .multiplayer(input_delay=1)
    )
    # The page would install its own package and with it numpy into every browser. This environment needs neither.
    scene.packages_to_install = []
    return scene


def main():
    parser = argparse.ArgumentParser(description="Beach volley for two, in the interactive_gym page.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 to let other machines in (default: %(default)s)")
    given = parser.parse_args()

    from mug.configurations.experiment_config import ExperimentConfig
    from mug.scenes.stager import Stager
    from mug.scenes.static_scene import EndScene, StartScene
    from mug.server import app

    welcome = (
        StartScene()
        .scene(scene_id="welcome")
        .display(scene_header="Welcome", scene_body="<p>You will play beach volley with another participant.</p>")
    )
    goodbye = (
        EndScene().scene(scene_id="goodbye").display(scene_header="Thank you", scene_body="<p>That was the study.</p>")
    )
    config = (
        ExperimentConfig()
        .experiment(experiment_id="volley", stager=Stager(scenes=[welcome, match(), goodbye]))
        .hosting(port=given.port, host=given.host)
        # Participants behind strict networks need a TURN server: TURN_USERNAME and TURN_CREDENTIAL in the environment.
        .webrtc()
    )
    app.run(config)


if __name__ == "__main__":
    main()
