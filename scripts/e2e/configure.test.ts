import { afterEach, beforeEach, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import {
  createHostsFolder,
  type HostsFolder,
  type HostsTree,
} from '../../src/mirror-config/hosts-folder.fixture.ts';
import { restoreHosts } from '../../src/mirror-config/hosts-restore.ts';
import { BINARY } from '../lab/binary.ts';
import { runCommand, tryCommand } from '../lab/run-command.ts';
import { createSelfSignedCertificate } from '../lab/self-signed-certificate.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { createPlainContainerd } from './store/plain-containerd.ts';

let folder: HostsFolder;

beforeEach(async () => {
  folder = await createHostsFolder();
});
afterEach(async () => folder[Symbol.asyncDispose]());

const configure = (...args: readonly string[]) => [
  BINARY,
  'configure',
  '--containerd-registry-config-path',
  folder.configPath,
  ...args,
];
const THEIRS: HostsTree = {
  'docker.io/hosts.toml': "0640 server = 'https://registry-1.docker.io'\n",
  'docker.io/own.key': '0600 KEY',
  'ghcr.io': '-> docker.io',
  'quay.io/ca.crt': 'PEM',
};

/** Answers for an image below a path, and notes what it was asked for. */
function startRegistry(
  image: TestImage,
  options: {
    readonly prefix: string;
    readonly tls?: { readonly cert: string; readonly key: string };
    readonly header?: string;
    readonly isEmpty?: boolean;
  },
) {
  const requests: string[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    fetch(request) {
      const { pathname } = new URL(request.url);
      requests.push(`${request.method} ${pathname}`);
      const name = pathname.slice(pathname.lastIndexOf('/') + 1);
      const blob =
        image.blobs.find(({ digest }) => digest === name) ?? (name === 'v1' ? image.root : undefined);
      const isAllowed = options.header === undefined || request.headers.get('x-team') === options.header;
      if (
        blob === undefined ||
        options.isEmpty === true ||
        !isAllowed ||
        !pathname.startsWith(options.prefix)
      ) {
        return new Response(null, { status: 404 });
      }
      return new Response(request.method === 'HEAD' ? null : blob.content(), {
        headers: {
          'content-type': blob.mediaType,
          'content-length': String(blob.sizeBytes),
          'docker-content-digest': blob.digest,
        },
      });
    },
  });
  return { port: server.port ?? 0, requests, stop: async () => server.stop(true) };
}

test.each([
  ['after the mirror', true],
  ['no more', false],
])(
  'containerd pulls with what was configured before, its mirrors are asked %s',
  async (_what, prependExisting) => {
    await using containerd = await createPlainContainerd();
    await containerd.start();
    const image = createImage({ seed: `configure-${prependExisting}`, layers: [{ sizeBytes: 10_000 }] });
    const { certificate, privateKey } = createSelfSignedCertificate('localhost');
    const tls = { cert: certificate, key: privateKey };
    const mirror = startRegistry(image, { prefix: '/v2/', isEmpty: true });
    const cache = startRegistry(image, { prefix: '/hub/', tls });
    const upstream = startRegistry(image, { prefix: '/v2/', tls, header: 'lab' });
    try {
      await folder.make({
        'registry.lab:5000/own.pem': certificate,
        'registry.lab:5000/hosts.toml': `server = "https://localhost:${upstream.port}"
ca = "own.pem"
[header]
  x-team = ["lab"]
[host."https://127.0.0.1:${cache.port}/hub"]
  override_path = true
  skip_verify = true
`,
      });
      const targets = ['--mirror-targets', `http://127.0.0.1:${mirror.port}`];
      await runCommand(configure(...targets, `--prepend-existing=${prependExisting}`));
      const name = 'registry.lab:5000/lab/app:v1';
      await containerd.ctr(['content', 'fetch', '--hosts-dir', folder.configPath, name]);
      const blobs = (await containerd.ctr(['content', 'ls', '-q'])).trim().split('\n');
      for (const { digest } of image.blobs) expect(blobs).toContain(digest);
      expect(mirror.requests.length).toBeGreaterThan(0);
      expect(cache.requests.length > 0).toBe(prependExisting);
      expect(upstream.requests.length > 0).toBe(!prependExisting);
      if (prependExisting) expect(cache.requests[0]).toBe('HEAD /hub/lab/app/manifests/v1');
    } finally {
      await Promise.all([mirror.stop(), cache.stop(), upstream.stop()]);
    }
  },
);

