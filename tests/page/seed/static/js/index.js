/**
 * The page's plumbing: the connection to the server, scenes, the start button, and the end of a game.
 */

import * as ui_utils from './ui_utils.js';
import {getRemoteGameData, graphics_end, graphics_start} from './phaser_gym_graphics.js';
import {RemoteGame} from './pyodide_remote_game.js';
import {MultiplayerPyodideGame} from './pyodide_multiplayer_game.js';

window.socket = io({transports: ['websocket'], upgrade: false});
const socket = window.socket;

/** @type {any} */
let pyodideRemoteGame = null;
/** @type {Record<string, any>} */
let currentSceneMetadata = {};
/** @type {number | undefined} */
let checkPyodideDone;
/** @type {number | undefined} */
let refreshStartButton;
/** @type {number | undefined} */
let waitroomInterval;
let latency = 0;

socket.on('connect', () => {
    socket.emit('register_subject', {
        subject_id: window.subjectName,
        interactiveGymGlobals: window.interactiveGymGlobals,
    });
    $('#invalidSession').hide();
    $('#hudText').hide();
});

socket.on('server_session_id', (data) => {
    window.sessionId = data.session_id;
});

socket.on('session_restored', (data) => {
    Object.assign(window.interactiveGymGlobals, data.interactiveGymGlobals);
});

for (const event of ['invalid_session', 'duplicate_session']) {
    socket.on(event, (data) => {
        $('#gameContainer').hide();
        $('#invalidSession').text(data.message).show();
    });
}

// --- Latency -------------------------------------------------------------------------------------------------------

let pingedAt = 0;
setInterval(() => {
    pingedAt = Date.now();
    socket.emit('ping', {ping_ms: latency, document_in_focus: document.hasFocus()});
}, 1000);

socket.on('pong', () => {
    latency = Date.now() - pingedAt;
    $('#latencyValue').text(String(latency).padStart(2, '0'));
});

// --- Scenes --------------------------------------------------------------------------------------------------------

socket.on('activate_scene', (data) => {
    currentSceneMetadata = data;
    $('#sceneHeader').html(data.scene_header ?? '').show();
    $('#sceneSubHeader').html(data.scene_subheader ?? '').show();
    $('#sceneBody').html(data.scene_body ?? '').show();
    if (data.scene_type === 'GymScene') startGymScene(data);
});

/** @param {Record<string, any>} data the scene's metadata */
function startGymScene(data) {
    window.interactiveGymGlobals.gymSceneCounter = (window.interactiveGymGlobals.gymSceneCounter ?? 0) + 1;
    if (data.run_through_pyodide) {
        initializePyodideRemoteGame({...data, interactive_gym_globals: window.interactiveGymGlobals});
        enableCheckPyodideDone();
    }
    $('#startButton').show().attr('disabled', true);
    clearInterval(refreshStartButton);
    refreshStartButton = setInterval(() => {
        if (pyodideRemoteGame !== null && !pyodideRemoteGame.pyodideReady) return;
        clearInterval(refreshStartButton);
        $('#startButton').attr('disabled', false);
    }, 500);
}

/** @param {Record<string, any>} data */
async function initializePyodideRemoteGame(data) {
    if (pyodideRemoteGame === null || data.restart_pyodide === true) {
        pyodideRemoteGame = data.pyodide_multiplayer === true ? new MultiplayerPyodideGame(data) : new RemoteGame(data);
        window.seedGame = pyodideRemoteGame;  // For the tests; nothing in the page reads it.
    } else {
        await pyodideRemoteGame.reinitialize_environment(data);
    }
}

function enableCheckPyodideDone() {
    clearInterval(checkPyodideDone);
    checkPyodideDone = setInterval(() => {
        if (!pyodideRemoteGame?.isDone()) return;
        clearInterval(checkPyodideDone);
        const popup = $('<div id="donePopup"></div>').appendTo('#gameContainer');
        let left = 3;
        const tick = () => {
            popup.html(`<h2>Done!</h2><p>Going on in ${left} seconds</p>`);
            if (left > 0) {
                left -= 1;
                setTimeout(tick, 1000);
            } else {
                popup.remove();
                socket.emit('advance_scene', {session_id: window.sessionId});
            }
        };
        tick();
    }, 100);
}

