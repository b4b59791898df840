import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS, globalFlags } from './cli/command-table.ts';
import { environmentName, flagName } from './cli/flag.ts';
import { peersFlags } from './cli/peers-flags.ts';
import { runCli } from './cli.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-cli-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  columns?: number,
) {
  const out: string[] = [];
  const error: string[] = [];
  const code = await runCli({
    args,
    environment,
    writeOut: (text) => void out.push(text),
    writeError: (text) => void error.push(text),
    screen: columns === undefined ? undefined : { columns: () => columns, rows: () => 24 },
  });
  return { code, out: out.join(''), error: error.join('') };
}

/** What is said of a boolean flag, wherever its value stands. */
const refusalOf = (flag: string) => `error: Cannot use ${flag}: "maybe" is not true or false\n`;

const configure = (...args: string[]) => ['configure', '--containerd-registry-config-path', folder, ...args];

describe('runCli()', () => {
  test.each<[args: string[], message: string]>([
    [[], 'Usage: spegel'],
    [['clean'], "unknown command 'clean'"],
    [['nope'], "unknown command 'nope'\n(spegel --help lists the commands)"],
    [['peers', '--nope'], '(--help after the command shows its flags)'],
    [['cleanup'], '--addr is required'],
    [['cleanup', '--addr', '8080'], 'Cannot use --addr'],
    [['cleanup-wait'], '--probe-endpoint is required'],
    [['cleanup-wait', '--probe-endpoint', 'nodes.example'], 'Cannot use --probe-endpoint'],
    [['cleanup-wait', '--probe-endpoint', 'a:1', '--threshold', '0'], 'Cannot use --threshold'],
    [['cleanup-wait', '--probe-endpoint', 'a:1', '--period', '2'], 'Cannot use --period'],
    [['registry', '--nope'], "unknown option '--nope'"],
    [['doctor', '--containerd-version', 'new'], 'Cannot use --containerd-version'],
    [['doctor', '--mirror-targets', '127.0.0.1:30020'], 'Cannot use --mirror-targets'],
    [['registry', 'extra'], 'too many arguments'],
    [['registry'], '--bootstrap-kind is required'],
    [['registry', '--bootstrap-kind', 'http'], 'needs --http-bootstrap-peer'],
    [['registry', '--bootstrap-kind', 'dns'], 'needs --dns-bootstrap-domain'],
    [
      ['registry', '--bootstrap-kind', 'dns', '--dns-bootstrap-domain', 'a.', '--router-addr', ':0'],
      'needs a fixed port',
    ],
    [['registry', '--bootstrap-kind', 'dns', '--dns-bootstrap-domain', 'a..b'], 'is no domain name'],
    [
      ['registry', '--bootstrap-kind', 'static', '--debug-web-enabled', 'maybe'],
      refusalOf('--debug-web-enabled'),
    ],
    [
      ['registry', '--bootstrap-kind', 'static', '--debug-web-enabled=maybe'],
      refusalOf('--debug-web-enabled'),
    ],
    [['doctor', '--json', 'maybe'], refusalOf('--json')],
    [['peers', '--json', 'maybe', '--addr', ':9090'], refusalOf('--json')],
    [['registry', '--bootstrap-kind', 'static', '--zone', 'a b'], 'is not a name of up to 63 letters'],
    [['registry', '--bootstrap-kind', 'static', '--node-name', 'a_b'], 'is not a name of up to 253 letters'],
    [['registry', '--bootstrap-kind', 'magic'], 'is not dns or http or static'],
    [['registry', '--bootstrap-kind', 'static', '--router-addr', 'x'], 'Cannot use --router-addr'],
    [['registry', '--bootstrap-kind', 'static', '--static-bootstrap-peers', '10.0.0.1'], 'no multiaddr'],
    [['registry', '--bootstrap-kind', 'static', '--allowed-networks', '10.0.0.0/33'], 'is no network'],
    [['registry', '--bootstrap-kind', 'static', '--mirror-resolve-timeout', '20'], 'Cannot parse duration'],
    [
      ['registry', '--bootstrap-kind', 'static', '--registry-filters', 'a', '(?=b)'],
      'Cannot use --registry-filters',
    ],
    [['registry', '--bootstrap-kind', 'static', '--mirrored-registries', 'docker.io'], 'https://'],
    [['configure'], '--mirror-targets is required'],
    [['configure', '--mirror-targets'], '--mirror-targets is required'],
    [['configure', '--mirror-targets', 'http://a/b'], 'more than a host and a port'],
    [['configure', '--mirror-targets', '_default'], 'does not start with http'],
    [
      ['configure', '--mirror-targets', 'http://a', '--additional-mirror-targets', 'http://b'],
      'is not of the form',
    ],
    [
      ['configure', '--mirror-targets', 'http://a', '--additional-mirror-targets', 'b c=http://b'],
      'is invalid',
    ],
    [
      [
        'configure',
        '--mirror-targets=http://a',
        '--mirrored-registries=https://docker.io',
        '--additional-mirror-targets=ghcr.io=http://b',
      ],
      'ghcr.io is not one of --mirrored-registries',
    ],
    [['--log-level', 'loud', 'version'], 'Cannot use --log-level'],
    [['peers', '--addr', '9090'], 'Cannot use --addr'],
    [['peers', 'find'], "missing required argument 'image|digest'"],
    [['peers', 'flights', 'a', 'b'], 'too many arguments'],
    [['peers', 'transfers', 'a'], 'too many arguments'],
    [['peers', '--watch=100ms'], 'Cannot use --watch: The interval 100ms is below 200ms'],
    [['peers', '--watch=0'], 'Cannot use --watch: The interval 0 is below 200ms'],
    [['peers', '--watch', '-1s'], "unknown option '-1s'"],
    [['peers', '--watch', 'often'], 'Cannot parse duration "often"'],
    [['peers', 'flights', '--watch', '1'], 'Cannot parse duration "1"'],
    [['peers', 'transfers', '--watch=often'], 'Cannot parse duration "often"'],
    [['peers', 'find', 'nginx', '--watch'], 'peers find asks once: leave out --watch'],
    [['why', 'nginx', '--watch'], "unknown option '--watch"],
    [
      ['peers', 'find', 'sha256:2cf2'],
      'error: "sha256:2cf2" is no complete digest: sha256: and 64 hex digits',
    ],
    [['version', '--format', 'xml'], 'is not text or json'],
  ])('runCli() exits with 2 for %p', async (args, message) => {
    const { code, out, error } = await run(args);
    expect([code, out]).toEqual([2, '']);
    expect(error).toContain(message);
  });

  test.each([
    [['--help']],
    [['help']],
    [['registry', '--help']],
    [['peers', 'find', '--help']],
    [['help', 'peers', 'find']],
    [['peers', 'flights', '--help']],
    [['peers', 'transfers', '--help']],
    [['cleanup-wait', '--help']],
  ])('runCli() prints the help for %p', async (args) => {
    const { code, out, error } = await run(args);
    expect([code, error]).toEqual([0, '']);
    expect(out).toStartWith('Usage: spegel');
    expect(out).not.toContain('preset');
  });

  test.each([
    ['a pipe', undefined, 80],
    ['a terminal of 72 columns', 72, 72],
    ['a wide terminal', 200, 110],
  ])('runCli() prints help that fits %s', async (_where, columns, width) => {
    for (const args of [['--help'], ['doctor', '--help'], ['peers', '--help'], ['registry', '--help']]) {
      const lines = (await run(args, {}, columns)).out.split('\nExamples:')[0]?.split('\n') ?? [];
      // A path is not broken.
      expect(lines.filter((line) => line.length > width && line.trim().includes(' '))).toEqual([]);
      expect(lines.length).toBeGreaterThan(5);
    }
  });

  test('runCli() prints the help of a command below a command', async () => {
    expect((await run(['help', 'peers', 'find'])).out).toContain('spegel peers find nginx');
    expect((await run(['help', 'peers', 'flights'])).out).toContain('spegel peers flights sha256:');
    expect((await run(['help', 'peers', 'transfers'])).out).toContain('spegel peers transfers --watch\n');
  });

  test.each([['--version'], ['-V']])('runCli() takes %s for the command', async (flag) => {
    expect(await run([flag])).toEqual(await run(['version']));
  });

  test.each([['configure'], ['cleanup'], ['cleanup-wait'], ['registry']])(
    'runCli() marks the required flag in the help of %s',
    async (command) => {
      const { out } = await run([command, '--help']);
      expect(out.match(/\(required,/g)).toHaveLength(1);
    },
  );

  test.each([
    [[], {}],
    [['peers', 'find'], peersFlags],
    [['peers', 'transfers'], peersFlags],
    ...Object.values(COMMANDS)
      .filter((command) => !('parent' in command))
      .map(({ usage, flags }) => [usage.split(' ').slice(0, 1), flags] as const),
  ])('runCli() shows in the help of %p each flag with its variable', async (args, flags) => {
    const help = (await run([...args, '--help'])).out.replaceAll(/\s+/g, ' ');
    const shown = Array.from(
      help.matchAll(/ --([a-z-]+) [<[](?:.(?! --))*?env: ([A-Z_]+)\)/g),
      ([, flag, variable]) => `${flag} ${variable}`,
    );
    const keys = Object.keys({ ...flags, ...globalFlags });
    expect(shown.sort()).toEqual(keys.map((key) => `${flagName(key)} ${environmentName(key)}`).sort());
  });

  test('runCli() configures from flags in every form', async () => {
    const { code, error } = await run(
      configure(
        '--mirrored-registries',
        'https://a.example',
        'https://b.example',
        '--mirrored-registries=https://c.example',
        '--mirror-targets=http://10.0.0.1:1',
        '--resolve-tags',
        'false',
        '--prepend-existing=false',
      ),
    );
    expect(code).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(['_backup', 'a.example', 'b.example', 'c.example']);
    expect(await readFile(join(folder, 'c.example/hosts.toml'), 'utf8')).toContain("capabilities = ['pull']");
    expect(error.trim().split('\n')).toHaveLength(4);
  });

  test('runCli() configures from the environment under its older name', async () => {
    const { code, error } = await run(['configuration'], {
      CONTAINERD_REGISTRY_CONFIG_PATH: folder,
      MIRRORED_REGISTRIES: 'https://a.example,_default',
      MIRROR_TARGETS: 'http://fd00::1:30020,http://registry_mirror:5000',
      RESOLVE_TAGS: 'true',
      PREPEND_EXISTING: '',
      LOG_LEVEL: 'error',
    });
    expect([code, error]).toEqual([0, '']);
    expect((await readdir(folder)).sort()).toEqual(['_backup', '_default', 'a.example']);
    expect(await readFile(join(folder, '_default/hosts.toml'), 'utf8')).toMatch(
      /'http:\/\/\[fd00::1\]:30020'[^]*'http:\/\/registry_mirror:5000'/,
    );
  });

  test('runCli() takes a wildcard twice for one, and an additional target for one registry', async () => {
    const { code } = await run(
      configure(
        '--mirrored-registries',
        '_default',
        '*',
        '--mirror-targets=http://10.0.0.1:1',
        '--additional-mirror-targets=a.example:5000=http://10.0.0.9:5000',
        '--prepend-existing',
      ),
    );
    expect(code).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(['_backup', '_default', 'a.example:5000']);
    expect(await readFile(join(folder, 'a.example:5000/hosts.toml'), 'utf8')).toMatch(
      /'http:\/\/10\.0\.0\.1:1'[^]*'http:\/\/10\.0\.0\.9:5000'/,
    );
  });

  test('runCli() prints a diff and writes nothing with --dry-run', async () => {
    const { code, out, error } = await run(configure('--dry-run', '--mirror-targets', 'http://10.0.0.1:1'));
    expect([code, error]).toEqual([0, '']);
    expect(out).toContain(`\n+++ ${folder}/_default/hosts.toml\n`);
    expect(await readdir(folder)).toEqual([]);
  });

  test('runCli() exits with 1 and the line when a hosts.toml is invalid', async () => {
    await mkdir(join(folder, '_default'));
    await writeFile(join(folder, '_default/hosts.toml'), '\n[host\n');
    const { code, error } = await run(configure('--mirror-targets', 'http://10.0.0.1:1'));
    expect(code).toBe(1);
    expect(error).toContain('_default/hosts.toml: line 2');
    expect(await readdir(folder)).toEqual(['_default']);
  });

  test.each([[['--log-level', 'Error']], [['--log-level=ERROR']]])(
    'runCli() takes %p before and after the command',
    async (level) => {
      const args = configure('--mirror-targets', 'http://10.0.0.1:1');
      expect(await run([...level, ...args])).toEqual({ code: 0, out: '', error: '' });
      expect(await run([...args, ...level])).toEqual({ code: 0, out: '', error: '' });
    },
  );

  test.each([['text'], ['json']])('runCli() prints the version as %s', async (format) => {
    const { code, out } = await run(['version', '--format', format]);
    expect(code).toBe(0);
    if (format === 'text') expect(out).toBe('spegel version dev unknown\n');
    else expect(JSON.parse(out)).toMatchObject({ build: { version: 'dev' }, runtime: { os: 'linux' } });
  });

  test.each([
    [['peers', '--json', 'transfers']],
    [['peers', '--watch', 'transfers', '--wide', 'true']],
    [['peers', 'flights', '--watch', 'nginx']],
    [['peers', 'flights', '--watch', '5s', 'nginx']],
    [['peers', 'flights', 'nginx', '--watch', 'false']],
    [['peers', '--watch', '500ms']],
  ])('runCli() tells a command and a word from the value of a flag: %p', async (args) => {
    // It has understood the command line, and asks.
    const { code, error } = await run([...args, '--addr', '127.0.0.1:1']);
    expect(code).not.toBe(2);
    expect(error).toContain('No spegel answers at 127.0.0.1:1');
  });

  test('runCli() writes as wide as the terminal is, or without an end', async () => {
    const zones = 'z'.repeat(150);
    using server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () =>
        Response.json({ self: { id: 'a', addresses: ['b'], zone: zones }, ready: true, peers: [] }),
    });
    const addr = `127.0.0.1:${server.port}`;
    const longest = async (args: readonly string[], columns?: number) => {
      const { out } = await run(['peers', '--addr', addr, ...args], { NO_COLOR: '1' }, columns);
      return Math.max(...out.split('\n').map(({ length }) => length));
    };
    expect(await longest([])).toBe(80);
    expect(await longest([], 60)).toBe(60);
    expect(await longest([], 400)).toBe('this node  '.length + zones.length);
    expect(await longest(['--wide'], 60)).toBe('this node  '.length + zones.length);
    expect((await run(['peers', '--addr', addr], {}, 60)).out).toContain('\u001B[');
    expect((await run(['peers', '--addr', addr])).out).not.toContain('\u001B[');
  });

  test('runCli() does not let --json take the word after it', async () => {
    const { code, error } = await run(['peers', '--json', 'find', 'UPPER/x:y:z']);
    expect(code).toBe(2);
    expect(error).toContain('Cannot parse image name');
  });
});
