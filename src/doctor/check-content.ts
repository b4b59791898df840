import type { Digest } from '../oci/digest.ts';
import { type HostRoot, hostPath } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';
import type { Finding, Findings, FixStep } from './finding.ts';
import { fixSetting } from './fix-setting.ts';

/** What is known of where containerd's content is. */
export interface ContentFacts {
  /** --containerd-content-path, or where the distribution has it. */
  readonly contentPath: string;
  /** False: the folder that it would be in is not there, and not all of the host is seen. */
  readonly isVisible: boolean;
  readonly socket: string;
  /** See Distribution. */
  readonly isKubernetes: boolean;
  /** True in the process that serves the content: what that may not read is not served. */
  readonly isServing: boolean;
  /** Where containerd says that it is; undefined: it does not say. */
  readonly contentRoot: string | undefined;
  /** Some of what is there, in case that the folders have two names that cannot be compared. */
  readonly digests: () => Promise<readonly Digest[]>;
}

/** Blobs that are looked for: one of them is enough, and any may have been removed a moment ago. */
const MAX_LOOKED_FOR = 20;

/** Finds that the content cannot be read, or is elsewhere. */
export async function checkContent(host: HostRoot, facts: ContentFacts): Promise<Findings> {
  const { contentPath, contentRoot, socket, isVisible, isKubernetes, isServing } = facts;
  if (!isVisible) {
    return { findings: [], unknown: [`${contentPath} was not looked at: it cannot be seen from here`] };
  }
  const findings: Finding[] = [];
  const unknown: string[] = [];
  const folder = await readable(host, contentPath);
  if (folder?.isForbidden === true && !isServing) {
    unknown.push(`${contentPath} was not looked at: this user may not read it; run as root`);
  } else if (folder !== undefined) {
    findings.push({
      id: 'content-unreadable',
      severity: 'error',
      what: "containerd's content store cannot be read: nothing can be served",
      seen: [`${contentPath}: ${folder.reason}`],
      fix: [unreadableStep(facts, folder.isForbidden)],
    });
  }
  if (contentRoot === undefined) {
    return { findings, unknown: [...unknown, `containerd at ${socket} does not say where its content is`] };
  }
  if (unknown.length === 0 && (await isElsewhere(host, facts, contentRoot))) {
    findings.push({
      id: 'content-path-wrong',
      severity: 'error',
      what: 'spegel looks for content in another folder than the one where containerd keeps it: nothing can be served',
      seen: [`containerd at ${socket}: ${contentRoot}`, `--containerd-content-path ${contentPath}`],
      fix: [
        ...fixSetting(isKubernetes, {
          text: undefined,
          value: `containerdContentPath: ${contentRoot}`,
          flag: `--containerd-content-path ${contentRoot}`,
        }),
      ],
    });
  }
  return { findings, unknown };
}

function unreadableStep({ contentPath, isKubernetes }: ContentFacts, isForbidden: boolean): FixStep {
  if (isForbidden) return { do: 'note', text: 'run spegel registry as root, as which containerd runs' };
  if (!isKubernetes) {
    const text = "name the folder that is io.containerd.content.v1.content below containerd's root";
    return { do: 'note', text: `${text} with --containerd-content-path` };
  }
  return {
    do: 'note',
    text: 'mount the folder, read-only, and name it; in the chart',
    lines: ['spegel:', `  containerdContentPath: ${contentPath}`],
  };
}

/** Undefined if the folder can be read, else why not. */
async function readable(
  host: HostRoot,
  path: string,
): Promise<{ readonly reason: string; readonly isForbidden: boolean } | undefined> {
  try {
    const names = await host.readNames(path);
    return names === undefined ? { reason: 'there is no such folder', isForbidden: false } : undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { reason, isForbidden: isPermissionError(error) };
  }
}

async function isElsewhere(
  host: HostRoot,
  { contentPath, digests }: ContentFacts,
  contentRoot: string,
): Promise<boolean> {
  if ((await host.locate(contentPath)) === (await host.locate(contentRoot))) return false;
  // In a pod the link that makes the two one may be outside of what is mounted.
  if ((await host.kind(contentRoot).catch(() => 'absent')) !== 'absent') return true;
  for (const digest of (await digests()).slice(0, MAX_LOOKED_FOR)) {
    const [algorithm = '', hex = ''] = digest.split(':');
    const blob = hostPath(contentPath, 'blobs', algorithm, hex);
    if ((await host.kind(blob).catch(() => 'absent')) === 'file') return false;
  }
  return true;
}
