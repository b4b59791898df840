import { describe, expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from '../chart/render-chart.ts';
import { LISTENERS } from './endpoints.ts';
import { CANARY_PATH } from '../../src/canary/canary-result.ts';
import { FIND_PATH, PEERS_PATH } from '../../src/routing/peers-report.ts';
import { PAGE_PATH } from '../../src/web/page-answer.ts';
import { PULLS_PATH } from '../../src/web/pulls-answer.ts';
import { LIVE_PATH } from '../../src/web/live-report.ts';
import { REFERENCE_FILE, renderReference } from './reference.ts';

/** Calls and comparisons that make a route; a list of routes in one call is taken apart. */
const ROUTES =
  /(?:app\.(?:get|post)\(|pathname === |\bpath === |for \(const name of |\[(?=[A-Z_]+_PATH,))(\[[^\]]*\]|'[^']*'|[A-Z_]+_PATH)/g;
/** What routes to all that is below a path. */
const FOLDERS = /\bpath\.startsWith\('(\/\w[^']*\/)'\)/g;
/** Paths that both sides of a request name. */
const NAMED: Readonly<Record<string, string>> = {
  PEERS_PATH,
  FIND_PATH,
  CANARY_PATH,
  LIVE_PATH,
  PAGE_PATH,
  PULLS_PATH,
};

describe('docs/REFERENCE.md', () => {
  test('is what bun run reference writes', async () => {
    expect(await readFile(REFERENCE_FILE, 'utf8'), 'run bun run reference').toBe(await renderReference());
  });

  test.each(LISTENERS)('has the routes of $flag', async ({ sources, endpoints }) => {
    const routes = await Promise.all(
      sources.map(async ({ file, prefix }) => {
        const text = await readFile(join(REPOSITORY, file), 'utf8');
        const names = Array.from(
          text.matchAll(ROUTES),
          ([, list = '']) => list.match(/'[^']*'|[A-Z_]+_PATH/g) ?? [],
        ).flat();
        const folders = Array.from(text.matchAll(FOLDERS), ([, path]) => `${path}*`);
        return [...names.map((name) => NAMED[name] ?? name.slice(1, -1)), ...folders].map(
          (path) => prefix + path,
        );
      }),
    );
    // A path with and without the slash at its end is told of once.
    const all = new Set(routes.flat());
    const told = [...all].filter((path) => !all.has(`${path}/`));
    expect(told.sort()).toEqual(endpoints.map(({ path }) => path).sort());
  });
});
