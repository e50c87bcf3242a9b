/** What the page says of the players, for groups of any size, in words of people who play. */

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { COMING_BACK, GAME_OVER, catchingUp, ended, gettingReady, hasLeft, isBack, listedName, playerName, standing, together, trouble, waiting, waitsForServer, withoutServer } from '../../../web/demo/words.js';

const NAMED = [
  { id: 0, you: true, name: 'Blue' }, { id: 1, you: false, name: 'Coral', path: 'p2p' },
  { id: 2, you: false, name: 'Green', path: 'p2p' }, { id: 3, you: false, name: 'Violet', policy: true },
];
const TWO = [{ id: 0, you: true }, { id: 1, you: false, path: 'p2p' }];
const with_ = (players, changes) => players.map((player, seat) => ({ ...player, ...changes[seat] }));

test('a player has the name of the study, or else a number, or is the partner', () => {
  assert.deepEqual(NAMED.map((_, seat) => playerName(NAMED, seat)), ['Blue', 'Coral', 'Green', 'Violet']);
  assert.deepEqual(TWO.map((_, seat) => playerName(TWO, seat)), ['You', 'Partner']);
  const three = [...TWO, { id: 2, you: false }];
  assert.deepEqual(three.map((_, seat) => playerName(three, seat)), ['You', 'Player 2', 'Player 3']);
  assert.equal(playerName(three, 7), 'Player 8');
});

test('in a list of everybody it is seen which one is oneself', () => {
  assert.deepEqual(NAMED.map((_, seat) => listedName(NAMED, seat)), ['Blue (you)', 'Coral', 'Green', 'Violet']);
  assert.equal(listedName(TWO, 0), 'You');
});

test('beside a name stands how that player is reached, or why not, the worst first', () => {
  const direct = { path: 'p2p', connection_type: 'direct' };
  assert.equal(standing(direct), 'direct');
  assert.equal(standing({ ...direct, connection_type: 'relay' }), 'relayed');
  assert.equal(standing({ ...direct, path: 'socketio' }), 'by the server');
  assert.equal(standing({ path: null }), 'connecting');
  assert.equal(standing({ ...direct, hidden: true }), 'away');
  assert.equal(standing({ ...direct, hidden: true, interrupted: true }), 'no answer');
  assert.equal(standing({ ...direct, interrupted: true, gone: true }), 'left');
  assert.equal(standing({ ...direct, interrupted: true, away: true }), 'reloading');
  assert.equal(standing({ ...direct, away: true }), 'direct', 'who is heard has only lost the server');
  assert.equal(standing({ ...direct, returning: true, away: true, interrupted: true }), 'coming back');
});

test('names are joined as in a sentence', () => {
  assert.deepEqual([[], ['A'], ['A', 'B'], ['A', 'B', 'C']].map(together), ['', 'A', 'A and B', 'A, B and C']);
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
  assert.equal(ended('player_left', '', failed, 1), 'The other player’s page has failed, so the session ended early.');
  assert.equal(ended('player_left', '', TWO, 1), 'The other player has left, so the session ended early.');
  assert.equal(ended('player_left', '', TWO, -1), 'The other player has left, so the session ended early.');
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
  assert.deepEqual(catchingUp(150, 200), ['You are coming back', 'Catching up: 75 %']);
  assert.deepEqual(catchingUp(199, 200), ['You are coming back', 'Catching up: 99 %']);
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
    text: 'You are the first. The game starts by itself as soon as all 4 are. Please keep this page open.',
  });
  assert.deepEqual(waiting(3, 1), {
    title: 'Waiting for another player',
    text: '3 of 4 are here. The game starts by itself as soon as all 4 are. Please keep this page open.',
  });
});

test('the end names who it is due to', () => {
  assert.equal(ended('complete', '', NAMED, -1), 'The session is complete.');
  assert.equal(ended('player_left', '', NAMED, 2), 'Green has left, so the session ended early.');
  assert.equal(ended('player_left', '', NAMED, -1), 'The other player has left, so the session ended early.');
  assert.equal(ended('returned', '', NAMED, 1), 'Coral loaded the page again, so the session ended early.');
  assert.equal(ended('no_return', '', NAMED, 1), 'Coral could not come back, so the session ended early.');
  assert.equal(ended('no_return', '', NAMED, -1), 'Your page could not come back into the game, so the session ended early.');
  assert.equal(ended('no_progress', 'nothing moved', NAMED, -1), 'The session ended early: nothing moved');
});

test('no word of networks is said to people who play', () => {
  const said = [
    ...['player_left', 'returned', 'no_return', 'partition', 'dropped', 'stop'].map((code) => ended(code, '', NAMED, 1)),
    trouble(with_(NAMED, { 1: { interrupted: true } }), true), trouble(with_(NAMED, { 1: { returning: true } }), true),
    COMING_BACK.title, COMING_BACK.intro, GAME_OVER, ...catchingUp(1, 2), trouble(NAMED, true), hasLeft(NAMED, 1, 'end'), gettingReady(NAMED),
  ].join(' ');
  assert.doesNotMatch(said, /P2P|socket|peer|rollback|frame|\bms\b|session_id|TURN/i);
});
