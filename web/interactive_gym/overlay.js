// @ts-check
/**
 * What stands over the page's game: a notice while a player is away, and the end of a session.
 *
 * Python decides what is shown; nothing of the page is taken away, so a notice that goes leaves it as it was.
 * Texts come from the study and from other pages: they are set as text, never as HTML.
 */

const ID = 'pycoreOverlay';
/** Kinds that leave the game visible and usable. */
const LIGHT = ['reconnecting', 'waiting', 'notice', 'warning'];

/** @param {HTMLElement} parent @param {string} tag @param {string} text @param {string} style */
function add(parent, tag, text, style) {
  const element = document.createElement(tag);
  element.textContent = text;
  element.style.cssText = style;
  parent.append(element);
  return element;
}

/**
 * @param {string} kind
 * @param {string} title
 * @param {string} text
 * @param {string} [code] a completion code
 */
export function showOverlay(kind, title, text, code = '') {
  hideOverlay();
  const light = LIGHT.includes(kind);
  const overlay = document.createElement('div');
  overlay.id = ID;
  overlay.dataset['kind'] = kind;
  overlay.setAttribute('role', light ? 'status' : 'alertdialog');
  overlay.style.cssText = light
    ? 'position:fixed;top:0;left:0;right:0;padding:14px;background:rgba(20,30,45,.9);color:#fff;text-align:center;'
      + 'z-index:10000;font:16px/1.4 system-ui,sans-serif'
    : 'position:fixed;inset:0;display:flex;overflow:auto;background:#f7f8fa;color:#1c2733;'
      + 'z-index:10000;font:17px/1.5 system-ui,sans-serif';
  // In the middle, and where there is more of it than a window or a phone holds, from the top on and not beside it.
  const place = 'box-sizing:border-box;width:100%;max-width:36em;margin:auto;padding:2em;text-align:center;';
  const box = add(overlay, 'div', '', `${light ? '' : place}overflow-wrap:anywhere`);
  add(box, light ? 'strong' : 'h2', title, light ? 'margin-right:.6em' : 'margin:0 0 .6em');
  add(box, light ? 'span' : 'p', text, light ? '' : 'margin:0');
  if (code) {
    add(box, 'p', 'Your completion code:', 'margin:1.6em 0 .3em;font-weight:600');
    add(box, 'code', code, 'display:inline-block;font-size:1.2em;padding:.5em .8em;background:#e8ecf1;border-radius:.3em;user-select:all')
      .id = 'pycoreCompletionCode';
    add(box, 'p', 'Please copy it and hand it in, so that your participation counts.', 'margin:.8em 0 0;color:#566');
  }
  document.body.append(overlay);
}

export function hideOverlay() {
  document.getElementById(ID)?.remove();
}
