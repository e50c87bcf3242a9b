/**
 * The game's clock and its picture: a Phaser scene that steps the game in every tick, logs what the step gave, and
 * draws what it rendered.
 *
 * The order of calls in a tick is the page's, and so is what it lacks: nothing is caught, so a game that throws
 * stands still; states wait for their drawing without a limit; and a row that was logged is never changed.
 */

/** States that wait to be drawn, one for each tick. @type {any[]} */
let stateBuffer = [];
/** Strokes that wait to become actions, in the mode `single_keystroke`. @type {string[]} */
let humanKeyPressBuffer = [];
/** What is held, in the mode `pressed_keys`. @type {Record<string, boolean>} */
export var pressedKeys = {};
/** @type {Record<string, any>} */
let previousSubmittedActions = {};
/** By agent, what bots see. @type {any} */
let currentObservations = {};
/** What policies answered and nobody has played yet. @type {Record<string, any[]>} */
const botActionBuffers = {};
/** @type {any} */
let game_graphics = null;

/** @param {any} state_data a render state */
export function addStateToBuffer(state_data) {
    if (state_data.game_state_objects == null && state_data.game_image_base64 == null) {
        console.warn('There is nothing to draw in this state.');
        return;
    }
    stateBuffer.push(state_data);
}

export function clearStateBuffer() {
    stateBuffer = [];
}

/** @param {string} key */
export function addHumanKeyPressToBuffer(key) {
    humanKeyPressBuffer.push(key);
}

/** @param {Record<string, boolean>} keys */
export function updatePressedKeys(keys) {
    pressedKeys = keys;
}

/**
 * Columns of the research data. A reset has no actions, rewards or ends, so their columns are shorter than `t`.
 */
class RemoteGameDataLogger {
    constructor() {
        this.reset();
    }

    reset() {
        /** @type {Record<string, any>} */
        this.data = {
            observations: {}, actions: {}, rewards: {}, terminateds: {}, truncateds: {}, infos: {},
            episode_num: [], t: [], timestamp: [], player_subjects: null,
        };
    }

    /** @param {Record<string, any>} row */
    logData(row) {
        for (const field of ['observations', 'actions', 'rewards', 'terminateds', 'truncateds']) {
            if (row[field] === undefined) continue;
            const byAgent = row[field] instanceof Map ? Object.fromEntries(row[field]) : row[field];
            for (const agent in byAgent) {
                const column = (this.data[field][agent] ??= []);
                if (field !== 'observations') column.push(byAgent[agent]);  // Observations: the heading only.
            }
        }
        if (row.infos !== undefined) {
            const byAgent = row.infos instanceof Map ? Object.fromEntries(row.infos) : row.infos;
            for (const agent in byAgent) {
                const columns = (this.data.infos[agent] ??= {});
                // Properties. Pyodide's own Maps have them for keys that are strings; other Maps leave no column here.
                for (const key in byAgent[agent]) (columns[key] ??= []).push(byAgent[agent][key]);
            }
        }
        if (row.episode_num !== undefined) this.data.episode_num.push(row.episode_num);
        if (row.t !== undefined) this.data.t.push(row.t);
        if (row.player_subjects !== undefined) this.data.player_subjects ??= row.player_subjects;
        this.data.timestamp.push(Date.now());
    }

    getData() {
        return JSON.parse(JSON.stringify(this.data));
    }
}

const remoteGameLogger = new RemoteGameDataLogger();

/** What was logged since the last call. */
export function getRemoteGameData() {
    const data = remoteGameLogger.getData();
    remoteGameLogger.reset();
    return data;
}

/** @param {Record<string, any>} graphics_config */
export function graphics_start(graphics_config) {
    const scene = new GymScene(graphics_config);
    const {parent, fps, width, height} = graphics_config;
    const game = new Phaser.Game({
        type: Phaser.AUTO, pixelArt: true, audio: {noAudio: true}, parent, fps, width, height, scene,
    });
    game_graphics = {game};
    window.seedScene = scene;  // For the tests; nothing in the page reads it.
}

export function graphics_end() {
    $('#gameContainer').empty();
    game_graphics?.game.destroy(true);
    game_graphics = null;
    stateBuffer = [];
}

class GymScene extends Phaser.Scene {
    /** @param {Record<string, any>} config */
    constructor(config) {
        super({key: 'GymScene'});
        this.objectMap = new Map();
        this.state = config.state_init;
        this.assets_to_preload = config.assets_to_preload ?? [];
        this.background = config.background;
        this.scene_metadata = config.scene_metadata;
        this.pyodide_remote_game = config.pyodide_remote_game;
        this.isProcessingPyodide = false;
        this.picture = null;
        this.pyodide_remote_game?.reinitialize_environment(this.pyodide_remote_game.config);
    }

    preload() {
        for (const asset of this.assets_to_preload) {
            if (asset.object_type === 'img_spec') this.load.image(asset.name, asset.img_path);
            if (asset.object_type === 'atlas_spec') this.load.atlas(asset.name, asset.img_path, asset.atlas_path);
        }
    }

