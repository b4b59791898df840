import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { type ContainerdPaths, formatContainerdConfig, parseContainerdVersion } from './containerd-config.ts';
import { createCriClient, type CriClient } from './cri-client.ts';
import { type Daemon, startDaemon, waitUntilReady } from './daemon.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { runCommand } from './run-command.ts';

/** A node's own containerd. */
export interface Containerd {
  /** Such as 1.6.20. */
  readonly version: string;
  readonly paths: ContainerdPaths;
  /** Folder of the content store: `blobs/sha256` and `ingest` are below it. */
  readonly contentPath: string;
  readonly cri: CriClient;
  readonly daemon: Daemon;
  /** The command line of ctr for this containerd and a namespace, by default that of Kubernetes. */
  ctrCommand(argv: readonly string[], namespace?: string): readonly string[];
  /** Runs ctr and returns its output. */
  ctr(argv: readonly string[], options?: CtrOptions): Promise<string>;
  /** Starts it again after stop(), kill() or a crash, and waits until the CRI answers. */
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** Options of a ctr command. */
export interface CtrOptions {
  /** Default k8s.io. */
  readonly namespace?: string;
  /** Default 60,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Options of startContainerd. */
export interface ContainerdOptions {
  /** Exists, and is short: the socket's path may have 107 characters. */
  readonly directory: string;
  readonly name: string;
  /** Folder with containerd, ctr and the shim; undefined takes those on PATH. */
  readonly binDir?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Size of the Range requests that layers come in, in bytes; from 2.1 on. Default: one request a layer. */
  readonly fetchBufferBytes?: number | undefined;
  /** Size of a file system of its own, in memory, that the content store gets. Default: it shares that of the lab. */
  readonly contentBytes?: number | undefined;
}

/** First start of the CRI plugin on a loaded machine, in ms. */
const START_TIMEOUT_MS = 30_000;
/** The namespace of Kubernetes in containerd. */
const KUBERNETES_NAMESPACE = 'k8s.io';

/** Starts a containerd that shares nothing with any other. */
export async function startContainerd(
  deps: { readonly cleanup: Cleanup; readonly namespace: NetworkNamespace },
  { directory, name, binDir, env = {}, fetchBufferBytes, contentBytes }: ContainerdOptions,
): Promise<Containerd> {
  const binary = (command: string) => (binDir === undefined ? command : join(binDir, command));
  const paths: ContainerdPaths = {
    root: join(directory, 'root'),
    state: join(directory, 'state'),
    socket: join(directory, 'c.sock'),
    certsDir: join(directory, 'certs.d'),
  };
  const { major, version } = parseContainerdVersion(await runCommand([binary('containerd'), '--version']));
  const configPath = join(directory, 'config.toml');
  await writeFile(configPath, formatContainerdConfig(major, paths, { fetchBufferBytes }));
  mkdirSync(paths.certsDir, { recursive: true });
  deps.cleanup.defer(`shims and mounts of ${name}`, () => removeLeftovers(directory));
  const contentPath = join(paths.root, 'io.containerd.content.v1.content');
  if (contentBytes !== undefined) {
    mkdirSync(contentPath, { recursive: true });
    await runCommand(['mount', '-t', 'tmpfs', '-o', `size=${contentBytes}`, 'tmpfs', contentPath]);
  }

  const cri = createCriClient(paths.socket);
  deps.cleanup.defer(`connection to ${name}`, () => cri[Symbol.dispose]());
  const path = binDir === undefined ? process.env['PATH'] : `${binDir}:${process.env['PATH']}`;
  const start = async (): Promise<Daemon> => {
    const daemon = startDaemon(deps, {
      name: `containerd of ${name}`,
      argv: [binary('containerd'), '--config', configPath],
      logPath: join(directory, 'containerd.log'),
      env: { ...env, PATH: path ?? '' },
    });
    await waitUntilReady(daemon, async () => (await cri.version()) !== '', { timeoutMs: START_TIMEOUT_MS });
    return daemon;
  };
  let daemon = await start();

  const containerd: Containerd = {
    version,
    paths,
    contentPath,
    cri,
    get daemon() {
      return daemon;
    },
    ctrCommand: (argv, namespace = KUBERNETES_NAMESPACE) => [
      ...deps.namespace.enter,
      binary('ctr'),
      '--address',
      paths.socket,
      '-n',
      namespace,
      ...argv,
    ],
    ctr: async (argv, { namespace, ...options } = {}) =>
      runCommand(containerd.ctrCommand(argv, namespace), { env, ...options }),
    start: async () => {
      if (!daemon.running) daemon = await start();
    },
    stop: async () => {
      await daemon.stop();
    },
    kill: async () => daemon.kill(),
    restart: async () => {
      await daemon.stop();
      await containerd.start();
    },
  };
  return containerd;
}

/** Shims outlive their containerd on purpose; those of this node name its folder on their command line. */
function removeLeftovers(directory: string): void {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const argv = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
      if (argv[0]?.includes('containerd-shim') === true && argv.some((arg) => arg.startsWith(directory))) {
        process.kill(Number(entry), 'SIGKILL');
      }
    } catch {
      // It ended while being looked at.
    }
  }
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? []);
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).toReversed()) {
    Bun.spawnSync(['umount', '--lazy', mount]);
  }
}
