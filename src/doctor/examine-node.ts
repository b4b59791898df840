import { readlink } from 'node:fs/promises';
import type { CallOptions, ContainerdClient, ContentInspector } from '../containerd/containerd-client.ts';
import { type ContainerdVersion, parseContainerdVersion } from '../containerd/containerd-version.ts';
import { readCriSettings } from '../containerd/cri-settings.ts';
import { readEffectiveConfig } from '../containerd/effective-config.ts';
import { type HostsFolder, readHostsFolders } from '../containerd/read-hosts-folders.ts';
import { type HostRoot, hostPath } from '../runtime/host-root.ts';
import { checkConfig, splitConfigPath } from './check-config.ts';
import { checkDaemon, type DaemonFacts, mirrorUse } from './check-daemon.ts';
import { checkEarlierFolders, checkHosts, mirrorTargets } from './check-hosts.ts';
import { checkStore } from './check-store.ts';
import { checkTargets, endpointOf } from './check-targets.ts';
import { checkUse } from './check-use.ts';
import { detectDistribution, type Distribution } from './distribution.ts';
import { type Findings, joinFindings } from './finding.ts';
import type { HttpAsk } from './http-ask.ts';

/** What a node is looked at with. */
export interface ExamineDeps {
  readonly host: HostRoot;
  readonly connect: (socketPath: string, namespace: string) => ContainerdClient & ContentInspector;
  readonly ask: HttpAsk;
  readonly askDaemon: (metricsAddr: string) => Promise<DaemonFacts>;
}

/** What the command was told. Paths are the host's; undefined: what the distribution has. */
export interface ExamineOptions {
  readonly containerdConfig: string | undefined;
  readonly registryConfigPath: string | undefined;
  readonly socket: string | undefined;
  readonly contentPath: string | undefined;
  readonly namespace: string;
  /** Counts when the socket does not answer. */
  readonly containerdVersion: ContainerdVersion | undefined;
  /** URLs of the mirror; empty: told by what configure has written. */
  readonly mirrorTargets: readonly string[];
  /** URLs of the registries that are mirrored; empty: all. */
  readonly mirroredRegistries: readonly string[];
  readonly metricsAddr: string;
  readonly registryPort: number;
}

/** What was looked at, and what was found. */
export interface NodeReport extends Findings {
  readonly distribution: Distribution;
  readonly containerd: { readonly version: string; readonly source: 'socket' | 'flag' | 'guess' };
  /** Files of containerd's configuration, in the order in which they count. */
  readonly configFiles: readonly string[];
  readonly configPath: string;
  readonly targets: readonly string[];
}