    create() {
        this.width = this.sys.game.canvas.width;
        this.height = this.sys.game.canvas.height;
        if (this.background) this.cameras.main.setBackgroundColor(color(this.background));
        if (this.state) this.drawState();
    }

    update() {
        const game = this.pyodide_remote_game;
        if (game && game.state === 'done') {
            this.removeAllObjects();
            return;
        }
        if (game && !this.isProcessingPyodide && game.pyodideReady) this.processPyodideGame();
        this.processRendering();
    }

    async processPyodideGame() {
        this.isProcessingPyodide = true;
        const game = this.pyodide_remote_game;
        let obs, rewards, terminateds, truncateds, infos, render_state;
        if (game.shouldReset) {
            currentObservations = {};  // Not a Map: a policy that is asked before there are any throws.
            clearStateBuffer();
            this.removeAllObjects();
            const result = await game.reset();
            if (result === null) {
                this.isProcessingPyodide = false;
                return;
            }
            [obs, infos, render_state] = result;
            remoteGameLogger.logData({
                observations: obs, infos,
                episode_num: game.num_episodes, t: game.step_num, player_subjects: game.playerSubjects,
            });
        } else {
            const actions = await this.buildPyodideActionDict();
            previousSubmittedActions = actions;
            const result = await game.step(actions);
            if (result === null) {
                this.isProcessingPyodide = false;
                return;
            }
            let syncedActions = actions;
            [obs, rewards, terminateds, truncateds, infos, render_state] = result;
            if (result.length >= 7) syncedActions = result[6];
            remoteGameLogger.logData({
                observations: obs, actions: syncedActions, rewards, terminateds, truncateds, infos,
                episode_num: game.num_episodes, t: game.step_num, player_subjects: game.playerSubjects,
            });
        }
        currentObservations = obs;
        addStateToBuffer(render_state);
        this.isProcessingPyodide = false;
    }

    async buildPyodideActionDict() {
        const me = this.pyodide_remote_game.myPlayerId;
        /** @type {Record<string, any>} */
        const actions = {};
        for (const [agent, policy] of Object.entries(this.scene_metadata.policy_mapping)) {
            if (policy !== 'human') actions[agent] = this.getBotAction(agent);
            else if (me === undefined || agent === String(me)) actions[agent] = this.getHumanAction();
            else actions[agent] = this.scene_metadata.default_action || 0;
        }
        return actions;
    }

    /** @param {string} agent */
    getBotAction(agent) {
        const {policy_mapping, frame_skip, action_mapping, action_population_method, default_action} = this.scene_metadata;
        if (this.pyodide_remote_game.step_num % frame_skip === 0) {
            if (policy_mapping[agent] === 'random') {
                return Math.floor(Math.random() * Object.keys(action_mapping).length);
            }
            const id = Number.isNaN(Number(agent)) ? agent : Number(agent);
            this.queryBotPolicy(agent, currentObservations.get(id));
        }
        const answers = (botActionBuffers[agent] ??= []);
        if (answers.length > 0) return answers.shift();
        if (action_population_method === 'previous_submitted_action' && previousSubmittedActions[agent] !== undefined) {
            return previousSubmittedActions[agent];
        }
        return default_action;
    }

    /** In the place of a network: an answer that comes when it comes. @param {string} agent @param {any} observation */
    async queryBotPolicy(agent, observation) {
        if (observation === undefined) throw new Error(`there is no observation of ${agent}`);
        const actions = Object.values(this.scene_metadata.action_mapping);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
        (botActionBuffers[agent] ??= []).push(actions[Math.floor(Math.random() * actions.length)]);
    }

    getHumanAction() {
        const {input_mode, action_mapping, default_action} = this.scene_metadata;
        if (input_mode === 'single_keystroke') return action_mapping[humanKeyPressBuffer.shift() ?? ''] ?? default_action;
        const keys = Object.keys(pressedKeys);
        const together = Object.keys(action_mapping)
            .filter((name) => name.includes(',') && name.split(',').every((key) => pressedKeys[key]))
            .sort((one, other) => other.split(',').length - one.split(',').length)[0];
        const name = together ?? keys.find((key) => key in action_mapping);
        return name === undefined ? default_action : action_mapping[name];
    }

    processRendering() {
        if (stateBuffer.length === 0) return;
        this.state = stateBuffer.shift();
        this.drawState();
    }

    /** Non-permanent objects that are not in the state go; permanent ones stay until the next reset. */
    drawState() {
        const {game_state_objects: objects, game_image_binary: picture} = this.state;
        if (objects == null) {
            // The page encodes pictures under another name, so nothing of `env.render()`'s own was ever seen here.
            if (picture != null) this.drawPicture(picture);
            return;
        }
        const named = new Set(objects.map((/** @type {any} */ object) => object.uuid));
        for (const [uuid, drawn] of this.objectMap) {
            if (!drawn.permanent && !named.has(uuid)) {
                drawn.destroy();
                this.objectMap.delete(uuid);
            }
        }
        for (const object of objects) {
            const drawn = this.objectMap.get(object.uuid);
            if (drawn === undefined) this.addObject(object);
            else this.updateObject(drawn, object);
        }
    }

