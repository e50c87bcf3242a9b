// @ts-check
/**
 * Failures with a stable code, and the guard around every callback that the browser calls.
 *
 * An exception in an event handler otherwise ends in the console and nowhere else: the page looks alive
 * and does nothing. So every callback given to the browser goes through `guard`, which hands the failure
 * to a reporter and never swallows it.
 */

/** @typedef {(where: string, error: unknown) => void} Report */

/** What participants are told whose study does not work. */
export const FOR_THE_STUDY = 'Please tell the person who runs the study.';

/** A failure that the page can name: `code` is stable, `message` says what happened, `advice` what to do. */
export class PageError extends Error {
  /**
   * @param {string} code stable, kebab-case
   * @param {string} message what happened, with the value
   * @param {string} [advice] what the person in front of the page can do
   */
  constructor(code, message, advice = '') {
    super(message);
    this.name = 'PageError';
    this.code = code;
    this.advice = advice;
  }
}

/**
 * Wrap a callback so that whatever it throws reaches the reporter.
 *
 * @template {unknown[]} A
 * @param {Report} report
 * @param {string} where names the callback in the report
 * @param {(...args: A) => unknown} callback may return a promise; its rejection is reported too
 * @returns {(...args: A) => void}
 */
export function guard(report, where, callback) {
  return (...args) => {
    try {
      const result = callback(...args);
      if (result instanceof Promise) result.catch((error) => report(where, error));
    } catch (error) {
      report(where, error);
    }
  };
}

/**
 * The innermost line of a traceback that is in a file of the study's, as `environment.py:19`; empty if there is none.
 *
 * @param {string[]} traceback
 * @returns {string}
 */
function placeIn(traceback) {
  for (const line of [...traceback].reverse()) {
    const found = /^\s*File "([^"]+)", line (\d+)/.exec(line);
    if (found === null || /site-packages|\/lib\/|(^|\/)pycore\/|^</.test(found[1])) continue;
    return `${found[1].split('/').pop()}:${found[2]}`;
  }
  return '';
}

/**
 * What is shown of an error: code, one-line message and the full text for the details.
 *
 * A Python exception arrives as `PythonError` with the traceback as its message and the class in `type`;
 * its last line is the sentence for people, the rest belongs into the details.
 *
 * @param {unknown} error
 * @returns {{code: string, message: string, advice: string, details: string}}
 */
export function describe(error) {
  if (error instanceof PageError) {
    return { code: error.code, message: error.message, advice: error.advice, details: error.stack ?? '' };
  }
  if (error instanceof Error) {
    const type = /** @type {{type?: string}} */ (error).type;
    if (error.name === 'PythonError') {
      const lines = error.message.trimEnd().split('\n');
      const place = placeIn(lines);
      return {
        code: `python-${type ?? 'exception'}`,
        message: (lines[lines.length - 1] ?? 'Python raised an exception') + (place && ` (${place})`),
        advice: '',
        details: error.message,
      };
    }
    return { code: error.name, message: error.message, advice: '', details: error.stack ?? '' };
  }
  return { code: 'unknown', message: String(error), advice: '', details: '' };
}

/** The last line of a Python exception, which is the sentence. @param {unknown} error */
export function sentence(error) {
  return describe(error).message;
}
