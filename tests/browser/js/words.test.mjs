/** What the page says of the players, for groups of any size, in words of people who play. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { table } from './english.mjs';
import { digitsOf, number, together, useTexts } from '../../../web/demo/texts.js';
import { catchingUp, ended, failed, gettingReady, hasLeft, isBack, listedName, noPicture, playerName, refusal, standing, trouble, waiting, waitsForServer, withoutServer, won } from '../../../web/demo/words.js';

const NAMED = [
  { id: 0, you: true, name: 'Blue' }, { id: 1, you: false, name: 'Coral', path: 'p2p' },
  { id: 2, you: false, name: 'Green', path: 'p2p' }, { id: 3, you: false, name: 'Violet', policy: true },
];
const TWO = [{ id: 0, you: true }, { id: 1, you: false, path: 'p2p' }];
const with_ = (players, changes) => players.map((player, seat) => ({ ...player, ...changes[seat] }));

test('a player has the name of the study, or else a number, or is the partner', () => {
  assert.deepEqual(NAMED.map((_, seat) => playerName(NAMED, seat)), ['You', 'Coral', 'Green', 'Violet']);
  assert.deepEqual(TWO.map((_, seat) => playerName(TWO, seat)), ['You', 'Partner']);
  const three = [...TWO, { id: 2, you: false }];
  assert.deepEqual(three.map((_, seat) => playerName(three, seat)), ['You', 'Player 2', 'Player 3']);
  assert.equal(playerName(three, 7), 'Player 8');
});

test('in a list of everybody it is seen which one is oneself', () => {
  assert.deepEqual(NAMED.map((_, seat) => listedName(NAMED, seat)), ['You (Blue)', 'Coral', 'Green', 'Violet']);
  assert.equal(listedName(TWO, 0), 'You');
});

test('beside a name stands how that player is reached, or why not, the worst first', () => {
  const direct = { path: 'p2p', connection_type: 'direct' };
  assert.equal(standing({ path: null }), 'connecting');
  assert.equal(standing({ ...direct, hidden: true }), 'away');
  assert.equal(standing({ ...direct, hidden: true, interrupted: true }), 'no answer');
  assert.equal(standing({ ...direct, interrupted: true, gone: true }), 'left');
  assert.equal(standing({ ...direct, interrupted: true, away: true }), 'reloading');
  assert.equal(standing({ ...direct, returning: true, away: true, interrupted: true }), 'coming back');
});

test('names are joined as in a sentence', () => {
  assert.deepEqual([[], ['A'], ['A', 'B'], ['A', 'B', 'C']].map(together), ['', 'A', 'A and B', 'A, B, and C']);
});

test('it is said who does not answer, and that the game waits', () => {
  assert.equal(trouble(NAMED, false), '');
  assert.equal(trouble(with_(NAMED, { 1: { interrupted: true } }), true), 'Coral does not answer. The game waits a moment.');
  const both = with_(NAMED, { 1: { interrupted: true }, 2: { interrupted: true } });
  assert.equal(trouble(both, true), 'Coral and Green do not answer. The game waits a moment.');
  assert.equal(trouble(with_(TWO, { 1: { interrupted: true } }), true), 'The other player does not answer. The game waits a moment.');
});

test('whose page failed has not left', () => {
  const failed = with_(TWO, { 1: { failed: true, gone: true } });
  assert.equal(hasLeft(failed, 1, 'end'), 'The other player’s page has failed. The game ends.');
  assert.equal(hasLeft(with_(NAMED, { 1: { failed: true } }), 1, 'default_action'), 'Coral’s page has failed. The game goes on.');
  assert.equal(ended('player_left', '', failed, 1), 'The other player’s page has failed, so the game ended early.');
  assert.equal(ended('player_left', '', TWO, 1), 'The other player has left, so the game ended early.');
  assert.equal(ended('player_left', '', TWO, -1), 'The other player has left, so the game ended early.');
});

test('whose page is loaded again is named, and that the game waits for it', () => {
  const away = { interrupted: true, away: true };
  assert.equal(trouble(with_(NAMED, { 1: away }), true), 'Coral’s page is reloading. The game waits until it is back.');
  assert.equal(trouble(with_(TWO, { 1: away }), false), 'The other player’s page is reloading. The game waits until it is back.');
  assert.equal(trouble(with_(TWO, { 1: { returning: true } }), false), 'The other player’s page is reloading. The game waits until it is back.');
  const both = with_(NAMED, { 1: away, 2: { returning: true } });
  assert.equal(trouble(both, true), 'The pages of Coral and Green are reloading. The game waits until they are back.');
  // A game that stands waits for somebody who is away also before that is a silence.
  assert.equal(trouble(with_(TWO, { 1: { away: true } }), true), 'The other player’s page is reloading. The game waits until it is back.');
  assert.equal(trouble(with_(TWO, { 1: { away: true } }), false), '');
});

test('while the server is away it is said whether the game waits for it', () => {
  const waits = 'No connection to the server. The game waits until it is back, and goes on by itself.';
  assert.equal(withoutServer(with_(TWO, { 1: { path: 'socketio' } })), waits);
  assert.equal(withoutServer(with_(NAMED, { 2: { interrupted: true } })), waits);
  assert.equal(withoutServer(NAMED), 'No connection to the server. The game goes on as long as the players reach each other.');
  assert.equal(withoutServer(with_(TWO, { 1: { path: null } })), 'No connection to the server. Trying again…');
  assert.equal(withoutServer([{ id: 0, you: true }, { id: 1, policy: true }]), 'No connection to the server. The game goes on.');
  assert.equal(waitsForServer(with_(TWO, { 1: { path: 'socketio' } })), true);
  assert.equal(waitsForServer(with_(TWO, { 1: { path: 'socketio', gone: true } })), false);
  assert.equal(waitsForServer(NAMED), false);
});

test('who comes back sees how far that is', () => {
  assert.deepEqual(catchingUp(0, 0), ['You are coming back', 'Asking the others…']);
  assert.deepEqual(catchingUp(150, 200), ['You are coming back', 'Catching up: 75%']);
  assert.deepEqual(catchingUp(199, 200), ['You are coming back', 'Catching up: 99%']);
});

test('who is gone is waited for no more', () => {
  const left = with_(NAMED, { 1: { interrupted: true, gone: true } });
  assert.equal(trouble(left, false), '');
  assert.equal(trouble(left, true), 'Waiting for Green…');
});

test('a game that stands says for whom, if that can be known', () => {
  assert.equal(trouble(NAMED, true), 'Waiting for the others…');
  assert.equal(trouble(TWO, true), 'Waiting for the other player…');
});

test('who is in another window is named when nothing worse is the matter', () => {
  assert.equal(trouble(with_(NAMED, { 2: { hidden: true } }), false), 'Green is in another window.');
  assert.equal(trouble(with_(NAMED, { 1: { hidden: true }, 2: { hidden: true } }), false), 'Coral and Green are in another window.');
  assert.equal(trouble(with_(NAMED, { 1: { hidden: true }, 2: { interrupted: true } }), false), 'Green does not answer. The game waits a moment.');
});

test('who leaves is named, with what happens now once that is known', () => {
  assert.equal(hasLeft(NAMED, 1, undefined), 'Coral has left.');
  assert.equal(hasLeft(NAMED, 1, 'end'), 'Coral has left. The game ends.');
  assert.equal(hasLeft(NAMED, 1, 'default_action'), 'Coral has left. The game goes on.');
  assert.equal(hasLeft(NAMED, 1, 'policy'), 'Coral has left. The computer plays on instead.');
  assert.equal(isBack(TWO, 1), 'The other player is back.');
});

test('while the page connects, it counts whom it has reached', () => {
  const three = with_(NAMED, { 2: { path: null } });
  assert.equal(gettingReady(three), 'Connecting to the other players: 1 of 2…');
  assert.equal(gettingReady(TWO), 'Connecting to the other player…');
});

test('the waiting room says how many are there and missing', () => {
  assert.deepEqual(waiting(1, 1), {
    title: 'Waiting for another player',
    text: 'The game starts by itself as soon as somebody joins. Please keep this page open.',
  });
  assert.deepEqual(waiting(1, 3), {
    title: 'Waiting for 3 more players',
    text: 'You are the first. The game starts by itself as soon as all 4 are here. Please keep this page open.',
  });
  assert.deepEqual(waiting(3, 1), {
    title: 'Waiting for another player',
    text: '3 of 4 are here. The game starts by itself as soon as everybody is. Please keep this page open.',
  });
});

test('the end names who it is due to', () => {
  assert.equal(ended('complete', '', NAMED, -1), 'The game is over.');
  assert.equal(ended('player_left', '', NAMED, 2), 'Green has left, so the game ended early.');
  assert.equal(ended('player_left', '', NAMED, -1), 'The other player has left, so the game ended early.');
  assert.equal(ended('returned', '', NAMED, 1), 'Coral loaded the page again, so the game ended early.');
  assert.equal(ended('no_return', '', NAMED, 1), 'Coral could not come back, so the game ended early.');
  assert.equal(ended('no_return', '', NAMED, -1), 'Your page could not come back into the game, so the game ended early for you.');
  assert.equal(ended('no_progress', 'nothing moved', NAMED, -1), 'The game ended early.');
});

/** Whoever runs the study looks at the page; afterwards it is a participant's again. */
function asDeveloper(look) {
  assert.equal(noPicture('KeyError: 3'), 'The picture cannot be shown at the moment.');
  globalThis.document = { documentElement: { lang: 'en', dataset: { view: 'developer' } } };
  assert.equal(noPicture('KeyError: 3'), 'The picture cannot be drawn: KeyError: 3');
  try {
    look();
  } finally {
    delete globalThis.document;
  }
}

