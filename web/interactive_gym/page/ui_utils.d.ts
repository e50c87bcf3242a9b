/** What we use of the page's `ui_utils.js`. */
export function showHUD(): void;
export function updateHUDText(text: string): void;
export const hideEpisodeOverlay: (() => void) | undefined;
