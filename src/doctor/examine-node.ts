import { readlink } from 'node:fs/promises';
import type { CanaryResult } from '../canary/canary-result.ts';
import type { CallOptions, ContainerdClient, ContentInspector } from '../containerd/containerd-client.ts';
import { type ContainerdVersion, parseContainerdVersion } from '../containerd-config/containerd-version.ts';
import { type HostRoot, hostPath } from '../runtime/host-root.ts';
import { type CanaryFacts, checkCanary } from './check-canary.ts';
import { checkContent } from './check-content.ts';
import { checkDaemon, type DaemonFacts, mirrorUse } from './check-daemon.ts';
import { checkContainerd } from './check-containerd.ts';
import { checkTargets } from './check-targets.ts';
import { checkUse } from './check-use.ts';
import { type Distribution, distributionOf } from './distribution.ts';
import { examineFiles, type FilesOptions } from './examine-files.ts';
import { type Findings, joinFindings } from './finding.ts';
import { viewHost } from './host-view.ts';
import type { HttpAsk } from './http-ask.ts';

/** What a node is looked at with. */
export interface ExamineDeps {
  readonly host: HostRoot;
  readonly connect: (socketPath: string, namespace: string) => ContainerdClient & ContentInspector;
  readonly ask: HttpAsk;
  readonly askDaemon: (metricsAddr: string) => Promise<DaemonFacts>;
  /** Has the daemon run its canary; undefined: it is not to run. Never rejects. */
  readonly runCanary?: ((metricsAddr: string) => Promise<CanaryFacts>) | undefined;
}

/** What the command was told. Paths are the host's; undefined: what the distribution has. */
export interface ExamineOptions extends FilesOptions {
  readonly contentPath: string | undefined;
  readonly namespace: string;
  /** Counts when the socket does not answer. */
  readonly containerdVersion: ContainerdVersion | undefined;
  readonly metricsAddr: string;
}

/** What was looked at, and what was found. */
export interface NodeReport extends Findings {
  readonly distribution: Distribution;
  readonly containerd: { readonly version: string; readonly source: 'socket' | 'flag' | 'guess' };
  /** Files of containerd's configuration, in the order in which they count. */
  readonly configFiles: readonly string[];
  readonly configPath: string;
  readonly targets: readonly string[];
  /** True: nothing names the target, it is the default. */
  readonly isTargetAssumed: boolean;
  /** The run of the canary that was asked for, if there was one. */
  readonly canary?: CanaryResult | undefined;
}

/** Looks at this node as containerd sees it. Changes nothing. Rejects for nothing that a node can have. */
export async function examineNode(deps: ExamineDeps, options: ExamineOptions): Promise<NodeReport> {
  const { host, ask } = deps;
  const { namespace, metricsAddr, registryPort, containerdVersion: given } = options;
  const view = await viewHost(host);
  const distribution = await distributionOf({ host, view }, options.distribution);
  const { isKubernetes } = distribution;
  const socket = options.socket ?? distribution.socket;
  const contentPath = options.contentPath ?? distribution.contentPath;
  const client = deps.connect(await host.locate(socket), namespace);
  try {
    const containerd = await askContainerd(client);
    const answered = 'error' in containerd ? undefined : parseContainerdVersion(containerd.version);
    const files = await examineFiles(host, options, answered ?? given);
    const { version } = files;
    const unknown: string[] = [];
    if (answered === undefined) {
      unknown.push(
        given === undefined
          ? `containerd's version is not known: its configuration was read as that of ${version.major}.${version.minor}; name it with --containerd-version`
          : 'containerd did not tell its version: that of --containerd-version counts',
      );
    }
    if (!files.isProcessSeen) {
      const why = files.isProcessForbidden
        ? 'as this user may not look at it (run as root)'
        : 'as none is seen from here';
      unknown.push(
        `containerd's process was not looked at, ${why}: whether it was restarted since its configuration changed, and whether it asks the mirror through a proxy`,
      );
    }
    const images = 'error' in containerd ? [] : containerd.images;
    const { folders } = files.hosts;
    const isHostNetwork = await hasHostNetwork(host);
    const targets = await checkTargets(
      { host, view },
      { targets: files.targets, folders, isHostNetwork, isKubernetes },
      ask,
    );
    const daemon = await deps.askDaemon(metricsAddr);
    const canary = await deps.runCanary?.(metricsAddr);
    const ofDaemon = await checkDaemon(daemon, { metricsAddr, registryPort, isKubernetes }, ask);
    const results = joinFindings(
      { findings: [], unknown },
      checkContainerd(containerd, { socket, namespace, isKubernetes }),
      await checkContent(host, {
        socket,
        contentPath,
        isKubernetes,
        isServing: false,
        isVisible: await view.sees(contentPath),
        contentRoot: 'error' in containerd ? undefined : containerd.contentRoot,
        digests: async () => images.map(({ target }) => target),
      }),
      files,
      // A daemon that does not run is why nothing answers at the targets.
      ...('error' in daemon ? [ofDaemon, targets] : [targets, ofDaemon]),
      await checkUse(
        {
          images,
          pulledAtSeconds: async (digest) => client.pulledAtSeconds(digest),
          target: targets.working,
          use: mirrorUse(daemon),
        },
        ask,
      ),
      canary === undefined ? { findings: [], unknown: [] } : checkCanary(canary),
    );
    return {
      ...results,
      ...(canary === undefined || 'error' in canary ? {} : { canary }),
      distribution,
      containerd: {
        version: 'error' in containerd ? `${version.major}.${version.minor}` : containerd.version,
        source: answered === undefined ? (given === undefined ? 'guess' : 'flag') : 'socket',
      },
      configFiles: files.configFiles,
      configPath: files.configPath,
      targets: files.targets,
      isTargetAssumed: files.isTargetAssumed,
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