test('how players are connected is said to a developer alone', () => {
  const direct = { path: 'p2p', connection_type: 'direct' };
  assert.deepEqual([direct, { ...direct, connection_type: 'relay' }, { ...direct, path: 'socketio' }].map(standing), ['', '', '']);
  asDeveloper(() => {
    assert.equal(standing(direct), 'direct');
    assert.equal(standing({ ...direct, connection_type: 'relay' }), 'relayed');
    assert.equal(standing({ ...direct, path: 'socketio' }), 'by the server');
    assert.equal(standing({ ...direct, away: true }), 'direct', 'who is heard has only lost the server');
    assert.equal(ended('no_progress', 'nothing moved', NAMED, -1), 'The game ended early: nothing moved');
    assert.equal(ended('no_progress', '', NAMED, -1), 'The game ended early: no_progress');
  });
});

test('a participant is told what to do about a failure, and a developer what failed; what is not in words stands in the details', () => {
  const broken = { code: 'python-KeyError', message: "KeyError: 'x' (tag.py:3)", advice: '', details: 'Traceback' };
  const shown = failed(broken);
  assert.equal(shown.message, 'Something went wrong.');
  assert.match(shown.advice, /^Reload the page/);
  assert.equal(shown.details, "KeyError: 'x' (tag.py:3)\n\nTraceback");
  const offline = failed({ code: 'load-network', message: 'https://x did not come', advice: 'Check it.', details: '' });
  assert.deepEqual(offline, {
    message: 'The game could not be loaded completely.',
    advice: 'Please check your internet connection and reload the page.',
    details: 'https://x did not come\n\nCheck it.',
  });
  asDeveloper(() => assert.equal(failed(broken).message, broken.message));
});