    /** @param {BlobPart} picture */
    async drawPicture(picture) {
        const bitmap = await createImageBitmap(new Blob([picture]));
        if (this.textures.exists('curStateImage')) this.textures.remove('curStateImage');
        this.textures.addImage('curStateImage', bitmap);
        this.picture?.destroy();
        this.picture = this.add.image(0, 0, 'curStateImage').setOrigin(0, 0);
    }

    removeAllObjects() {
        for (const drawn of this.objectMap.values()) drawn.destroy();
        this.objectMap.clear();
    }

    /** @param {any} object */
    addObject(object) {
        const make = MAKERS[object.object_type];
        if (make === undefined) {
            console.warn(`Objects of type ${object.object_type} cannot be drawn.`);
            return;
        }
        const drawn = make(this, object);
        drawn.setDepth(object.depth ?? 0);
        drawn.permanent = object.permanent ?? false;
        drawn.tween = null;
        this.objectMap.set(object.uuid, drawn);
    }

    /** @param {any} drawn @param {any} object */
    updateObject(drawn, object) {
        drawn.setDepth(object.depth ?? 0);
        if (object.object_type === 'text') drawn.setText(object.text);
        if (object.object_type === 'sprite' && object.image_name != null) {
            drawn.setTexture(object.image_name, object.frame ?? undefined);
        }
        const place = placeOf(this, object);
        if (place === null || (drawn.x === place.x && drawn.y === place.y)) return;
        drawn.tween?.stop();
        drawn.tween = null;
        if (object.tween && object.tween_duration > 0) {
            drawn.tween = this.tweens.add({targets: [drawn], ...place, duration: object.tween_duration});
        } else {
            Object.assign(drawn, place);
        }
    }
}

/** Where an object is, in pixels; coordinates are parts of the width and height. Lines do not move. */
function placeOf(/** @type {any} */ scene, /** @type {any} */ object) {
    if (object.object_type === 'line') return null;
    if (object.object_type !== 'polygon') return {x: object.x * scene.width, y: object.y * scene.height};
    const [x, y] = [0, 1].map((axis) => object.points.reduce((sum, point) => sum + point[axis], 0) / object.points.length);
    return {x: x * scene.width, y: y * scene.height};
}

/** Makers of what is drawn, by `object_type`. @type {Record<string, (scene: any, object: any) => any>} */
const MAKERS = {
    sprite(scene, object) {
        const {x, y} = placeOf(scene, object);
        const sprite = scene.add.sprite(x, y, object.image_name ?? '__DEFAULT', object.frame ?? undefined).setOrigin(0);
        if (object.width && object.height) sprite.setDisplaySize(object.width, object.height);
        return sprite;
    },
    line(scene, object) {
        const line = scene.add.graphics();
        line.lineStyle(object.width, color(object.color));
        line.strokePoints(pixels(scene, object.points, {x: 0, y: 0}), false);
        return line;
    },
    circle(scene, object) {
        const {x, y} = placeOf(scene, object);
        const disc = scene.add.graphics();
        disc.fillStyle(color(object.color), object.alpha ?? 1);
        disc.fillCircle(0, 0, object.radius * Math.max(scene.width, scene.height));
        return scene.add.container(x, y, [disc]);
    },
    rect(scene, object) {
        const {x, y} = placeOf(scene, object);
        const shape = scene.add.graphics();
        shape.fillStyle(color(object.color), object.alpha ?? 1);
        shape.fillRect(0, 0, object.w * scene.width, object.h * scene.height);
        return scene.add.container(x, y, [shape]);
    },
    polygon(scene, object) {
        const place = placeOf(scene, object);
        const shape = scene.add.graphics();
        shape.fillStyle(color(object.color), object.alpha ?? 1);
        shape.fillPoints(pixels(scene, object.points, place), true);
        return scene.add.container(place.x, place.y, [shape]);
    },
    text(scene, object) {
        const {x, y} = placeOf(scene, object);
        const style = {fontFamily: object.font, fontSize: object.size ?? 16, color: object.color ?? '#000000'};
        return scene.add.text(x, y, object.text, style);
    },
};

/** Points in pixels, relative to a place. */
function pixels(/** @type {any} */ scene, /** @type {number[][]} */ points, /** @type {{x: number, y: number}} */ origin) {
    return points.map(([x, y]) => new Phaser.Math.Vector2(x * scene.width - origin.x, y * scene.height - origin.y));
}

/** @param {string} text `#rrggbb` */
function color(text) {
    return Number.parseInt(text.replace('#', ''), 16);
}
