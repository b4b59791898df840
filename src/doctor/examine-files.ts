import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import { readCriSettings } from '../containerd-config/cri-settings.ts';
import { readEffectiveConfig } from '../containerd-config/effective-config.ts';
import { folderOfGlob } from '../containerd-config/go-glob.ts';
import { type HostsFolder, readHostsFolders } from '../mirror-config/read-hosts-folders.ts';
import { hostPath, type HostRoot } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';
import { checkConfig, splitConfigPath } from './check-config.ts';
import { checkHostSections } from './check-host-sections.ts';
import { checkEarlierFolders, checkHosts } from './check-hosts.ts';
import { checkProcess } from './check-process.ts';
import { findContainerdProcess } from './containerd-process.ts';
import { type Distribution, type DistributionId, distributionOf } from './distribution.ts';
import { type Findings, joinFindings } from './finding.ts';
import { type HostView, viewHost } from './host-view.ts';
import { type HostsFacts, isTargetAssumed, mirrorTargets } from './mirror-targets.ts';

/** What was told of the node's files. Paths are the host's; undefined: what the distribution has. */
export interface FilesOptions {
  /** Undefined: told by the files. */
  readonly distribution: DistributionId | undefined;
  readonly containerdConfig: string | undefined;
  readonly registryConfigPath: string | undefined;
  readonly socket: string | undefined;
  /** URLs of the mirror; empty: told by what configure has written. */
  readonly mirrorTargets: readonly string[];
  /** URLs of the registries that are mirrored; empty: all. */
  readonly mirroredRegistries: readonly string[];
  /** Addresses of this node, by which a hosts.toml may name the mirror. */
  readonly nodeAddresses: readonly string[];
  /** The port of the mirror's target if nothing tells another one. */
  readonly registryPort: number;
}

/** What the files say, and what was found in them. */
export interface FilesReport extends Findings {
  readonly distribution: Distribution;
  readonly socket: string;
  /** The version by whose rules the configuration was read. */
  readonly version: ContainerdVersion;
  /** False: nobody told the version, it was guessed from the files. */
  readonly isVersionKnown: boolean;
  /** False: neither containerd's configuration nor the hosts.toml folders are where they can be seen. */
  readonly isVisible: boolean;
  /** False: what only the running containerd can tell was not looked at. */
  readonly isProcessSeen: boolean;
  /** True: a process named containerd is there, and the user of this one may not look at it. */
  readonly isProcessForbidden: boolean;
  /** Files of containerd's configuration, in the order in which they count. */
  readonly configFiles: readonly string[];
  readonly configPath: string;
  readonly hosts: HostsFacts;
  readonly targets: readonly string[];
  /** True: nothing names the target, it is the default. */
  readonly isTargetAssumed: boolean;
}

/**
 * Looks at what this node has on disk: containerd's configuration, hosts.toml folders, and, where they can be seen, its
 * processes. Asks nobody and changes nothing. Rejects for nothing that a node can have.
 */
export async function examineFiles(
  host: HostRoot,
  options: FilesOptions,
  known: ContainerdVersion | undefined,
): Promise<FilesReport> {
  const view = await viewHost(host);
  const distribution = await distributionOf({ host, view }, options.distribution);
  const socket = options.socket ?? distribution.socket;
  const found = await findContainerdProcess(host, socket);
  const process = found === 'forbidden' ? undefined : found;
  const configFile = options.containerdConfig ?? process?.configFile ?? distribution.configFile;
  const configPath = options.registryConfigPath ?? distribution.registryConfigPath;
  const version = known ?? (await guessVersion(host, configFile));

  const isVersionKnown = known !== undefined;
  const seen = await readHosts(host, view, { path: configPath, version, isVersionKnown });
  const hosts: HostsFacts = {
    configPath,
    folders: seen.folders,
    targets: options.mirrorTargets,
    mirroredRegistries: options.mirroredRegistries,
    defaultTarget: `http://127.0.0.1:${options.registryPort}`,
    nodeAddresses: options.nodeAddresses,
    distribution,
  };
  const targets = mirrorTargets(hosts);
  const config = await examineConfig(host, view, {
    configFile,
    version,
    isVersionKnown,
    distribution,
    socket,
    hosts,
  });
  const { configFiles } = config;
  const running =
    process === undefined
      ? none
      : await checkProcess(host, { process, distribution, configFile, configFiles, targets });
  return {
    ...joinFindings(
      config,
      running,
      seen.isSeen
        ? joinFindings(checkHosts(hosts), await checkHostSections({ host, view }, hosts))
        : { findings: [], unknown: seen.unknown },
      config.earlier,
    ),
    distribution,
    socket,
    version,
    isVersionKnown,
    isVisible: config.isSeen || seen.isSeen,
    isProcessSeen: process !== undefined,
    isProcessForbidden: found === 'forbidden',
    configFiles,
    configPath: config.configPath,
    hosts,
    targets,
    isTargetAssumed: isTargetAssumed(hosts),
  };
}

const none: Findings = { findings: [], unknown: [] };