test('a refusal of the server has words for the person who plays, where there are any', () => {
  const { message, advice } = refusal('replaced', 'socket 7 took your seat');
  assert.deepEqual([message, advice], ['The game was opened in another window, which goes on in place of this one.', 'Please go on there. You can close this window.']);
  assert.equal(refusal('new_code', 'as the server says').message, 'as the server says');
});

const three = [...TWO, { id: 2, you: false }];

test('of two it is said who won and by how much, with "you" on either side', () => {
  assert.equal(won({ points: [5, 3], first: [0], by: 2 }, TWO), 'You won by 2 points, 5 to 3.');
  assert.equal(won({ points: [4, 3], first: [0], by: 1 }, TWO), 'You won by 1 point, 4 to 3.');
  assert.equal(won({ points: [3, 5], first: [1], by: 2 }, TWO), 'The other player won by 2 points, 5 to 3.');
  const named = NAMED.slice(0, 2);
  assert.equal(won({ points: [3, 5], first: [1], by: 2 }, named), 'Coral won by 2 points, 5 to 3.');
  assert.equal(won({ points: [4, 4], first: [0, 1], by: 0 }, named), 'It is a tie, 4 to 4.');
  assert.equal(won({ points: [0.5, 0], first: [0], by: 0.5 }, TWO), 'You won by 0.5 points, 0.5 to 0.');
  assert.equal(won(null, TWO), '');
  // As many digits as it takes to see that somebody has more.
  assert.equal(won({ points: [0.5, 0.45], first: [0], by: 0.05 }, TWO), 'You won by 0.05 points, 0.5 to 0.45.');
  assert.equal(won({ points: [1.004, 1.001], first: [0], by: 0.003 }, TWO), 'You won by 0.003 points, 1.004 to 1.001.');
  assert.equal(won({ points: [0.123, 0.123], first: [0, 1], by: 0 }, TWO), 'It is a tie, 0.1 to 0.1.');
});

