/**
 * The place of the module that is installed: the harness has no game for several players of its own.
 */

import {RemoteGame} from './pyodide_remote_game.js';

export class MultiplayerPyodideGame extends RemoteGame {
    /** @param {Record<string, any>} config */
    constructor(config) {
        super(config);
        throw new Error('The harness has no MultiplayerPyodideGame of its own: install one in the place of this file.');
    }
}