socket.on('terminate_scene', (data) => {
    socket.emit('sync_globals', {interactiveGymGlobals: window.interactiveGymGlobals});
    if (data.scene_type === 'GymScene') terminateGymScene(data);
});

/** @param {Record<string, any>} data the scene's metadata */
function terminateGymScene(data) {
    ui_utils.disableKeyListener();
    graphics_end();
    clearInterval(checkPyodideDone);
    clearInterval(refreshStartButton);
    socket.emit('sync_globals', {interactiveGymGlobals: window.interactiveGymGlobals});
    socket.emit('emit_remote_game_data', {
        data: msgpack.encode(getRemoteGameData()),
        scene_id: data.scene_id,
        session_id: window.sessionId,
        interactiveGymGlobals: window.interactiveGymGlobals,
    });
    $('#sceneHeader, #sceneSubHeader, #sceneBody').html('');
    $('#startButton, #gameContainer, #hudText').hide();
    $('#hudText').html('');
}

// --- A game's begin and end ----------------------------------------------------------------------------------------

$(() => {
    $('#startButton').click(() => {
        $('#startButton').hide().attr('disabled', true);
        socket.emit('join_game', {session_id: window.sessionId});
    });
    $('#advanceButton').click(() => {
        $('#advanceButton').hide().attr('disabled', true);
        socket.emit('advance_scene', {session_id: window.sessionId});
    });
});

socket.on('waiting_room', (data) => {
    clearInterval(waitroomInterval);
    let seconds = Math.floor(data.ms_remaining / 1000);
    const tell = () => $('#waitroomText').text(`${data.players_needed} more needed. Time left: ${seconds} s`).show();
    tell();
    waitroomInterval = setInterval(() => {
        seconds -= 1;
        tell();
        if (seconds > 0) return;
        clearInterval(waitroomInterval);
        socket.emit('leave_game', {session_id: window.sessionId});
    }, 1000);
});

socket.on('waiting_room_player_left', () => {
    clearInterval(waitroomInterval);
    $('#waitroomText').hide();
    $('#errorText').text('The other participant has left.').show();
    socket.emit('leave_game', {session_id: window.sessionId});
});

socket.on('create_game_failed', (data) => {
    $('#errorText').text(data.error).show();
    $('#startButton').show().attr('disabled', false);
});

socket.on('start_game', (data) => {
    clearInterval(waitroomInterval);
    const scene_metadata = data.scene_metadata;
    if (data.game_id && pyodideRemoteGame) pyodideRemoteGame.gameId = data.game_id;
    $('#sceneBody, #waitroomText, #errorText').hide();
    $('#gameContainer').show();
    ui_utils.enableKeyListener(scene_metadata.input_mode);
    graphics_start({
        parent: 'gameContainer',
        fps: {target: scene_metadata.fps, forceSetTimeOut: true},
        height: scene_metadata.game_height,
        width: scene_metadata.game_width,
        background: scene_metadata.background,
        state_init: scene_metadata.state_init,
        assets_dir: scene_metadata.assets_dir,
        assets_to_preload: scene_metadata.assets_to_preload,
        animation_configs: scene_metadata.animation_configs,
        pyodide_remote_game: pyodideRemoteGame,
        scene_metadata,
    });
});

// What was logged is not sent here: as in the page, a game that ends so leaves no data unless the scene is terminated.
socket.on('end_game', (data) => {
    graphics_end();
    $('#hudText, #gameContainer').hide();
    ui_utils.disableKeyListener();
    socket.emit('leave_game', {session_id: window.sessionId});
    if (data.message !== undefined) $('#errorText').text(data.message).show();
    socket.emit('end_game_request_redirect', {waitroom_timeout: false});
});

socket.on('end_game_request_redirect', (data) => {
    setTimeout(() => {
        window.location.href = data.redirect_url;
    }, data.redirect_timeout);
});