interface ConfigQuestion {
  readonly configFile: string;
  readonly version: ContainerdVersion;
  readonly isVersionKnown: boolean;
  readonly distribution: Distribution;
  readonly socket: string;
  readonly hosts: HostsFacts;
}

async function examineConfig(host: HostRoot, view: HostView, question: ConfigQuestion) {
  const { configFile, version, isVersionKnown, distribution, socket, hosts } = question;
  const read = await readEffectiveConfig(host, configFile, version);
  const configFiles = Array.from(read.files.keys());
  const forbidden = read.problems.filter(({ isForbidden }) => isForbidden).map(({ file }) => file);
  const absent = await unseen(view, [
    read.path,
    ...read.problems.filter(({ isForbidden }) => !isForbidden).map(({ file }) => file),
    ...read.globs.map((glob) => hostPath(folderOfGlob(glob), 'any')),
  ]);
  const isMainMissing = forbidden.includes(read.path) || absent.includes(read.path);
  const subject = isMainMissing ? "containerd's configuration" : "a part of containerd's configuration";
  const unknown: string[] = [];
  if (forbidden.length > 0) {
    unknown.push(`${subject} was not looked at: this user may not read ${forbidden.join(' ')}; run as root`);
  }
  if (absent.length > 0) {
    unknown.push(
      `${subject} was not looked at: ${absent.join(' ')} cannot be seen from here; mount what is there below --host-root, or name the right file with --containerd-config`,
    );
  }
  if (isMainMissing) {
    const isSeen = configFiles.length > 0 || forbidden.length > 0;
    return { findings: [], unknown, configFiles, configPath: '', isSeen, earlier: none };
  }
  // What cannot be seen is said above, and is not wrong for that.
  const problems = read.problems.filter(({ file, isForbidden }) => !isForbidden && !absent.includes(file));
  const config = { ...read, problems };
  if (!config.files.has(config.path) && problems.length === 0) {
    unknown.push(
      `${config.path} is not there: containerd's defaults count, unless it was started with another file (--containerd-config)`,
    );
  }
  const settings = readCriSettings(config, version);
  const listed = splitConfigPath(settings.configPath.value);
  // Two names of one place are one: /var/run is a link to /run.
  const sameAs = async (path: string, others: readonly string[]) => {
    const place = await host.locate(systemPath(path));
    for (const other of others) if ((await host.locate(systemPath(other))) === place) return other;
    return path;
  };
  const registryConfigPath = await sameAs(hosts.configPath, listed);
  const expected = { registryConfigPath, socket: await sameAs(socket, [settings.socket.value]) };
  const checked = checkConfig({ config, settings, version, distribution }, expected);
  // It may be set in what was not looked at.
  const isPathOpen = forbidden.length + absent.length > 0 && settings.configPath.origin === undefined;
  const findings = checked.findings.filter(({ id }) => !isPathOpen || !id.startsWith('config-path-'));
  const ownIndex = settings.usesTransferService ? -1 : listed.indexOf(registryConfigPath);
  const earlier = [];
  for (const path of listed.slice(0, Math.max(0, ownIndex))) {
    const { folders } = await readHosts(host, view, { path, version, isVersionKnown });
    earlier.push({ configPath: path, folders });
  }
  return {
    findings,
    unknown,
    configFiles,
    configPath: settings.configPath.value,
    isSeen: true,
    earlier: checkEarlierFolders(hosts, earlier),
  };
}

/** Every host has this link; a pod that has mounted some folders has not. */
function systemPath(path: string): string {
  return path.replace(/^\/var\/run\//, '/run/');
}

async function readHosts(
  host: HostRoot,
  view: HostView,
  {
    path,
    version,
    isVersionKnown,
  }: { readonly path: string; readonly version: ContainerdVersion; readonly isVersionKnown: boolean },
): Promise<{
  readonly folders: readonly HostsFolder[];
  readonly isSeen: boolean;
  readonly unknown: readonly string[];
}> {
  if (!(await view.sees(path))) {
    const unknown = [`${path} was not looked at: it cannot be seen from here; mount it below --host-root`];
    return { folders: [], isSeen: false, unknown };
  }
  try {
    const folders = await readHostsFolders(host, path, version, { isVersionKnown });
    return { folders, isSeen: true, unknown: [] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const unknown = isPermissionError(error)
      ? `${path} was not looked at: this user may not read what is in it (${reason}); run as root`
      : `${path} cannot be read: ${reason}`;
    return { folders: [], isSeen: false, unknown: [unknown] };
  }
}

async function unseen(view: HostView, paths: readonly string[]): Promise<readonly string[]> {
  const absent: string[] = [];
  for (const path of new Set(paths)) if (!(await view.sees(path))) absent.push(path);
  return absent;
}

/** The oldest version that reads a file of that `version`; 1.7 for the older ones. */
async function guessVersion(host: HostRoot, configFile: string): Promise<ContainerdVersion> {
  const text = (await host.readText(configFile).catch(() => undefined)) ?? '';
  const written = Number(/^\s*version\s*=\s*(\d+)/m.exec(text)?.[1] ?? 0);
  if (written >= 4) return { major: 2, minor: 3 };
  return written === 3 ? { major: 2, minor: 1 } : { major: 1, minor: 7 };
}
