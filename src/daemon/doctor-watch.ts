import { type ContainerdClient, createContainerdClient } from '../containerd/containerd-client.ts';
import { parseContainerdVersion } from '../containerd-config/containerd-version.ts';
import { checkContent } from '../doctor/check-content.ts';
import { examineFiles } from '../doctor/examine-files.ts';
import { joinFindings } from '../doctor/finding.ts';
import { nodeAddresses } from '../doctor/node-addresses.ts';
import { createFilesWatch, type FilesLook, type FilesWatch } from '../doctor/watch-files.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Clock } from '../runtime/clock.ts';
import { createHostRoot } from '../runtime/host-root.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import type { RegistryOptions } from './registry-options.ts';

/** Collaborators of createDoctorWatch. */
export interface DoctorWatchDeps {
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'doctorChecked'>;
  readonly clock: Clock;
}

/** The cheap half of `spegel doctor`, for the running daemon: files, and what containerd's socket says of them. */
export function createDoctorWatch(
  { logger, metrics, clock }: DoctorWatchDeps,
  options: RegistryOptions,
): FilesWatch {
  const examine = async () => {
    const client = createContainerdClient({
      socketPath: options.containerdSock,
      namespace: options.containerdNamespace,
    });
    try {
      return await look(client, options);
    } finally {
      client.close();
    }
  };
  return createFilesWatch({
    examine,
    onChecked: (findings) => metrics.doctorChecked(findings),
    logger,
    clock,
  });
}

async function look(client: ContainerdClient, options: RegistryOptions): Promise<FilesLook> {
  const { containerdSock: socket, containerdContentPath: contentPath } = options;
  // Both are in the daemon's own log while containerd is away.
  const version = await client.version().catch(() => undefined);
  const contentRoot = await client.contentRoot().catch(() => undefined);
  const files = await examineFiles(
    createHostRoot(options.hostRoot),
    {
      distribution: options.distribution,
      containerdConfig: options.containerdConfig,
      registryConfigPath: options.containerdRegistryConfigPath,
      socket,
      mirrorTargets: [],
      mirroredRegistries: options.mirroredRegistryUrls,
      nodeAddresses: nodeAddresses(options.nodeIp),
      registryPort: parseListenAddress(options.registryAddr).port,
    },
    version === undefined ? undefined : parseContainerdVersion(version),
  );
  // Content is served from where this process sees it, wherever the host's other files are.
  const content = await checkContent(createHostRoot('/'), {
    contentPath,
    contentRoot,
    socket,
    isVisible: true,
    isKubernetes: files.distribution.isKubernetes,
    isServing: true,
    digests: async () => (await client.listImages().catch(() => [])).map(({ target }) => target),
  });
  const { findings, unknown } = joinFindings(files, { findings: content.findings, unknown: [] });
  return { ...files, findings, unknown };
}
