// @ts-check
/**
 * What is held of gamepads, by the names that a study's mapping has for it: `Gamepad:0` to `Gamepad:16`, the buttons of the
 * standard layout, and `Gamepad:LeftX-`, `Gamepad:LeftX+` and so on, the sticks.
 *
 * A browser tells of no press: it is asked at every tick. It gives gamepads to the window that has the focus, by https or on
 * this machine, and not before one of their buttons was pressed.
 */

import { GAMEPAD } from './handed.js';

/** @param {string} key */
export const isGamepad = (key) => key.startsWith(GAMEPAD.prefix);

/**
 * @param {readonly (Gamepad | null)[]} pads
 * @returns {Set<string>}
 */
export function heldOf(pads) {
  /** @type {Set<string>} */
  const held = new Set();
  for (const pad of pads) {
    pad?.buttons.forEach(({ pressed }, number) => {
      if (pressed) held.add(`${GAMEPAD.prefix}${number}`);
    });
    GAMEPAD.axes.forEach((axis, number) => {
      const value = pad?.axes[number] ?? 0;
      if (Math.abs(value) >= GAMEPAD.tilt) held.add(`${GAMEPAD.prefix}${axis}${value < 0 ? '-' : '+'}`);
    });
  }
  return held;
}

/** What is held now. @returns {Set<string>} */
export function gamepadKeys() {
  return document.hasFocus() ? heldOf(navigator.getGamepads?.() ?? []) : new Set();
}