test('of a group the first is named, and those who share the first place', () => {
  assert.equal(won({ points: [9, 3, 6], first: [0], by: 3 }, three), 'You won with 9, 3 points ahead of the others.');
  assert.equal(won({ points: [1, 3, 6], first: [2], by: 3 }, three), 'Player 3 won with 6. You have 1.');
  assert.equal(won({ points: [6, 3, 6], first: [0, 2], by: 0 }, three), 'You share the first place with Player 3. Each of you has 6.');
  assert.equal(won({ points: [0, 0, 0], first: [0, 1, 2], by: 0 }, three), 'It is a tie: everybody has 0.');
  assert.equal(won({ points: [1, 6, 6], first: [1, 2], by: 0 }, three), 'Player 2 and Player 3 share the first place with 6 each. You have 1.');
});

test('a page by hand whose language no browser can read is no end of everything', () => {
  globalThis.document = { documentElement: { lang: 'pt-B', dataset: {} } };
  assert.deepEqual([number(1.25), together(['a', 'b'])], ['1.3', 'a and b']);
  delete globalThis.document;
});

test('numbers have as many digits as tell those apart that differ, and none for how floats are added', () => {
  const shown = (...values) => values.map((value) => number(value, digitsOf(values)));
  assert.deepEqual(shown(0.5, 0.45), ['0.5', '0.45']);
  assert.deepEqual(shown(0.1 + 0.2, 0.3, 2 / 3), ['0.3', '0.3', '0.7']);
  assert.deepEqual(shown(3, 12), ['3', '12']);
});

test('another language has its own sentences, numbers and joined names', () => {
  useTexts(table('de'));
  globalThis.document = { documentElement: { lang: 'de', dataset: {} } };
  try {
    const both = with_(NAMED, { 1: { interrupted: true }, 2: { interrupted: true } });
    assert.equal(trouble(both, true), 'Coral und Green antworten nicht. Das Spiel wartet einen Moment.');
    assert.equal(trouble(with_(TWO, { 1: { interrupted: true } }), true), 'Die andere Person antwortet nicht. Das Spiel wartet einen Moment.');
    assert.equal(won({ points: [2.5, 1], first: [0], by: 1.5 }, TWO), 'Sie haben mit 1,5 Punkten Vorsprung gewonnen, 2,5 zu 1.');
    assert.equal(together(['A', 'B', 'C']), 'A, B und C');
  } finally {
    delete globalThis.document;
    useTexts(table('en'));
  }
});
