/**
 * What the participant sees beside the game, and the keyboard.
 *
 * As the page of January 2026 did, this module opens a connection of its own, so the server knows each participant
 * under two socket ids, of which only the one of `window.socket` is ever registered.
 */

import * as graphics from './phaser_gym_graphics.js';

const socket = io();

/** Keys that would scroll the page. */
const SCROLLING = new Set(['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', ' ']);

/** @type {Record<string, boolean>} */
let held = {};

export function showHUD() {
    $('#hudText').show();
}

/** @param {string} text */
export function updateHUDText(text) {
    $('#hudText').html(text);
}

/** @param {string} input_mode `single_keystroke`: an action for every stroke; `pressed_keys`: for what is held */
export function enableKeyListener(input_mode) {
    held = {};
    const single = input_mode === 'single_keystroke';
    $(document).on('keydown', (event) => {
        if (SCROLLING.has(event.key)) event.preventDefault();
        if (single) {
            graphics.addHumanKeyPressToBuffer(event.key);
            socket.emit('send_pressed_keys', {pressed_keys: [event.key], session_id: window.sessionId});
        } else if (!held[event.key]) {
            held[event.key] = true;
            graphics.updatePressedKeys(held);
        }
    });
    $(document).on('keyup', (event) => {
        if (single) return;
        delete held[event.key];
        graphics.updatePressedKeys(held);
    });
}

export function disableKeyListener() {
    $(document).off('keydown');
    $(document).off('keyup');
    held = {};
}

/** The overlay; Phaser's start may have emptied its place, so it is made when it is wanted. */
function overlay() {
    if ($('#episodeTransitionOverlay').length === 0) {
        $('#gameContainer').prepend(
            '<div id="episodeTransitionOverlay"><div id="episodeTransitionText"></div><div id="episodeCountdown"></div></div>');
    }
    return $('#episodeTransitionOverlay');
}

/** @param {string} message */
export function showEpisodeWaiting(message = 'The next round begins soon.') {
    overlay().addClass('visible');
    $('#episodeTransitionText').text(message);
    $('#episodeCountdown').text('');
}

/**
 * Count down on the overlay. Resolves half a second after the last number, when the overlay is gone.
 * @param {number} seconds
 * @param {string} message
 * @returns {Promise<void>}
 */
export function showEpisodeCountdown(seconds = 3, message = 'Get ready!') {
    overlay().addClass('visible');
    $('#episodeTransitionText').text(message);
    return new Promise((resolve) => {
        let left = seconds;
        $('#episodeCountdown').text(left);
        const timer = setInterval(() => {
            left -= 1;
            $('#episodeCountdown').text(left > 0 ? left : 'GO!');
            if (left > 0) return;
            clearInterval(timer);
            setTimeout(() => {
                hideEpisodeOverlay();
                resolve();
            }, 500);
        }, 1000);
    });
}

export function hideEpisodeOverlay() {
    $('#episodeTransitionOverlay').removeClass('visible');
}
