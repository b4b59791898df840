import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { listCgroupMounts, removeCgroups, showCgroups } from './cgroup-mounts.ts';
import type { Cleanup } from './cleanup.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import type { LabNode } from './lab-node.ts';
import { type CommandResult, tryCommand } from './run-command.ts';
import { waitFor } from './wait-for.ts';

/** A folder or file of the node that a container sees. */
export interface ContainerMount {
  readonly source: string;
  readonly target: string;
  readonly writable?: boolean;
}

/** A container to start, as the chart's pods are: root without capabilities, nothing writable, seccomp's default profile. */
export interface ContainerOptions {
  readonly name: string;
  /** The whole command line, the image's entrypoint included. */
  readonly argv: readonly string[];
  readonly mounts?: readonly ContainerMount[];
  readonly env?: Readonly<Record<string, string>>;
  /** Capabilities that it has, such as CAP_CHOWN. Default none. */
  readonly capabilities?: readonly string[];
  /** Default: no limit. */
  readonly memoryLimitBytes?: number | undefined;
}

/** A running container. */
export interface Container {
  /** Of its first process, as the machine sees it. */
  readonly pid: number;
  readonly running: boolean;
  /** SIGTERM; returns the exit code. The container is removed. */
  stop(): Promise<number>;
  /** Runs a command inside. */
  exec(argv: readonly string[]): Promise<CommandResult>;
  log(): Promise<string>;
  /** A file of the control group with that controller, such as memory.max. */
  readCgroup(controller: string, file: string): string;
}

/** Starts containers of an image on a node, by runc, in the node's network namespace. */
export interface ContainerHost {
  /** Runs one to its end. */
  run(options: ContainerOptions): Promise<CommandResult>;
  /** Starts one; returns when its first process runs. */
  start(options: ContainerOptions): Promise<Container>;
}

/** What a container of containerd's default specification may do; all of it is taken away unless it is asked for. */
const DEFAULT_CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
].map((name) => `CAP_${name}`);

/** The image is unpacked when the first container of it starts, in ms. */
const START_TIMEOUT_MS = 60_000;

/** Imports an image archive into a node's containerd and returns what starts containers of it. */
export async function createContainerHost(
  deps: { readonly cleanup: Cleanup; readonly node: LabNode },
  { labId, archive, image }: { readonly labId: string; readonly archive: string; readonly image: string },
): Promise<ContainerHost> {
  const { cleanup, node } = deps;
  const { containerd, endpoint } = node;
  await showCgroups(containerd.daemon.pid);
  await containerd.ctr(['images', 'import', archive]);
  const directory = join(containerd.paths.root, '..');
  // Its control group carries the lab's name, so that what dies with the lab is found by the next one.
  const idOf = (name: string) => `${labId}-${node.name}-${name}`;

  const commandOf = (options: ContainerOptions, pidFile: string): readonly string[] => {
    const { name, argv, mounts = [], env = {}, capabilities = [], memoryLimitBytes } = options;
    const id = idOf(name);
    cleanup.defer(`container ${id}`, () => {
      removeCgroups(id);
      removeShimSocket(join(containerd.paths.state, 'io.containerd.runtime.v2.task/k8s.io', id));
    });
    const dropped = DEFAULT_CAPABILITIES.filter((capability) => !capabilities.includes(capability));
    const flags: Array<readonly [string, string]> = [
      ['--cgroup', `/${id}`],
      ['--runc-root', join(directory, 'runc')],
      ['--pid-file', pidFile],
      ['--fifo-dir', join(directory, 'fifo')],
      ...dropped.map((capability) => ['--cap-drop', capability] as const),
      ...Object.entries(env).map(([variable, value]) => ['--env', `${variable}=${value}`] as const),
      ...mounts.map(({ source, target, writable = false }) => {
        // As containerd's CRI does for a volume without mountPropagation.
        const how = `rbind:rprivate:${writable ? 'rw' : 'ro'}`;
        return ['--mount', `type=bind,src=${source},dst=${target},options=${how}`] as const;
      }),
    ];
    if (memoryLimitBytes !== undefined) {
      flags.push(['--memory-limit', String(memoryLimitBytes)]);
      // As containerd's CRI does, so that the process finds its limit.
      const options = 'ro:nosuid:noexec:nodev:relatime';
      flags.push(['--mount', `type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=${options}`]);
    }
    const isolation = ['--rm', '--net-host', '--read-only', '--seccomp'];
    return containerd.ctrCommand(['run', ...isolation, ...flags.flat(), image, id, ...argv]);
  };

  return {
    run: async (container) => tryCommand(commandOf(container, join(directory, `${container.name}.pid`))),
    start: async (container) => {
      const { name } = container;
      const pidFile = join(directory, `${name}.pid`);
      // ctr passes signals on, and ends as the container does.
      const daemon = startDaemon(
        { cleanup, namespace: { enter: [] } },
        {
          name: `container ${name} of ${endpoint.name}`,
          argv: commandOf(container, pidFile),
          logPath: join(directory, `${name}.log`),
        },
      );
      const pid = await waitForPid(daemon, pidFile);
      let execs = 0;
      return {
        pid,
        get running() {
          return daemon.running;
        },
        stop: async () => daemon.stop(),
        exec: async (argv) => {
          const exec = ['task', 'exec', '--exec-id', `exec${++execs}`, idOf(name), ...argv];
          return tryCommand(containerd.ctrCommand(exec));
        },
        log: async () => daemon.log(),
        readCgroup: (controller, file) =>
          readFileSync(join(cgroupPath(pid, controller), file), 'utf8').trim(),
      };
    },
  };
}

/** A shim that is killed leaves its socket in a folder that all containerds of the machine share; its bundle names it. */
function removeShimSocket(bundle: string): void {
  const file = join(bundle, 'address');
  if (!existsSync(file)) return;
  rmSync(readFileSync(file, 'utf8').trim().replace('unix://', ''), { force: true });
}

async function waitForPid(daemon: Daemon, pidFile: string): Promise<number> {
  const pid = await waitFor(
    `${daemon.name} to start`,
    () => (daemon.running ? Number(readFileSync(pidFile, 'utf8')) : 'ended'),
    { timeoutMs: START_TIMEOUT_MS },
  );
  if (pid === 'ended') throw new Error(`${daemon.name} ended:\n${await daemon.log()}`);
  return pid;
}

/** The folder of the control group that a process is in, by /proc/PID/cgroup: `<n>:<controllers>:<path>`, on v2 `0::<path>`. */
function cgroupPath(pid: number, controller: string): string {
  const mounts = listCgroupMounts();
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')) {
    const [, controllers = '', path = ''] = line.split(':');
    const v1 = controllers.split(',').includes(controller);
    const mount = mounts.find(({ type, controllers: mounted }) =>
      v1 ? type === 'cgroup' && mounted.split(',').includes(controller) : type === 'cgroup2',
    );
    if (mount !== undefined && (v1 || controllers === '')) return join(mount.mount, path);
  }
  throw new Error(`Process ${pid} is in no control group with "${controller}"`);
}
