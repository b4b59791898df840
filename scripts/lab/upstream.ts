import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAccessLog, type UpstreamRequest } from './access-log.ts';
import type { Cleanup } from './cleanup.ts';
import type { Credentials } from './cri-client.ts';
import { type Daemon, startDaemon, waitUntilReady } from './daemon.ts';
import type { LabHttp } from './lab-http.ts';
import type { Endpoint } from './network.ts';
import { pushImage } from './push-image.ts';
import { createSelfSignedCertificate } from './self-signed-certificate.ts';
import type { TestImage } from './test-image.ts';

/** Name of the upstream registry: http on ports 5000 and 80, https on 443. */
export const UPSTREAM_HOST = 'registry.lab';

/** The registry as most images of a lab name it; its port must not matter to anybody. */
export const REGISTRY = `${UPSTREAM_HOST}:5000`;

/** The same content for users only, if the lab was asked for that. */
export const PRIVATE_REGISTRY = `${UPSTREAM_HOST}:5002`;

/** The user that PRIVATE_REGISTRY knows. */
export const PRIVATE_CREDENTIALS: Credentials = { username: 'lab', password: 'secret' };

/** How upstream goes away: its machine answers "connection refused", or nothing at all. */
export type Outage = 'refuse' | 'blackhole';

/** What reached upstream since the count was started. */
export interface UpstreamCount {
  /** Requests for manifests and blobs, oldest first. */
  requests(): Promise<UpstreamRequest[]>;
  /** Everything that left upstream's network interface, in bytes. */
  bytesOut(): Promise<number>;
}

/** The registry that images come from: Debian's docker-registry. */
export interface Upstream {
  readonly endpoint: Endpoint;
  /** Certificate to trust for https, a path. */
  readonly caFile: string;
  /** Pushes an image as `repository:tag`. */
  push(image: TestImage, repository: string, tag: string): Promise<void>;
  count(): Promise<UpstreamCount>;
  cut(outage: Outage): Promise<void>;
  restore(): Promise<void>;
}

interface Listener {
  readonly port: number;
  readonly tls: boolean;
  /** Path of a file with its users, as Apache has them. Default: it asks for none. */
  readonly usersFile?: string;
}

const LISTENERS: readonly Listener[] = [
  { port: 5000, tls: false },
  { port: 80, tls: false },
  { port: 443, tls: true },
];
/** The least that bcrypt has: each request costs it. */
const BCRYPT_COST = 4;

/** Options of startUpstream. */
export interface UpstreamOptions {
  /** The storage is below it. */
  readonly directory: string;
  /** Starts PRIVATE_REGISTRY, too. */
  readonly isPrivateToo: boolean;
}

/** Starts the registry. */
export async function startUpstream(
  deps: { readonly cleanup: Cleanup; readonly http: LabHttp; readonly endpoint: Endpoint },
  { directory, isPrivateToo }: UpstreamOptions,
): Promise<Upstream> {
  const { http, endpoint } = deps;
  mkdirSync(directory, { recursive: true });
  const caFile = join(directory, 'tls.crt');
  const { certificate, privateKey } = createSelfSignedCertificate(UPSTREAM_HOST);
  await writeFile(caFile, certificate);
  await writeFile(join(directory, 'tls.key'), privateKey, { mode: 0o600 });
  const logPath = join(directory, 'access.log');

  const listeners = isPrivateToo ? [...LISTENERS, await privateListener(directory)] : LISTENERS;
  let daemons: Daemon[] = [];
  const start = async (): Promise<void> => {
    daemons = await Promise.all(
      listeners.map(async (listener) => {
        const { port } = listener;
        const config = join(directory, `${port}.yml`);
        await writeFile(config, formatConfig(directory, listener));
        return startDaemon(
          { cleanup: deps.cleanup, namespace: endpoint.namespace },
          { name: `registry on ${port}`, argv: ['docker-registry', 'serve', config], logPath },
        );
      }),
    );
    for (const daemon of daemons) {
      await waitUntilReady(daemon, async () => {
        const sockets = await readSockets(daemon.pid);
        return listeners.every(({ port }) => isListening(sockets, port));
      });
    }
  };
  await start();

  let outage: Outage | undefined;
  const upstream: Upstream = {
    endpoint,
    caFile,
    push: async (image, repository, tag) =>
      pushImage({ http }, { image, repository, tag, registry: `http://${REGISTRY}` }),
    count: async () => {
      const logStart = (await readFile(logPath, 'utf8')).length;
      const { sentBytes } = await endpoint.traffic();
      return {
        requests: async () => parseAccessLog((await readFile(logPath, 'utf8')).slice(logStart)),
        bytesOut: async () => (await endpoint.traffic()).sentBytes - sentBytes,
      };
    },
    cut: async (next) => {
      if (outage !== undefined) throw new Error(`Upstream is already cut off (${outage})`);
      outage = next;
      if (next === 'blackhole') await endpoint.blackhole();
      // The machine stays up, so a dial is answered with a reset.
      else await Promise.all(daemons.map(async (daemon) => daemon.kill()));
    },
    restore: async () => {
      if (outage === 'blackhole') await endpoint.reconnect();
      else if (outage === 'refuse') await start();
      outage = undefined;
    },
  };
  return upstream;
}

async function privateListener(directory: string): Promise<Listener> {
  const { username, password } = PRIVATE_CREDENTIALS;
  const usersFile = join(directory, 'users');
  const hash = await Bun.password.hash(password, { algorithm: 'bcrypt', cost: BCRYPT_COST });
  await writeFile(usersFile, `${username}:${hash}\n`);
  return { port: Number(PRIVATE_REGISTRY.split(':')[1]), tls: false, usersFile };
}

function formatConfig(directory: string, { port, tls, usersFile }: Listener): string {
  return [
    'version: 0.1',
    'log:',
    '  level: warn',
    'storage:',
    '  filesystem:',
    `    rootdirectory: ${directory}/storage`,
    'http:',
    `  addr: :${port}`,
    // All listeners finish each other's uploads, so they sign upload state with one secret.
    '  secret: lab',
    ...(tls ? ['  tls:', `    certificate: ${directory}/tls.crt`, `    key: ${directory}/tls.key`] : []),
    ...(usersFile === undefined ? [] : ['auth:', '  htpasswd:', '    realm: lab', `    path: ${usersFile}`]),
    '',
  ].join('\n');
}

/** Looks for a listening socket (state 0A) in the format of /proc/net/tcp. */
function isListening(sockets: string, port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return sockets.split('\n').some((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[1]?.endsWith(local) === true && fields[3] === '0A';
  });
}

/** The TCP sockets of the process's namespace; the kernel may lack IPv6. */
async function readSockets(pid: number): Promise<string> {
  const files = ['tcp', 'tcp6'].map(async (file) =>
    readFile(`/proc/${pid}/net/${file}`, 'utf8').catch(() => ''),
  );
  return (await Promise.all(files)).join('\n');
}
