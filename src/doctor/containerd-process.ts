import { readlink } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { readEffectiveConfig } from '../containerd-config/effective-config.ts';
import { leafAt } from '../containerd-config/toml-tree.ts';
import { type HostRoot, hostPath } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';

/** The containerd that runs, as proc(5) tells of it. */
export interface ContainerdProcess {
  readonly pid: number;
  /** The file that it was started with, path of the host. */
  readonly configFile: string;
  /** In seconds since the epoch, with an error of a second. */
  readonly startedAtSeconds: number;
  /** Its environment when it was started; empty if it cannot be read. */
  readonly environment: ReadonlyMap<string, string>;
}

const DEFAULT_CONFIG = '/etc/containerd/config.toml';
const DEFAULT_SOCKET = '/run/containerd/containerd.sock';
/** USER_HZ, the unit of times in /proc/PID/stat: 100 on every architecture that this runs on. */
const TICKS_PER_SECOND = 100;

/**
 * The containerd of the host that listens on that socket; undefined if none is seen, which is the rule in a pod, and
 * `forbidden` if one may be it and the user of this process may not look at it. Only processes beside the host's first one
 * count, not those in containers. Never rejects.
 */
export async function findContainerdProcess(
  host: HostRoot,
  socket: string,
): Promise<ContainerdProcess | 'forbidden' | undefined> {
  const names = (await host.readNames('/proc').catch(() => undefined)) ?? [];
  // On the host itself this process is in it; from a pod only the host's first process tells it.
  const first = await pidNamespace(host, host.folder === '/' ? 'self' : '1');
  const wanted = await host.locate(socket).catch(() => socket);
  let isForbidden = false;
  for (const name of names.filter((name) => /^\d+$/.test(name))) {
    const read = async (file: string) => host.readText(hostPath('/proc', name, file)).catch(() => undefined);
    if ((await read('comm'))?.trim() !== 'containerd') continue;
    if (first === undefined) continue;
    const namespace = await pidNamespace(host, name);
    if (namespace === undefined) isForbidden ||= await mayNotLook(host, name);
    if (namespace !== first) continue;
    const argv = ((await read('cmdline')) ?? '').split('\0');
    const configFile = argumentOf(argv, 'c', 'config') ?? DEFAULT_CONFIG;
    if (!isAbsolute(configFile)) continue;
    const own = argumentOf(argv, 'a', 'address') ?? (await socketOf(host, configFile));
    if ((await host.locate(own).catch(() => own)) !== wanted) continue;
    const startedAtSeconds = startOf(await read('stat'), await host.readText('/proc/stat').catch(() => ''));
    if (startedAtSeconds === undefined) continue;
    const environment = new Map(
      ((await read('environ')) ?? '').split('\0').flatMap((pair) => {
        const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
        return key === undefined || value === undefined ? [] : [[key, value] as const];
      }),
    );
    return { pid: Number(name), configFile, startedAtSeconds, environment };
  }
  return isForbidden ? 'forbidden' : undefined;
}

/** The value of a flag in the forms that containerd takes: one dash or two, `=` or the next word. */
function argumentOf(argv: readonly string[], ...names: readonly string[]): string | undefined {
  for (const [index, arg] of argv.entries()) {
    const [, name = '', value] = /^--?([\w-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (names.includes(name)) return value ?? argv[index + 1];
  }
  return undefined;
}

async function socketOf(host: HostRoot, configFile: string): Promise<string> {
  // grpc.address has one meaning in all versions.
  const { tree } = await readEffectiveConfig(host, configFile, { major: 2, minor: 0 });
  const value = leafAt(tree, ['grpc', 'address'])?.value;
  return typeof value === 'string' && value !== '' ? value : DEFAULT_SOCKET;
}

function startOf(stat: string | undefined, system: string | undefined): number | undefined {
  const bootedAt = Number(/^btime (\d+)$/m.exec(system ?? '')?.[1]);
  // After the name, which is in parentheses and may have any character: the 20th field is the start.
  const ticks = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const seconds = bootedAt + ticks / TICKS_PER_SECOND;
  return Number.isFinite(seconds) ? seconds : undefined;
}

async function pidNamespace(host: HostRoot, pid: string): Promise<string | undefined> {
  return readlink(namespacePath(host, pid)).catch(() => undefined);
}

/** True if the process is there, and only its own user and root may look at it (proc_pid_ns(5)). */
async function mayNotLook(host: HostRoot, pid: string): Promise<boolean> {
  return readlink(namespacePath(host, pid)).then(() => false, isPermissionError);
}

function namespacePath(host: HostRoot, pid: string): string {
  return `${host.folder === '/' ? '' : host.folder}/proc/${pid}/ns/pid`;
}
