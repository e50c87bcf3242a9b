/** The English table, for tests of modules that speak without a page. */

import { readFileSync } from 'node:fs';
import { useTexts } from '../../../web/demo/texts.js';

export const table = (language) => JSON.parse(readFileSync(new URL(`../../../pycore/site/texts/${language}.json`, import.meta.url), 'utf8'));

useTexts(table('en'));
