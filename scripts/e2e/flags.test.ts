import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { cleanupFlags, cleanupWaitFlags } from '../../src/cli/cleanup-flags.ts';
import type { globalFlags, versionFlags } from '../../src/cli/command-table.ts';
import type { configureFlags } from '../../src/cli/configure-flags.ts';
import type { peersFlags } from '../../src/cli/peers-flags.ts';
import { BINARY } from '../lab/binary.ts';
import { type CommandResult, runCommand, tryCommand } from '../lab/run-command.ts';
import { waitFor } from '../lab/wait-for.ts';
import { type FlagRows, give, type Settings, WAYS } from './flag-row.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-flags-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const TARGET = 'http://10.0.0.1:30020';

/** A flag of `configure`, and what its folder holds after it. */
interface ConfigureRow {
  readonly settings: () => Settings;
  readonly effect: (hosts: string, result: CommandResult) => void;
  /** Folder of the hosts.toml that is looked at. Default _default. */
  readonly registry?: string;
}

const CONFIGURE: FlagRows<typeof configureFlags, ConfigureRow> = {
  'containerd-registry-config-path': {
    settings: () => ({ 'containerd-registry-config-path': folder }),
    effect: (hosts) => expect(hosts).toContain(TARGET),
  },
  'mirrored-registries': {
    settings: () => ({ 'mirrored-registries': ['https://a.lab', 'http://b.lab:5000'] }),
    registry: 'b.lab:5000',
    effect: (hosts) => expect(hosts).toContain("server = 'http://b.lab:5000'"),
  },
  'mirror-targets': {
    settings: () => ({ 'mirror-targets': ['http://10.0.0.2:1', 'http://10.0.0.3:2'] }),
    effect: (hosts) => expect(hosts).toMatch(/10\.0\.0\.2:1'[^]*10\.0\.0\.3:2'/),
  },
  'additional-mirror-targets': {
    settings: () => ({ 'additional-mirror-targets': 'c.lab=http://10.0.0.9:5000' }),
    registry: 'c.lab',
    effect: (hosts) => expect(hosts).toMatch(/10\.0\.0\.1:30020'[^]*10\.0\.0\.9:5000'/),
  },
  'resolve-tags': {
    settings: () => ({ 'resolve-tags': 'false' }),
    effect: (hosts) => expect(hosts).toContain("capabilities = ['pull']"),
  },
  'prepend-existing': {
    settings: () => ({ 'prepend-existing': 'true' }),
    effect: (hosts) => expect(hosts).toMatch(/10\.0\.0\.1:30020'[^]*cache\.lab'/),
  },
  'basic-auth-dir': {
    settings() {
      writeFileSync(join(folder, 'username'), 'a');
      writeFileSync(join(folder, 'password'), 'b');
      return { 'basic-auth-dir': folder };
    },
    effect: (hosts) => expect(hosts).toContain('Basic YTpi'),
  },
  'dry-run': {
    settings: () => ({ 'dry-run': 'true' }),
    effect: (hosts, { stdout }) => {
      expect(hosts).not.toContain(TARGET);
      expect(stdout).toContain(`+[host.'${TARGET}']`);
    },
  },
};

describe('configure', () => {
  const rows = Object.entries(CONFIGURE).flatMap(([flag, row]) =>
    WAYS.map((way) => [flag, way, row] as const),
  );
  test.each(rows)('--%s by %s', async (_, way, { settings, effect, registry = '_default' }) => {
    // What is there already.
    await mkdir(join(folder, '_default'));
    await writeFile(
      join(folder, '_default/hosts.toml'),
      "[host.'http://cache.lab']\ncapabilities = ['pull', 'resolve']\n",
    );
    const base: Settings = { 'containerd-registry-config-path': folder, 'mirror-targets': TARGET };
    const { args, env } = give({ ...base, ...settings() }, way);
    const result = await tryCommand([BINARY, 'configure', ...args], { env });
    expect(result).toMatchObject({ exitCode: 0 });
    effect(await readFile(join(folder, registry, 'hosts.toml'), 'utf8'), result);
  });
});

/** Starts `cleanup` on a port that the system chooses, and ends it after the check. */
async function withCleanup(
  { args, env }: ReturnType<typeof give>,
  check: (port: string) => Promise<void>,
): Promise<void> {
  const log = join(folder, 'log');
  const child = Bun.spawn([BINARY, 'cleanup', ...args], {
    env: { ...process.env, ...env },
    stdout: 'ignore',
    stderr: Bun.file(log),
  });
  try {
    const port = async () => /"port":(\d+)/.exec(await readFile(log, 'utf8'))?.[1];
    await check(await waitFor('the port in the log of cleanup', port));
  } finally {
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
  }
}

