import { beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { registryFlags } from '../../src/cli/registry-flags.ts';
import { BINARY } from '../lab/binary.ts';
import { NO_MIRROR } from '../lab/lab-node.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { type BlobReader, startReaders } from '../lab/read-blobs.ts';
import { createSelfSignedCertificate } from '../lab/self-signed-certificate.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { contentPath, tagPath } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { blobPath } from '../lab/verify-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { type FlagRows, give, type Settings, type Way, WAYS } from './flag-row.ts';
import { containerdMajor, useLab } from './test-lab.ts';

/** The binary runs on node 1, in a namespace without a name server; node 2 is its peer. */
const lab = useLab({ nodes: [{ binary: NO_MIRROR }, {}] });
const here = createImage({ seed: 'here', layers: [{ sizeBytes: 1000 }] });
const there = createImage({ seed: 'there', layers: [{ sizeBytes: 1000 }] });
const far = createImage({ seed: 'far', layers: [{ sizeBytes: 1000 }] });
const MB = 1e6;
const long = createImage({ seed: 'long', layers: [{ sizeBytes: 20 * MB }] });
const missing = `/v2/lab/none/blobs/sha256:${'0'.repeat(64)}?ns=${REGISTRY}`;
/** Of node 1, besides its usual one: both are announced unless NODE_IP says which one. */
const SECOND_ADDRESS = '10.99.77.77';
let peer = '';

beforeAll(async () => {
  await lab()
    .node(1)
    .endpoint.namespace.ip([`addr add ${SECOND_ADDRESS}/16 dev eth0`]);
  await lab().node(1).importImage(here, `${REGISTRY}/lab/here:v1`);
  await lab().node(1).importImage(long, `${REGISTRY}/lab/long:v1`);
  await lab().node(1).importImage(there, `${REGISTRY}/lab/there:v1`, { namespace: 'other' });
  await lab().node(2).importImage(far, `${REGISTRY}/lab/far:v1`);
  const { stdout } = await lab().node(2).mirror.run(['peers', '--json']);
  peer = `/ip4/${lab().node(2).endpoint.ipv4}/tcp/${MIRROR_PORTS.router}/p2p/${(JSON.parse(stdout) as { self: { id: string } }).self.id}`;
});

const [CONFIG_VERSION, IMAGES] =
  containerdMajor() === 1
    ? [2, 'io.containerd.grpc.v1.cri".containerd']
    : [3, 'io.containerd.cri.v1.images"'];
const LAYERS_DISCARDED = `version = ${CONFIG_VERSION}
[plugins."${IMAGES}]
  discard_unpacked_layers = true
`;

/** A root folder as of a host, with one file in it; returns the folder. */
function hostWith(path: string, text: string): string {
  const folder = newFolder();
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  return folder;
}

/** What the daemon finds in the files of the node names all of these. */
async function finds(run: Run, ...texts: readonly string[]): Promise<void> {
  const line = () =>
    run
      .log()
      .split('\n')
      .find((each) => each.includes('this node needs fixing') && texts.every((text) => each.includes(text)));
  await waitFor(`a finding with ${texts.join(' and ')}`, () => line() !== undefined);
}

/** A running binary. */
interface Run {
  /** Status of an answer; 0 when there is none. */
  status(path: string, port?: number, init?: RequestInit): Promise<number>;
  text(path: string, port?: number): Promise<string>;
  log(): string;
  isListening(port: number): boolean;
}

/** A flag of `registry`: what is given to the binary, and what can be seen then. */
interface Row {
  readonly settings: () => Settings;
  readonly effect: (run: Run) => Promise<void>;
}

const { registry: REGISTRY_PORT, metrics: METRICS_PORT } = MIRROR_PORTS;
const OTHER_PORT = 6100;
const url = (port: number, path = '') => `http://${lab().node(2).endpoint.ipv4}:${port}${path}`;
const byHttp = () => ({ 'bootstrap-kind': 'http', 'http-bootstrap-peer': url(MIRROR_PORTS.bootstrap) });
const newFolder = () => mkdtempSync(join(lab().directory, 'flags-'));
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = newFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const served = async (run: Run, image: TestImage, status = 200) => {
  for (const blob of image.blobs) {
    const path = contentPath('lab/any', blob);
    await waitFor(`${status} for ${path}`, async () => (await run.status(path)) === status);
  }
};
const knowsPeer = async (run: Run) => {
  const { ipv4 } = lab().node(2).endpoint;
  await waitFor('the peer', async () => (await run.text('/debug/peers', METRICS_PORT)).includes(ipv4));
};
/** The peer answers lookups. */
const findsFar = async (run: Run) => {
  const { ipv4 } = lab().node(2).endpoint;
  const find = `/debug/peers/find?key=${far.root.digest}`;
  await waitFor('the peer to be found', async () => (await run.text(find, METRICS_PORT)).includes(ipv4));
};
const isHidden = async (run: Run, path: string) => {
  await waitFor('an answer', async () => (await run.text(path)).includes('is not shared'));
};

/** While one client reads a long layer, another one does not get it; then it does. */
const allowsOneUpload = async (run: Run, reader: Pick<BlobReader, 'bytesPerSecond'>) => {
  const layer = long.blobs.find(({ kind }) => kind === 'layer') ?? long.root;
  const path = contentPath('lab/any', layer);
  await waitFor('the layer', async () => (await run.status(path, REGISTRY_PORT, { method: 'HEAD' })) === 200);
  const { containerd, endpoint } = lab().node(1);
  const file = blobPath(containerd, layer.digest);
  const { underWay, readings } = startReaders(lab().hub, [
    { host: endpoint.ipv4, port: REGISTRY_PORT, path, file, abortAfterBytes: 3 * MB, ...reader },
  ]);
  await underWay;
  expect(await run.status(path)).toBe(503);
  expect(await readings).toMatchObject([{ ended: 'aborted', status: 200 }]);
  await waitFor('room for the next', async () => (await run.status(path)) === 200);
};

const ROWS: FlagRows<typeof registryFlags, Row> = {
  'registry-addr': {
    settings: () => ({ 'registry-addr': `:${OTHER_PORT}` }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.status('/livez', OTHER_PORT)) === 200);
      expect(run.isListening(REGISTRY_PORT)).toBe(false);
    },
  },
  'router-addr': {
    settings: () => ({ 'router-addr': `:${OTHER_PORT}` }),
    effect: async (run) => {
      await waitFor('the port', () => run.isListening(OTHER_PORT));
      expect(run.isListening(MIRROR_PORTS.router)).toBe(false);
    },
  },
  'metrics-addr': {
    settings: () => ({ 'metrics-addr': `:${OTHER_PORT}` }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.status('/metrics', OTHER_PORT)) === 200);
      expect(run.isListening(METRICS_PORT)).toBe(false);
    },
  },
  'containerd-sock': {
    settings: () => ({ 'containerd-sock': lab().node(1).containerd.paths.socket }),
    effect: async (run) => served(run, here),
  },
  'containerd-content-path': {
    settings: () => ({ 'containerd-content-path': lab().node(1).containerd.contentPath }),
    effect: async (run) => served(run, here),
  },
  'containerd-namespace': {
    settings: () => ({ 'containerd-namespace': 'other' }),
    effect: async (run) => {
      await served(run, there);
      await served(run, here, 404);
    },
  },
  'containerd-config': {
    settings: () => ({ 'containerd-config': hostWith('my.toml', LAYERS_DISCARDED) + '/my.toml' }),
    effect: async (run) => finds(run, 'discard-unpacked-layers', '/my.toml:3'),
  },
  'host-root': {
    settings: () => ({ 'host-root': hostWith('etc/containerd/config.toml', LAYERS_DISCARDED) }),
    effect: async (run) => finds(run, 'discard-unpacked-layers', '/etc/containerd/config.toml:3'),
  },
  distribution: {
    settings: () => ({
      distribution: 'k3s',
      'host-root': hostWith('var/lib/rancher/k3s/agent/etc/containerd/config.toml', LAYERS_DISCARDED),
    }),
    effect: async (run) => finds(run, 'discard-unpacked-layers', '/var/lib/rancher/k3s/'),
  },
  'containerd-registry-config-path': {
    settings: () => ({
      'host-root': hostWith('my-certs.d/docker.io/hosts.toml', 'server = "https://registry-1.docker.io"\n'),
      'containerd-registry-config-path': '/my-certs.d',
    }),
    effect: async (run) => finds(run, '/my-certs.d'),
  },
  'data-dir': {
    settings: () => ({ 'data-dir': join(dataFolder(), 'new') }),
    effect: async () => {
      const file = join(dataFolder(), 'new/private.key');
      await waitFor('the key', () => statSync(file).size > 0);
      expect(readFileSync(file, 'utf8')).toContain('PRIVATE KEY');
      expect(statSync(file).mode & 0o777).toBe(0o600);
    },
  },
  'mirrored-registries': {
    settings: () => ({ 'mirrored-registries': ['https://docker.io', 'http://a.lab:5000'] }),
    effect: async (run) => isHidden(run, tagPath('lab/here', 'v1')),
  },
  'registry-filters': {
    settings: () => ({ 'registry-filters': ['x{2}', `^${REGISTRY}/lab/here:v[0-9]$`] }),
    effect: async (run) => isHidden(run, tagPath('lab/here', 'v1')),
  },
  'basic-auth-dir': {
    settings: () => ({ 'basic-auth-dir': folderWith({ username: 'a', password: 'b' }) }),
    effect: async (run) => {
      await waitFor('a 401', async () => (await run.status('/v2/')) === 401);
      expect(await run.status('/v2/', REGISTRY_PORT, { headers: { authorization: 'Basic YTpi' } })).toBe(200);
    },
  },
  'mirror-resolve-timeout': {
    settings: () => ({ ...byHttp(), 'mirror-resolve-timeout': '900ms' }),
    effect: async (run) => {
      await findsFar(run);
      const { mirror } = lab().node(2);
      await mirror.hang();
      try {
        const startedMs = performance.now();
        expect(await run.status(missing)).toBe(404);
        // A lookup whose only peer hangs gives up after 250 ms; with the default it has 20 ms.
        expect(performance.now() - startedMs).toBeGreaterThan(200);
      } finally {
        mirror.resume();
      }
    },
  },
  'mirror-resolve-retries': {
    settings: () => ({ ...byHttp(), 'mirror-resolve-retries': '0' }),
    effect: async (run) => {
      await findsFar(run);
      expect(await run.status(contentPath('lab/far', far.root))).toBe(404);
    },
  },
  'kernel-transport-enabled': {
    settings: () => ({ 'kernel-transport-enabled': 'false' }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.text('/metrics', METRICS_PORT)).toContain('spegel_kernel_transport 0\n');
    },
  },
  'max-uploads': {
    settings: () => ({ 'max-uploads': '1' }),
    effect: async (run) => allowsOneUpload(run, { bytesPerSecond: MB }),
  },
  // Each upload is to get 1 MB/s at least.
  'max-upload-rate': {
    settings: () => ({ 'max-upload-rate': '1.5MB' }),
    effect: async (run) => allowsOneUpload(run, {}),
  },
  'scrub-rate': {
    settings: () => ({ 'scrub-rate': '0' }),
    effect: async (run) => {
      await waitFor('the metric', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.text('/metrics', METRICS_PORT)).toContain('spegel_damaged_blobs 0\n');
    },
  },
  'flights-enabled': {
    settings: () => ({ 'flights-enabled': 'false' }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.status('/debug/flights', METRICS_PORT)).toBe(404);
    },
  },
  'flights-max-hold': {
    settings: () => ({ 'flights-max-hold': '1.5s' }),
    effect: async (run) => {
      await waitFor('the flights', async () => (await run.status('/debug/flights', METRICS_PORT)) === 200);
      expect(await run.text('/debug/flights', METRICS_PORT)).toContain('"maxHoldMs":1500,');
    },
  },
  zone: {
    settings: () => ({ zone: 'eu-central-1a' }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.text('/debug/peers', METRICS_PORT)).toContain('"zone":"eu-central-1a"');
    },
  },
  'node-name': {
    settings: () => ({ 'node-name': 'node-7.example' }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.text('/debug/peers', METRICS_PORT)).toContain('"name":"node-7.example"');
    },
  },
  'zone-node': {
    // The lab has no API server.
    settings: () => ({ 'zone-node': 'n-1' }),
    effect: async (run) => {
      await waitFor('the warning', () => run.log().includes('Cannot read the zone of the Node'));
      await waitFor('the port', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.text('/debug/peers', METRICS_PORT)).not.toContain('"zone"');
    },
  },
  'canary-enabled': {
    settings: () => ({ 'canary-enabled': 'false' }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.status('/debug/canary', METRICS_PORT)).toBe(404);
    },
  },
  'debug-web-enabled': {
    settings: () => ({ 'debug-web-enabled': 'false' }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.status('/debug/web/', METRICS_PORT)).toBe(404);
    },
  },
  'bootstrap-kind': {
    settings: () => ({ 'bootstrap-kind': 'STATIC' }),
    effect: async (run) => {
      await waitFor('readiness', async () => (await run.status('/readyz')) === 200);
    },
  },
  'dns-bootstrap-domain': {
    settings: () => ({ 'bootstrap-kind': 'dns', 'dns-bootstrap-domain': 'nodes.lab' }),
    effect: async (run) => {
      await waitFor('the name in the log', () => run.log().includes('nodes.lab'));
    },
  },
  'http-bootstrap-addr': {
    settings: () => ({ ...byHttp(), 'http-bootstrap-addr': `:${OTHER_PORT}` }),
    effect: async (run) => {
      await waitFor('the port', async () => (await run.text('/id', OTHER_PORT)).includes('12D3'));
    },
  },
  'http-bootstrap-peer': { settings: byHttp, effect: knowsPeer },
  'http-bootstrap-url': {
    settings: () => ({ 'bootstrap-kind': 'http', 'http-bootstrap-url': url(MIRROR_PORTS.bootstrap, '/ids') }),
    effect: knowsPeer,
  },
  'http-bootstrap-cert-dir': {
    settings: () => {
      const { certificate, privateKey } = createSelfSignedCertificate('boot.lab');
      return {
        'bootstrap-kind': 'http',
        'http-bootstrap-addr': `:${OTHER_PORT}`,
        'http-bootstrap-cert-dir': folderWith({
          'ca.crt': certificate,
          'tls.crt': certificate,
          'tls.key': privateKey,
        }),
      };
    },
    effect: async (run) => {
      await waitFor('the port', () => run.isListening(OTHER_PORT));
      expect(await run.status('/id', OTHER_PORT)).toBe(0);
      expect(run.log()).toContain('"tls":true');
    },
  },
  'static-bootstrap-peers': { settings: () => ({ 'static-bootstrap-peers': [peer] }), effect: knowsPeer },
  'membership-check': {
    settings: () => ({
      'bootstrap-kind': 'dns',
      'dns-bootstrap-domain': 'nodes.lab',
      'membership-check': 'false',
    }),
    effect: async (run) => {
      // Of members that DNS names, there is a count.
      await waitFor('the port', async () => (await run.status('/metrics', METRICS_PORT)) === 200);
      expect(await run.text('/metrics', METRICS_PORT)).not.toContain('spegel_router_members{');
    },
  },
  'allowed-networks': {
    settings: () => ({ ...byHttp(), 'allowed-networks': ['192.0.2.0/24', '2001:db8::/32'] }),
    effect: async (run) => {
      await waitFor('the refusal', () => run.log().includes('Cannot bootstrap'));
      expect(await run.text('/debug/peers', METRICS_PORT)).toContain('"peers":[]');
    },
  },
  'swarm-key-file': {
    settings: () => ({
      ...byHttp(),
      'swarm-key-file': join(
        folderWith({ 'swarm.key': `/key/swarm/psk/1.0.0/\n/base16/\n${'ab'.repeat(32)}\n` }),
        'swarm.key',
      ),
    }),
    effect: async (run) => {
      await waitFor('the failure', () => run.log().includes('Cannot bootstrap'));
      expect(await run.text('/debug/peers', METRICS_PORT)).toContain('"peers":[]');
    },
  },
  'node-ip': {
    settings: () => ({ 'node-ip': SECOND_ADDRESS }),
    effect: async (run) => {
      const own = async () => run.text('/debug/peers', METRICS_PORT);
      await waitFor('the address', async () => (await own()).includes(`/ip4/${SECOND_ADDRESS}/`));
      expect(await own()).not.toContain(`/ip4/${lab().node(1).endpoint.ipv4}/`);
    },
  },
};

