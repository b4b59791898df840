import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAccessLog, type UpstreamRequest } from './access-log.ts';
import type { Cleanup } from './cleanup.ts';
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

const LISTENERS = [
  { port: 5000, tls: false },
  { port: 80, tls: false },
  { port: 443, tls: true },
] as const;

/** Starts the registry; its storage is below the directory. */
export async function startUpstream(
  deps: { readonly cleanup: Cleanup; readonly http: LabHttp; readonly endpoint: Endpoint },
  { directory }: { readonly directory: string },
): Promise<Upstream> {
  const { http, endpoint } = deps;
  mkdirSync(directory, { recursive: true });
  const caFile = join(directory, 'tls.crt');
  const { certificate, privateKey } = createSelfSignedCertificate(UPSTREAM_HOST);
  await writeFile(caFile, certificate);
  await writeFile(join(directory, 'tls.key'), privateKey, { mode: 0o600 });
  const logPath = join(directory, 'access.log');

  let daemons: Daemon[] = [];
  const start = async (): Promise<void> => {
    daemons = await Promise.all(
      LISTENERS.map(async ({ port, tls }) => {
        const config = join(directory, `${port}.yml`);
        await writeFile(config, formatConfig(directory, port, tls));
        return startDaemon(
          { cleanup: deps.cleanup, namespace: endpoint.namespace },
          { name: `registry on ${port}`, argv: ['docker-registry', 'serve', config], logPath },
        );
      }),
    );
    for (const daemon of daemons) {
      await waitUntilReady(daemon, async () => {
        const sockets = await readSockets(daemon.pid);
        return LISTENERS.every(({ port }) => isListening(sockets, port));
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

function formatConfig(directory: string, port: number, tls: boolean): string {
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