test('configure that is killed leaves what cleanup restores', async () => {
  const args = configure('--mirror-targets', 'http://127.0.0.1:30020');
  await folder.make(THEIRS);
  const before = await folder.read();
  const entries = () => readdirSync(folder.configPath).join();
  const untouched = entries();
  /** Starts it and returns at its first change: before that there is nothing to restore. */
  const startWriting = async () => {
    const child = Bun.spawn(args, { stderr: 'ignore' });
    await waitFor('the first change', () => entries() !== untouched, { intervalMs: 0 });
    return child;
  };
  const whole = await startWriting();
  const startMs = performance.now();
  expect(await whole.exited).toBe(0);
  const writesMs = performance.now() - startMs;
  await restoreHosts(folder.configPath);
  for (let run = 0; run < 24; run += 1) {
    const child = await startWriting();
    await Bun.sleep((writesMs * run) / 24);
    child.kill('SIGKILL');
    await child.exited;
    expect(await folder.read()).not.toEqual(before);
    await restoreHosts(folder.configPath);
    expect(await folder.read()).toEqual(before);
  }
});

test('configure on a read-only file system says so, and exits with 1', async () => {
  await folder.make(THEIRS);
  const before = await folder.read();
  const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
  const { exitCode, stderr } = await tryCommand([
    'unshare',
    '--mount',
    'sh',
    '-c',
    script,
    folder.configPath,
    ...configure('--mirror-targets', 'http://127.0.0.1:30020'),
  ]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`Cannot copy ${folder.configPath} to ${folder.configPath}/_backup`);
  expect(stderr).toContain('the file system is read-only; mount it writable');
  expect(await folder.read()).toEqual(before);
});

test('cleanup restores and answers cleanup-wait until SIGTERM, which ends it with 0', async () => {
  await folder.make(THEIRS);
  const before = await folder.read();
  await runCommand(configure('--mirror-targets', 'http://127.0.0.1:30020'));
  const cleanup = Bun.spawn(
    [BINARY, 'cleanup', '--addr', '127.0.0.1:0', '--containerd-registry-config-path', folder.configPath],
    { stderr: 'pipe' },
  );
  const log = follow(cleanup.stderr);
  try {
    const port = await waitFor('the port', async () => /"port":(\d+)/.exec(log.text())?.[1]);
    const endpoint = `127.0.0.1:${port}`;
    await runCommand([BINARY, 'cleanup-wait', '--probe-endpoint', endpoint, '--period', '50ms']);
    expect(await folder.read()).toEqual(before);
  } finally {
    cleanup.kill('SIGTERM');
  }
  expect(await cleanup.exited).toBe(0);
  await log.ended;
  expect(log.text()).toContain('"msg":"exit gracefully"');
});

test('cleanup-wait goes on until it is stopped, and exits with 1: it is not done', async () => {
  const wait = Bun.spawn(
    [BINARY, 'cleanup-wait', '--probe-endpoint', '127.0.0.1:9', '--period', '10ms', '--log-level', 'info'],
    { stderr: 'pipe' },
  );
  const log = follow(wait.stderr);
  await waitFor('a few rounds', async () => log.text().split('\n').length > 3);
  wait.kill('SIGTERM');
  expect(await wait.exited).toBe(1);
  await log.ended;
  expect(log.text()).toContain('did not answer: is cleanup running there?');
  expect(log.text()).toContain('Stopped before 3 rounds in a row');
});

/** What a process has written so far. */
function follow(stream: ReadableStream<Uint8Array>) {
  let text = '';
  const ended = (async () => {
    for await (const chunk of stream) text += new TextDecoder().decode(chunk);
  })();
  return { text: () => text, ended };
}
