// @ts-check
/**
 * What is held of gamepads, by the names that a study's mapping has for it: `Gamepad:0` to `Gamepad:16`, the buttons of the
 * standard layout, and `Gamepad:LeftX-`, `Gamepad:LeftX+` and so on, the sticks.
 *
 * A browser tells of no press: it is asked at every tick. It gives gamepads to the window that has the focus, by https or on
 * this machine, and not before one of their buttons was pressed.
 *
 * What a browser does not know is numbered as the device has it. There the first two axes are the left stick, and what
 * comes behind them may be triggers, which rest at an end: it counts for no stick. Neither does an axis that stands at an
 * end when it is seen first, as pedals do.
 */

import { GAMEPAD } from './handed.js';

/** @param {string} key */
export const isGamepad = (key) => key.startsWith(GAMEPAD.prefix);

/** Gamepads of no known layout, and which of their axes are sticks. @type {Map<string, boolean[]>} */
const odd = new Map();

/** @param {Gamepad} pad @returns {readonly boolean[]} by axis */
function sticksOf(pad) {
  if (pad.mapping === 'standard') return GAMEPAD.axes.map(() => true);
  const name = `${pad.index} ${pad.id}`;
  let sticks = odd.get(name);
  if (!sticks) odd.set(name, sticks = pad.axes.slice(0, 2).map((value) => Math.abs(value) < GAMEPAD.tilt));
  return sticks;
}

/**
 * @param {readonly (Gamepad | null)[]} pads
 * @returns {Set<string>}
 */
export function heldOf(pads) {
  /** @type {Set<string>} */
  const held = new Set();
  const here = new Set(pads.map((pad) => (pad ? `${pad.index} ${pad.id}` : '')));
  // Plugged in once more, it is looked at anew.
  for (const name of odd.keys()) if (!here.has(name)) odd.delete(name);
  for (const pad of pads) {
    if (!pad) continue;
    pad.buttons.forEach(({ pressed }, number) => {
      if (pressed) held.add(`${GAMEPAD.prefix}${number}`);
    });
    const sticks = sticksOf(pad);
    GAMEPAD.axes.forEach((axis, number) => {
      const value = sticks[number] ? pad.axes[number] ?? 0 : 0;
      if (Math.abs(value) >= GAMEPAD.tilt) held.add(`${GAMEPAD.prefix}${axis}${value < 0 ? '-' : '+'}`);
    });
  }
  return held;
}

/** What is held now; null while another window has the focus. Throws where the page may not ask. @returns {Set<string> | null} */
export function gamepadKeys() {
  return document.hasFocus() ? heldOf(navigator.getGamepads?.() ?? []) : null;
}