describe('cleanup and cleanup-wait', () => {
  test.each(WAYS)('all of their flags by %s', async (way) => {
    const certsDir = join(folder, 'certs.d');
    await mkdir(join(certsDir, 'a.lab'), { recursive: true });
    await writeFile(join(certsDir, 'a.lab/hosts.toml'), "server = 'https://a.lab'\n");
    await runCommand([
      BINARY,
      'configure',
      '--containerd-registry-config-path',
      certsDir,
      '--mirror-targets',
      TARGET,
    ]);
    const cleanup: FlagRows<typeof cleanupFlags, string> = {
      addr: '127.0.0.1:0',
      'containerd-registry-config-path': certsDir,
    };
    await withCleanup(give(cleanup, way), async (port) => {
      // With the default of 2 s so many rounds would take longer than the command may run.
      const settings: FlagRows<typeof cleanupWaitFlags, string> = {
        'probe-endpoint': `127.0.0.1:${port}`,
        threshold: '50',
        period: '1ms',
      };
      await waitFor('cleanup to answer', async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok);
      const { args, env } = give(settings, way);
      const { exitCode, stderr } = await tryCommand([BINARY, 'cleanup-wait', ...args], { env });
      expect(exitCode).toBe(0);
      expect(stderr.split('every node has answered')).toHaveLength(51);
      expect(await readdir(certsDir)).toEqual(['a.lab']);
      expect(await readFile(join(certsDir, 'a.lab/hosts.toml'), 'utf8')).toBe("server = 'https://a.lab'\n");
    });
  });
});

describe('version, peers and --log-level', () => {
  test.each(WAYS)('version --format by %s', async (way) => {
    const settings: FlagRows<typeof versionFlags, string> = { format: 'json' };
    const { args, env } = give(settings, way);
    const out = JSON.parse(await runCommand([BINARY, 'version', ...args], { env })) as object;
    expect(out).toHaveProperty('version');
  });

  test.each(WAYS)('all flags of peers by %s', async (way) => {
    const self = { id: '12D3KooWTest', addresses: ['/ip4/10.0.0.1/tcp/5001'], zone: 'z'.repeat(200) };
    using server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => Response.json({ self, ready: true, peers: [] }),
    });
    const settings: FlagRows<typeof peersFlags, string> = {
      addr: `127.0.0.1:${server.port}`,
      json: 'true',
      wide: 'true',
      watch: '200ms',
    };
    const { watch, ...once } = settings;
    const { args, env } = give(once, way);
    const out = await runCommand([BINARY, 'peers', ...args], { env });
    expect(JSON.parse(out)).toMatchObject({ self: { id: self.id } });

    const { addr, wide } = settings;
    const text = give({ addr, wide }, way);
    expect(await runCommand([BINARY, 'peers', ...text.args], { env: text.env })).toContain(self.zone);

    const again = give({ ...once, watch }, way);
    const child = Bun.spawn([BINARY, 'peers', ...again.args], {
      env: { ...process.env, ...again.env },
      stdout: 'pipe',
      stderr: 'inherit',
    });
    let lines = '';
    for await (const part of child.stdout) {
      lines += new TextDecoder().decode(part);
      if (lines.split('\n').length > 3) child.kill('SIGINT');
    }
    expect(await child.exited).toBe(0);
    for (const line of lines.trimEnd().split('\n')) expect(JSON.parse(line)).toMatchObject({ self });
  });

  test.each(WAYS)('--log-level by %s', async (way) => {
    const configure = ['configure', '--containerd-registry-config-path', folder, '--mirror-targets', TARGET];
    for (const [level, lines] of [
      ['INFO', /./],
      ['ERROR', /^$/],
    ] as const) {
      const settings: FlagRows<typeof globalFlags, string> = { 'log-level': level };
      const { args, env } = give(settings, way);
      const { exitCode, stderr } = await tryCommand([BINARY, ...args, ...configure], { env });
      expect(exitCode).toBe(0);
      expect(stderr).toMatch(lines);
    }
  });

  test('the command line goes before the environment, and an empty variable is none', async () => {
    const { stdout } = await tryCommand([BINARY, 'version', '--format=text'], { env: { FORMAT: 'json' } });
    expect(stdout).toStartWith('spegel version');
    const { exitCode } = await tryCommand([BINARY, 'version'], { env: { FORMAT: '', LOG_LEVEL: '' } });
    expect(exitCode).toBe(0);
  });
});