/** Looks at this node as containerd sees it. Changes nothing. Rejects for nothing that a node can have. */
export async function examineNode(deps: ExamineDeps, options: ExamineOptions): Promise<NodeReport> {
  const { host, ask } = deps;
  const distribution = await detectDistribution(host);
  const socket = options.socket ?? distribution.socket;
  const contentPath = options.contentPath ?? distribution.contentPath;
  const configPath = options.registryConfigPath ?? distribution.registryConfigPath;
  const { namespace, metricsAddr, registryPort } = options;
  const unknown: string[] = [];

  const client = deps.connect(await host.locate(socket), namespace);
  try {
    const containerd = await askContainerd(client);
    const given = options.containerdVersion;
    const answered = 'error' in containerd ? undefined : parseContainerdVersion(containerd.version);
    const configFile = options.containerdConfig ?? distribution.configFile;
    const guess = answered ?? given ?? (await guessVersion(host, configFile));
    if (answered === undefined) {
      unknown.push(
        given === undefined
          ? `containerd's version is not known: its configuration was read as that of ${guess.major}.${guess.minor}; name it with --containerd-version`
          : 'containerd did not tell its version: that of --containerd-version counts',
      );
    }
    const config = await readEffectiveConfig(host, configFile, guess);
    if (!config.files.has(config.path) && config.problems.length === 0) {
      unknown.push(
        `${config.path} is not there: containerd's defaults count, unless it was started with another file (--containerd-config)`,
      );
    }
    const settings = readCriSettings(config, guess);
    const context = { config, settings, version: guess, distribution };

    const { folders, problem } = await readFolders(host, configPath);
    if (problem !== undefined) unknown.push(problem);
    const hosts = {
      configPath,
      folders,
      targets: options.mirrorTargets,
      mirroredRegistries: options.mirroredRegistries,
      defaultTarget: `http://127.0.0.1:${registryPort}`,
    };
    const listed = splitConfigPath(settings.configPath.value);
    // Two names of one place are one: /var/run is a link to /run.
    const sameAs = async (path: string, others: readonly string[]) => {
      const place = await host.locate(path);
      for (const other of others) if ((await host.locate(other)) === place) return other;
      return path;
    };
    const ownName = await sameAs(configPath, listed);
    const expected = {
      registryConfigPath: ownName,
      socket: await sameAs(socket, [settings.socket.value]),
    };
    const ownIndex = settings.usesTransferService ? -1 : listed.indexOf(ownName);
    const earlier = [];
    for (const path of listed.slice(0, Math.max(0, ownIndex))) {
      earlier.push({ configPath: path, folders: (await readFolders(host, path)).folders });
    }
    const targets = mirrorTargets(hosts);
    const isHostNetwork = await hasHostNetwork(host);
    const targetFindings = await checkTargets({ targets, isHostNetwork }, ask);
    const daemon = await deps.askDaemon(metricsAddr);
    const reachable = targetFindings.findings.length === 0 && targetFindings.unknown.length === 0;
    const results = joinFindings(
      { findings: [], unknown },
      await checkStore(host, containerd, {
        socket,
        namespace,
        contentPath,
      }),
      checkConfig(context, expected),
      problem === undefined ? checkHosts(hosts) : { findings: [], unknown: [] },
      checkEarlierFolders(hosts, earlier),
      targetFindings,
      await checkDaemon(daemon, { metricsAddr, registryPort }, ask),
      await checkUse(
        {
          images: 'error' in containerd ? [] : containerd.images,
          pulledAtSeconds: async (digest) => client.pulledAtSeconds(digest),
          endpoint: reachable ? endpointOf(targets[0] ?? '') : undefined,
          use: mirrorUse(daemon),
        },
        ask,
      ),
    );
    return {
      ...results,
      distribution,
      containerd: {
        version: 'error' in containerd ? `${guess.major}.${guess.minor}` : containerd.version,
        source: answered === undefined ? (given === undefined ? 'guess' : 'flag') : 'socket',
      },
      configFiles: Array.from(config.files.keys()),
      configPath: settings.configPath.value,
      targets,
    };
  } finally {
    client.close();
  }
}

async function askContainerd(client: ContainerdClient, options: CallOptions = {}) {
  try {
    const version = await client.version(options);
    const [contentRoot, images] = await Promise.all([
      client.contentRoot(options),
      client.listImages(options),
    ]);
    return { version, contentRoot, images };
  } catch (error) {
    return { error };
  }
}

async function readFolders(
  host: HostRoot,
  path: string,
): Promise<{ readonly folders: readonly HostsFolder[]; readonly problem?: string }> {
  try {
    return { folders: await readHostsFolders(host, path) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { folders: [], problem: `${path} cannot be read: ${reason}` };
  }
}

/** The oldest version that reads a file of that `version`; 1.7 for the older ones. */
async function guessVersion(host: HostRoot, configFile: string): Promise<ContainerdVersion> {
  const text = (await host.readText(configFile).catch(() => undefined)) ?? '';
  const written = Number(/^\s*version\s*=\s*(\d+)/m.exec(text)?.[1] ?? 0);
  if (written >= 4) return { major: 2, minor: 3 };
  return written === 3 ? { major: 2, minor: 1 } : { major: 1, minor: 7 };
}

/** True if this process has the network of the host's first process. On the host itself that is taken for granted. */
async function hasHostNetwork(host: HostRoot): Promise<boolean> {
  if (host.folder === '/') return true;
  try {
    const [own, first] = await Promise.all([
      readlink('/proc/self/ns/net'),
      readlink(`${host.folder}${hostPath('/proc/1/ns/net')}`),
    ]);
    return own === first;
  } catch {
    return false;
  }
}
