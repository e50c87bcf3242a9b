"""The study that the tests run: one or more games between a welcome and a goodbye, everything by settings.

    python tests/page/study.py --port 8000 --settings FILE

The settings are a JSON object, see DEFAULTS; what is left out has the value there. It uses the page's scene API as a
researcher does.
"""

import argparse
import importlib
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
END = 5  # arena's action

DEFAULTS = {
    "experiment": "rig",
    "save": True,
    # One game after the other; each may override any of the settings below, and needs a name of its own.
    "games": [{}],
    "scene": "arena",
    # Pairs, because the keys of JSON objects are strings; a model is the address of its file, see onnx_model.py.
    "policies": [[0, "human"], [1, "human"]],
    "fps": 30,
    "episodes": 1,
    "max_steps": 60,
    "actions": {"ArrowLeft": 1, "ArrowRight": 2, "ArrowUp": 3, "ArrowDown": 4},
    "ending": None,  # a key that ends the episode, which is no move: whoever plays by a script does not press it
    "default_action": 0,
    "population": "default_action",
    "input_mode": "pressed_keys",
    "frame_skip": 4,
    "carry_over": False,
    "smoothing": None,  # tweening after rollbacks, in ms
    "step_code": "",
    "packages": [],
    "restart_pyodide": False,
    "environment": str(HERE / "arena.py"),
    "options": {},  # for its make(); "agents" are the keys of `policies` unless given
    "binding": None,  # the line that binds `env`; None: make(**options)
    "multiplayer": {},  # arguments of GymScene.multiplayer()
    "callback": None,  # {"frames": [from, to], "answer": {…}}: what its continuous callback answers then
    "waitroom": {},  # arguments of GymScene.waitroom()
    "pycore": None,  # the scene's attribute of this name; None: no such attribute
    "attributes": {},  # any other attribute of the scene
    "made_by": None,  # "module:function": somebody else's scene, of which only the length is set
    "turn": None,  # {"turn_username": …, "turn_credential": …, "force_relay": …}
}


def complete(settings):
    """The settings of every game, in the order they are played."""
    unknown = settings.keys() - DEFAULTS.keys()
    assert not unknown, f"unknown settings: {sorted(unknown)}"
    common = {**DEFAULTS, **settings}
    games = []
    for number, game in enumerate(common["games"]):
        name = common["scene"] if number == 0 else f"{common['scene']}-{number}"
        games.append({**common, "scene": name, **game})
    return games


def actions_of(game):
    """The keys and what they do."""
    return {**game["actions"], **({game["ending"]: END} if game["ending"] else {})}


def code_of(game):
    """The text that the page executes to make the environment."""
    text = Path(game["environment"]).read_text(encoding="utf-8")
    if game["binding"] is not None:
        return f"{text}\n{game['binding']}\n"
    options = {"agents": [player for player, _ in game["policies"]], **game["options"]}
    return f"{text}\nenv = make(**{options!r})\n"


def callback_of(game):
    """The study's own check of a participant during the game, if there is one."""
    if game["callback"] is None:
        return {}
    (first, last), answer = game["callback"]["frames"], game["callback"]["answer"]
    return {"continuous_callback": lambda context: answer if first <= context["frame_number"] <= last else {}}


def policy_of(policy):
    """A policy as the page wants it."""
    from mug.configurations.configuration_constants import ModelConfig

    return ModelConfig(obs_input="obs", logit_output="logits", onnx_path=policy) if ".onnx" in policy else policy


def scene_of(game):
    """A scene of the page."""
    from mug.scenes.gym_scene import GymScene

    if game["made_by"] is not None:
        module, name = game["made_by"].split(":")
        scene = getattr(importlib.import_module(module), name)()
        scene.num_episodes, scene.max_steps = game["episodes"], game["max_steps"]
        return scene
    scene = (
        GymScene()
        .scene(scene_id=game["scene"], experiment_config={}, should_export_metadata=True)
        .policies(
            policy_mapping={agent: policy_of(policy) for agent, policy in game["policies"]},
            frame_skip=game["frame_skip"],
        )
        .rendering(
            fps=game["fps"],
            game_width=600,
            game_height=400,
            background="#FFFFFF",
            hud_score_carry_over=game["carry_over"],
            rollback_smoothing_duration=game["smoothing"],
        )
        .gameplay(
            action_mapping=actions_of(game),
            num_episodes=game["episodes"],
            max_steps=game["max_steps"],
            default_action=game["default_action"],
            action_population_method=game["population"],
            input_mode=game["input_mode"],
        )
        .content(scene_header="The arena", scene_body="<p>Collect coins with the arrow keys.</p>")
        .waitroom(**{"timeout": 120000, **game["waitroom"]})
        .runtime(
            run_through_pyodide=True,
            environment_initialization_code=code_of(game),
            on_game_step_code=game["step_code"],
            restart_pyodide=game["restart_pyodide"],
        )
        .multiplayer(**game["multiplayer"], **callback_of(game))
    )
    # The page adds its own package, which is on an index that the machine does not reach and which needs numpy.
    scene.packages_to_install = list(game["packages"])
    if game["pycore"] is not None:
        scene.pycore = game["pycore"]
    for name, value in game["attributes"].items():
        setattr(scene, name, value)
    return scene


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--settings", type=Path)
    given = parser.parse_args()
    settings = json.loads(given.settings.read_text(encoding="utf-8")) if given.settings else {}
    games = complete(settings)

    from mug.configurations.experiment_config import ExperimentConfig
    from mug.scenes.stager import Stager
    from mug.scenes.static_scene import EndScene, StartScene, StaticScene
    from mug.server import app

    welcome = StartScene().scene(scene_id="welcome").display(scene_header="Welcome", scene_body="A study.")
    debrief = StaticScene().scene(scene_id="debrief").display(scene_header="Debrief", scene_body="What was it like?")
    goodbye = EndScene().scene(scene_id="goodbye").display(scene_header="Goodbye", scene_body="Thank you.")
    stager = Stager(scenes=[welcome, *map(scene_of, games), debrief, goodbye])
    config = (
        ExperimentConfig()
        .experiment(experiment_id=games[0]["experiment"], stager=stager, save_experiment_data=games[0]["save"])
        .hosting(port=given.port, host="127.0.0.1")
    )
    if games[0]["turn"]:
        config = config.webrtc(**games[0]["turn"])
    app.run(config)


if __name__ == "__main__":
    main()
