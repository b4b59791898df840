import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY } from '../lab/binary.ts';
import { tryCommand } from '../lab/run-command.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-refused-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** Arguments, environment, and a part of the sentence. */
const REFUSED: readonly [string[], Record<string, string>, string][] = [
  [['configure'], {}, '--mirror-targets is required'],
  [['configure', '--mirror-targets', '127.0.0.1:5000'], {}, 'Cannot use --mirror-targets'],
  [['configure'], { MIRROR_TARGETS: 'http://a/b' }, 'MIRROR_TARGETS in the environment'],
  [['cleanup'], {}, '--addr is required'],
  [['cleanup', '--addr', '8080'], {}, 'Cannot use --addr'],
  [['cleanup-wait'], {}, '--probe-endpoint is required'],
  [['cleanup-wait', '--probe-endpoint', 'a:1', '--period', '2'], {}, 'Cannot parse duration'],
  [['cleanup-wait', '--probe-endpoint', 'a:1'], { THRESHOLD: '0' }, 'THRESHOLD in the environment'],
  [['version', '--format', 'xml'], {}, 'is not text or json'],
  [['peers', '--addr', '9090'], {}, 'Cannot use --addr'],
  [['peers', 'find'], {}, 'missing required argument'],
  [['serve'], {}, "unknown command 'serve'"],

  [['registry', '--unheard-of'], {}, "unknown option '--unheard-of'"],
  [['registry', 'extra'], {}, 'too many arguments'],
  [['registry'], { BOOTSTRAP_KIND: '' }, '--bootstrap-kind is required'],
  [['registry', '--bootstrap-kind', 'magic'], {}, 'is not dns or http or static'],
  [['registry', '--bootstrap-kind', 'dns'], {}, 'needs --dns-bootstrap-domain'],
  [['registry', '--bootstrap-kind', 'http'], {}, 'needs --http-bootstrap-peer'],
  [['registry', '--mirror-resolve-timeout', '20'], {}, 'Cannot parse duration'],
  [['registry'], { MIRROR_RESOLVE_TIMEOUT: '1parsec' }, 'MIRROR_RESOLVE_TIMEOUT in the environment'],
  [['registry', '--mirror-resolve-timeout=-1s'], {}, 'not above zero'],
  [
    ['registry', '--flights-max-hold', '0'],
    {},
    'not above zero: to wait for no other node, set --flights-enabled',
  ],
  [['registry', '--max-uploads=-1'], {}, 'not a whole number of at least 0'],
  [['registry', '--max-upload-rate', '100'], {}, 'is not a number of bytes with its unit'],
  [['registry', '--max-upload-rate', '100kB'], {}, 'is below 1 MB per second; 0 is none'],
  [['registry'], { MAX_UPLOAD_RATE: 'fast' }, 'MAX_UPLOAD_RATE in the environment'],
  [['registry', '--mirror-resolve-retries', '1.5'], {}, 'not a whole number'],
  [['registry', '--mirrored-registries', 'docker.io'], {}, 'https://'],
  [['registry', '--mirrored-registries', 'ftp://docker.io'], {}, 'http'],
  [['registry', '--http-bootstrap-peer', 'n1:8080'], {}, 'is no URL'],
  [['registry'], { HTTP_BOOTSTRAP_URL: '/ids' }, 'is no URL'],
  [['registry', '--registry-filters', 'ok', '(?=b)'], {}, 'Cannot parse filter'],
  [['registry'], { REGISTRY_FILTERS: 'ok,[a' }, 'Cannot parse filter'],
  [['registry', '--registry-addr', '5000'], {}, 'Cannot use --registry-addr'],
  [['registry'], { ROUTER_ADDR: ':99999' }, 'ROUTER_ADDR in the environment'],
  [['registry', '--node-ip', '10.0.0'], {}, 'is no IP address'],
  [['registry', '--zone', 'rack/7'], {}, 'is not a name of up to 63 letters'],
  [['registry', '--node-name', 'node_7'], {}, 'is not a name of up to 253 letters'],
  [['registry', '--static-bootstrap-peers', '10.0.0.1:5001'], {}, 'is no multiaddr'],
  [['registry', '--debug-web-enabled=maybe'], {}, 'is not true or false'],
  [['registry', '--debug-web-enabled', 'maybe'], {}, 'is not true or false'],
  [['registry'], { DEBUG_WEB_ENABLED: 'maybe' }, 'is not true or false'],
  [['registry', '--log-level', 'loud'], {}, 'is not DEBUG or INFO'],
];

// In a network of its own: a listener would be seen, and could not disturb anybody.
const inside = (args: readonly string[]) => ['unshare', '--net', BINARY, ...args];

test.each(REFUSED)('%j %j is refused in one sentence, and nothing is started', async (args, env, message) => {
  const { exitCode, stdout, stderr } = await tryCommand(inside(args), {
    cwd: folder,
    env: {
      BOOTSTRAP_KIND: 'static',
      DATA_DIR: join(folder, 'data'),
      CONTAINERD_REGISTRY_CONFIG_PATH: folder,
      ...env,
    },
  });
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  // What the grammar of the command line refuses comes with a hint where to look.
  const [sentence = '', hint = '(--help', ...more] = stderr.trim().split('\n');
  expect(sentence).toStartWith('error: ');
  expect(sentence).toContain(message);
  expect(hint).toMatch(/^\((?:spegel )?--help/);
  expect(more).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
});
