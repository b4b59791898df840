import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from './cleanup.ts';
import type { Containerd } from './containerd.ts';
import { type Daemon, startDaemon, waitUntilReady } from './daemon.ts';
import type { LabHttp } from './lab-http.ts';
import type { MemoryCgroup, MemoryUse } from './memory-cgroup.ts';
import { type Metrics, parseMetrics } from './metrics.ts';
import type { Endpoint } from './network.ts';
import type { ProcessUsage } from './process-usage.ts';
import { type CommandResult, runCommand, tryCommand } from './run-command.ts';
import { untilStopped } from './until-stopped.ts';

/** Ports of every mirror; each node has an address of its own. */
export const MIRROR_PORTS = { registry: 5000, router: 5001, metrics: 9090, bootstrap: 8080 } as const;

/** A node's mirror: any binary with spegel's command line. */
export interface Mirror {
  readonly binary: string;
  /** URL that the node's containerd, peers and this process reach it at. */
  readonly url: string;
  readonly pid: number;
  readonly running: boolean;
  /** Starts it unless it runs, and returns as soon as others can bootstrap from it. */
  launch(): Promise<void>;
  /** Waits until /readyz says 200. */
  ready(): Promise<void>;
  /** SIGTERM; returns the exit code. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing moves. Returns once it has stopped. */
  hang(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  /** stop(), launch() and ready(). */
  restart(): Promise<void>;
  /** Asks the mirror over HTTP; the path starts with a slash. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** From now on each connection of another node gets so many bytes each so many ms of a layer. Throws for a mirror without a front. */
  setPace(pace: Pace): void;
  metrics(): Promise<Metrics>;
  usage(): Promise<ProcessUsage>;
  /** Throws for a mirror without a memory limit. */
  memoryUse(): MemoryUse;
  /** What bounds its memory; undefined for a mirror without a limit. */
  readonly memory: MemoryCgroup | undefined;
  log(): Promise<string>;
  /** Runs the binary on the node with other arguments, such as `peers --json`. */
  run(args: readonly string[], options?: { readonly cwd?: string }): Promise<CommandResult>;
}

/** How slowly a front hands bytes on; `lie`: with wrong bits in them; undefined: as fast as it goes. */
export type Pace = { readonly bytes: number; readonly everyMs: number } | 'lie' | undefined;

/** Options of createMirror. */
export interface MirrorOptions {
  readonly binary: string;
  readonly directory: string;
  /** Added to the `registry` command. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Registries whose pulls go through the mirror; empty is `_default`, all of them. */
  readonly mirroredRegistries: readonly string[];
  /** Address of a mirror to join; asked at each start. */
  readonly bootstrapHost: () => string;
  /** Other nodes reach the mirror through a front whose pace can be set. Default false. */
  readonly hasFront?: boolean | undefined;
  /** Bounds the mirror's memory; default none. */
  readonly memory?: MemoryCgroup | undefined;
}

/** Collaborators of a mirror. */
export interface MirrorDeps {
  readonly cleanup: Cleanup;
  readonly http: LabHttp;
  readonly endpoint: Endpoint;
  readonly containerd: Containerd;
}

const FRONT = fileURLToPath(import.meta.resolve('./paced-front-process.ts'));

/** A cluster of 40 on two cores takes a while. */
const READY_TIMEOUT_MS = 60_000;

/** Writes the node's hosts.toml files with the binary's own command. The mirror is not started yet. */
export async function createMirror(deps: MirrorDeps, options: MirrorOptions): Promise<Mirror> {
  const { http, endpoint, containerd } = deps;
  const { binary, directory, args = [], env = {}, mirroredRegistries, bootstrapHost } = options;
  const { hasFront = false, memory } = options;
  mkdirSync(directory, { recursive: true });
  const url = `http://${endpoint.ipv4}:${MIRROR_PORTS.registry}`;

  await runCommand([
    binary,
    'configuration',
    '--containerd-registry-config-path',
    containerd.paths.certsDir,
    ...(mirroredRegistries.length === 0 ? [] : ['--mirrored-registries', ...mirroredRegistries]),
    '--mirror-targets',
    `http://127.0.0.1:${MIRROR_PORTS.registry}`,
  ]);

  const paceFile = join(directory, 'pace');
  // The node's own containerd asks at the loopback, everybody else at the node's address.
  const registryAddr = `${hasFront ? '127.0.0.1' : ''}:${MIRROR_PORTS.registry}`;
  if (hasFront) {
    writeFileSync(paceFile, '');
    const port = String(MIRROR_PORTS.registry);
    startDaemon(
      { cleanup: deps.cleanup, namespace: endpoint.namespace },
      {
        name: `front of ${endpoint.name}`,
        logPath: join(directory, 'front.log'),
        argv: [process.execPath, FRONT, endpoint.ipv4, port, port, paceFile],
      },
    );
  }

  const enter = [...(memory?.enter ?? []), ...endpoint.namespace.enter, ...(memory?.show ?? [])];
  const start = (): Daemon =>
    startDaemon(
      { cleanup: deps.cleanup, namespace: { enter } },
      {
        name: `mirror of ${endpoint.name}`,
        logPath: join(directory, 'mirror.log'),
        cwd: directory,
        // Not as flags: Spegel's registry command has none. Tests count what containerd, mirrors and upstream do without a canary.
        env: {
          CONTAINERD_REGISTRY_CONFIG_PATH: containerd.paths.certsDir,
          CANARY_ENABLED: 'false',
          ...env,
        },
        argv: [
          binary,
          'registry',
          '--log-level',
          'DEBUG',
          '--registry-addr',
          registryAddr,
          '--router-addr',
          `:${MIRROR_PORTS.router}`,
          '--metrics-addr',
          `:${MIRROR_PORTS.metrics}`,
          '--containerd-sock',
          containerd.paths.socket,
          '--containerd-content-path',
          containerd.contentPath,
          '--data-dir',
          join(directory, 'data'),
          '--bootstrap-kind',
          'http',
          '--http-bootstrap-addr',
          `:${MIRROR_PORTS.bootstrap}`,
          '--http-bootstrap-peer',
          `http://${bootstrapHost()}:${MIRROR_PORTS.bootstrap}`,
          ...args,
        ],
      },
    );

  let daemon: Daemon | undefined;
  const started = (): Daemon => {
    if (daemon === undefined) throw new Error(`The mirror of ${endpoint.name} was never launched`);
    return daemon;
  };
  const isOk = async (target: string): Promise<boolean> => {
    const response = await http.fetch(target, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.status === 200;
  };

  const mirror: Mirror = {
    binary,
    url,
    memory,
    get pid() {
      return started().pid;
    },
    get running() {
      return daemon?.running ?? false;
    },
    launch: async () => {
      if (daemon?.running === true) return;
      daemon = start();
      const id = `http://${endpoint.ipv4}:${MIRROR_PORTS.bootstrap}/id`;
      await waitUntilReady(daemon, async () => isOk(id), { timeoutMs: READY_TIMEOUT_MS });
    },
    ready: async () =>
      waitUntilReady(started(), async () => isOk(`${url}/readyz`), { timeoutMs: READY_TIMEOUT_MS }),
    stop: async () => started().stop(),
    kill: async () => started().kill(),
    hang: async () => {
      started().signal('SIGSTOP');
      await untilStopped(started().pid);
    },
    resume: () => started().signal('SIGCONT'),
    restart: async () => {
      await started().stop();
      await mirror.launch();
      await mirror.ready();
    },
    fetch: async (path, init) => http.fetch(`${url}${path}`, init),
    setPace: (pace) => {
      if (!hasFront) throw new Error(`The mirror of ${endpoint.name} has no front`);
      writeFileSync(paceFile, typeof pace === 'object' ? `${pace.bytes} ${pace.everyMs}` : (pace ?? ''));
    },
    metrics: async () => {
      const response = await http.fetch(`http://${endpoint.ipv4}:${MIRROR_PORTS.metrics}/metrics`);
      if (!response.ok) throw new Error(`The metrics of ${endpoint.name} answer ${response.status}`);
      return parseMetrics(await response.text());
    },
    usage: async () => started().usage(),
    memoryUse: () => {
      if (memory === undefined) throw new Error(`The mirror of ${endpoint.name} has no memory limit`);
      return memory.use();
    },
    log: async () => started().log(),
    run: async (args, options) => tryCommand([...endpoint.namespace.enter, binary, ...args], options),
  };
  return mirror;
}
