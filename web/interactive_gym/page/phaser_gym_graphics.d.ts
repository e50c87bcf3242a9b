/** What we use of the page's `phaser_gym_graphics.js`. */
export function addStateToBuffer(state: Record<string, unknown>): void;
export const clearHumanInputBuffers: (() => void) | undefined;
export const pressedKeys: Record<string, boolean> | undefined;
