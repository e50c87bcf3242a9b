/**
 * A game of one participant, in Pyodide, and the base class of a game of several.
 *
 * numpy is used where it can be imported and not needed: an observation without `reshape` stays what it is.
 */

import * as ui_utils from './ui_utils.js';

/** Defined once in the environment's namespace: what comes from the environment, in the shape that the page wants. */
const HELPERS = `
def _page_flat(obs):
    def flat(value):
        return value.reshape(-1).astype("float32") if hasattr(value, "reshape") else value
    if not isinstance(obs, dict):
        return {"human": flat(obs)}
    return {k: {kk: flat(vv) for kk, vv in v.items()} if isinstance(v, dict) else flat(v) for k, v in obs.items()}

def _page_dict(value):
    return value if isinstance(value, dict) else {"human": value}

def _page_actions(actions):
    return {int(k) if isinstance(k, str) and k.isnumeric() else k: v for k, v in actions.items()}
`;

export class RemoteGame {
    /** @param {Record<string, any>} config the scene's metadata */
    constructor(config) {
        this.setAttributes(config);
        this.installed_packages = [];
        this.initialize();
    }

    /** Everything as it is before the first episode. @param {Record<string, any>} config */
    setAttributes(config) {
        this.config = config;
        this.pyodideReady = false;
        /** @type {null | 'ready' | 'done'} */
        this.state = null;
        this.observations = [];
        this.num_episodes = 0;
        this.max_episodes = config.num_episodes;
        this.step_num = 0;
        this.max_steps = config.max_steps;
        /** @type {Record<string, number>} */
        this.cumulative_rewards = {};
        this.shouldReset = true;
    }

    isDone() {
        return this.state === 'done';
    }

    async initialize() {
        this.pyodide = await loadPyodide();
        await this.pyodide.loadPackage('micropip');
        this.micropip = this.pyodide.pyimport('micropip');
        await makeEnvironment(this, this.config);
        this.state = 'ready';
        this.pyodideReady = true;
    }

    /** @param {Record<string, any>} config */
    async reinitialize_environment(config) {
        this.pyodideReady = false;
        await makeEnvironment(this, config);
        this.setAttributes(config);
        this.shouldReset = true;
        this.state = 'ready';
        this.pyodideReady = true;
    }

    /** From the second episode on: an overlay and a countdown. @param {string | null} message */
    async showEpisodeTransition(message = null) {
        if (this.num_episodes === 0) {
            ui_utils.hideEpisodeOverlay();
            return;
        }
        if (message) ui_utils.showEpisodeWaiting(message);
        await ui_utils.showEpisodeCountdown(3, `Round ${this.num_episodes + 1}`);
    }

    /** @returns {Promise<[Map<any, any>, Map<any, any>, object] | null>} obs, infos, render_state */
    async reset() {
        this.shouldReset = false;
        await this.showEpisodeTransition();
        const [obs, infos, picture] = await run(this.pyodide, `
_page_obs, _page_infos = env.reset()
(_page_flat(_page_obs), _page_infos, env.render())
`);
        this.step_num = 0;
        this.shouldReset = false;
        for (const key of obs.keys()) {
            if (!this.config.hud_score_carry_over || this.cumulative_rewards[key] === undefined) {
                this.cumulative_rewards[key] = 0;
            }
        }
        ui_utils.showHUD();
        ui_utils.updateHUDText(this.getHUDText());
        return [obs, infos, rendered(picture, this.step_num)];
    }

    /**
     * One step. A subclass may resolve to null (nothing happened in this tick) or add a seventh element, the actions.
     * @param {Record<string, any>} actions
     * @returns {Promise<any[] | null>} obs, rewards, terminateds, truncateds, infos, render_state
     */
    async step(actions) {
        this.pyodide.globals.set('_page_given', this.pyodide.toPy(actions));
        const [obs, rewards, terminateds, truncateds, infos, picture] = await run(this.pyodide, `
${this.config.on_game_step_code ?? ''}
_page_obs, _page_rewards, _page_ends, _page_cuts, _page_infos = env.step(_page_actions(_page_given))
(_page_flat(_page_obs), _page_dict(_page_rewards), _page_dict(_page_ends), _page_dict(_page_cuts), _page_infos, env.render())
`);
        for (const [agent, reward] of rewards) this.cumulative_rewards[agent] += reward;
        this.step_num += 1;
        const render_state = rendered(picture, this.step_num);
        ui_utils.updateHUDText(this.getHUDText());
        const all = (/** @type {Map<any, any>} */ flags) => [...flags.values()].every((flag) => flag === true);
        if (all(terminateds) || all(truncateds) || this.step_num >= this.max_steps) {
            this.num_episodes += 1;
            if (this.num_episodes >= this.max_episodes) this.state = 'done';
            else this.shouldReset = true;
        }
        return [obs, rewards, terminateds, truncateds, infos, render_state];
    }

    getHUDText() {
        const scores = Object.values(this.cumulative_rewards);
        const mine = this.cumulative_rewards[this.myPlayerId] ?? scores[0] ?? 0;
        const round = Math.min(this.num_episodes + 1, this.max_episodes);
        const left = (this.max_steps - this.step_num) / this.config.fps;
        return `Round: ${round}/${this.max_episodes} | Score: ${Math.round(mine).toString().padStart(2, '0')}` +
            ` | Time left: ${left.toFixed(1).padStart(5, '0')} s`;
    }
}

/**
 * Install what is not there yet, and run the study's code, which must bind `env`.
 * @param {RemoteGame} game
 * @param {Record<string, any>} config
 */
async function makeEnvironment(game, config) {
    const wanted = (config.packages_to_install ?? []).filter((name) => !game.installed_packages.includes(name));
    if (wanted.length > 0) {
        await game.micropip.install(wanted);
        game.installed_packages.push(...wanted);
    }
    const env = await game.pyodide.runPythonAsync(`
import js
interactive_gym_globals = dict(js.window.interactiveGymGlobals.object_entries())
${config.environment_initialization_code}
${HELPERS}
env
`);
    if (env === undefined) throw new Error('environment_initialization_code did not make an `env`.');
}

/** Run Python whose value is a tuple; its elements as JavaScript, dicts as Maps. */
async function run(pyodide, code) {
    const result = await pyodide.runPythonAsync(code);
    const values = result.toJs();
    result.destroy();
    return values;
}

/** What `env.render()` gave, as the render state: a list of objects, or rows of pixels. */
function rendered(picture, step) {
    if (Array.isArray(picture) && Array.isArray(picture[0])) {
        return {game_state_objects: null, game_image_base64: encodePicture(picture), step};
    }
    return {game_state_objects: Array.isArray(picture) ? picture.map(plain) : null, game_image_base64: null, step};
}

/** Maps as plain objects, and null for undefined. @param {any} value @returns {any} */
function plain(value) {
    if (value === undefined) return null;
    if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
    return Array.isArray(value) ? value.map(plain) : value;
}

/** Rows of [red, green, blue] as the address of a PNG. @param {number[][][]} rows */
function encodePicture(rows) {
    const canvas = document.createElement('canvas');
    canvas.height = rows.length;
    canvas.width = rows[0].length;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const image = context.createImageData(canvas.width, canvas.height);
    image.data.set(rows.flatMap((row) => row.flatMap(([red, green, blue]) => [red, green, blue, 255])));
    context.putImageData(image, 0, 0);
    return canvas.toDataURL('image/png');
}
