/** What is shown of an error of Python's: its sentence, and the line of the study that it comes from. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { describe } from '../../../web/core/errors.js';

/** As Pyodide hands it over. */
function python(type, ...lines) {
  const error = new Error(`Traceback (most recent call last):\n${lines.join('\n')}\n`);
  error.name = 'PythonError';
  error.type = type;
  return error;
}

test('the innermost line of the study is named, whoever called it and whatever it called', () => {
  const error = python(
    'ValueError',
    '  File "/lib/python3.13/site-packages/pycore/envs/adapter.py", line 156, in _reset_with',
    '  File "study/environment.py", line 12, in reset',
    '  File "study/levels/first.py", line 7, in read',
    '  File "/lib/python313.zip/random.py", line 312, in randrange',
    'ValueError: empty range',
  );
  const { code, message, details } = describe(error);
  assert.equal(code, 'python-ValueError');
  assert.equal(message, 'ValueError: empty range (first.py:7)');
  assert.match(details, /randrange/);
});

test('an exception that no line of the study raised is shown without one', () => {
  const error = python(
    'KeyError',
    '  File "<exec>", line 1, in <module>',
    '  File "/lib/python3.13/site-packages/pycore/session/session.py", line 3, in poll',
    'KeyError: 3',
  );
  assert.equal(describe(error).message, 'KeyError: 3');
});
