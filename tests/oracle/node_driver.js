// The oracle in Node: the first line of the input is the oracle's text, every further one a story; all are JSON.
'use strict';

const readline = require('readline');
const vm = require('vm');

let started = false;

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  let answer;
  try {
    if (!started) {
      vm.runInThisContext(JSON.parse(line), { filename: 'oracle.js' });
      started = true;
      answer = JSON.stringify({ ready: true });
    } else {
      answer = globalThis.tellStory(line);
    }
  } catch (error) {
    answer = JSON.stringify({ error: String((error && error.stack) || error) });
  }
  process.stdout.write(answer + '\n');
});