/** Of the row that runs: made anew for each. */
let current = '';
const dataFolder = () => (current === '' ? (current = newFolder()) : current);

async function withRegistry(settings: Settings, way: Way, effect: Row['effect']): Promise<void> {
  const { endpoint, containerd } = lab().node(1);
  const base: Settings = {
    'containerd-sock': containerd.paths.socket,
    'containerd-content-path': containerd.contentPath,
    'bootstrap-kind': 'static',
  };
  const { args, env } = give({ ...base, ...settings }, way);
  const log = join(newFolder(), 'log');
  const command = ['setpriv', '--pdeathsig', 'KILL', BINARY, 'registry', ...args];
  const child = Bun.spawn([...endpoint.namespace.enter, ...command], {
    env: { PATH: process.env['PATH'], ...env },
    stderr: Bun.file(log),
    stdout: 'ignore',
  });
  const ask = async (path: string, port: number = REGISTRY_PORT, init: RequestInit = {}) =>
    lab().http.fetch(`http://${endpoint.ipv4}:${port}${path}`, init);
  try {
    await effect({
      status: async (path, port, init) =>
        ask(path, port, init).then(
          async (response) => {
            await response.body?.cancel();
            return response.status;
          },
          () => 0,
        ),
      text: async (path, port) => (await ask(path, port)).text(),
      log: () => readFileSync(log, 'utf8'),
      isListening: (port) => {
        const { stdout } = Bun.spawnSync([...endpoint.namespace.enter, 'ss', '-Hltn', `sport = :${port}`]);
        return stdout.length > 0;
      },
    });
  } catch (error) {
    throw new Error(`${String(error)}\n${readFileSync(log, 'utf8').slice(-2000)}`, { cause: error });
  } finally {
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
    current = '';
  }
}

test('a NODE_IP that no interface has is a warning, and the daemon runs', async () => {
  await withRegistry({ 'node-ip': '192.0.2.7' }, 'environment', async (run) => {
    const warning = () =>
      run
        .log()
        .split('\n')
        .find((line) => line.includes('NODE_IP'));
    await waitFor('the warning', () => warning() !== undefined, { timeoutMs: 60_000 });
    expect(JSON.parse(warning() ?? '')).toMatchObject({
      level: 'WARN',
      nodeIp: '192.0.2.7',
      addresses: expect.arrayContaining([lab().node(1).endpoint.ipv4, SECOND_ADDRESS]),
    });
    expect(await run.status('/readyz')).toBe(200);
  });
});

const rows = Object.entries(ROWS).flatMap(([flag, row]) => WAYS.map((way) => [flag, way, row] as const));
test.each(rows)('registry --%s by %s', async (_, way, { settings, effect }) =>
  withRegistry(settings(), way, effect),
);
