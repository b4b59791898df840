import type { Digest } from '../oci/digest.ts';
import { type HostRoot, hostPath } from '../runtime/host-root.ts';
import type { Finding, Findings } from './finding.ts';

/** What is known of where containerd's content is. */
export interface ContentFacts {
  /** --containerd-content-path, or where the distribution has it. */
  readonly contentPath: string;
  /** False: the folder that it would be in is not there, and not all of the host is seen. */
  readonly isVisible: boolean;
  readonly socket: string;
  /** Where containerd says that it is; undefined: it does not say. */
  readonly contentRoot: string | undefined;
  /** Some of what is there, in case that the folders have two names that cannot be compared. */
  readonly digests: () => Promise<readonly Digest[]>;
}

/** Blobs that are looked for: one of them is enough, and any may have been removed a moment ago. */
const MAX_LOOKED_FOR = 20;

/** Finds that the content cannot be read, or is elsewhere. */
export async function checkContent(host: HostRoot, facts: ContentFacts): Promise<Findings> {
  const { contentPath, contentRoot, socket, isVisible } = facts;
  if (!isVisible) {
    return { findings: [], unknown: [`${contentPath} was not looked at: it cannot be seen from here`] };
  }
  const findings: Finding[] = [];
  const folder = await readable(host, contentPath);
  if (folder !== undefined) {
    findings.push({
      id: 'content-unreadable',
      severity: 'error',
      what: "containerd's content store cannot be read: nothing can be served",
      seen: [`${contentPath}: ${folder}`],
      mend: [
        {
          do: 'note',
          text: 'mount the folder, read-only, run as root, and name it; in the chart',
          lines: ['spegel:', `  containerdContentPath: ${contentPath}`],
        },
      ],
    });
  }
  if (contentRoot === undefined) {
    return { findings, unknown: [`containerd at ${socket} does not say where its content is`] };
  }
  if (await isElsewhere(host, facts, contentRoot)) {
    findings.push({
      id: 'content-path-wrong',
      severity: 'error',
      what: 'spegel looks for content in another folder than the one where containerd keeps it: nothing can be served',
      seen: [`containerd at ${socket}: ${contentRoot}`, `--containerd-content-path ${contentPath}`],
      mend: [
        { do: 'note', text: 'in the chart', lines: ['spegel:', `  containerdContentPath: ${contentRoot}`] },
        { do: 'note', text: 'as a flag', lines: [`--containerd-content-path ${contentRoot}`] },
      ],
    });
  }
  return { findings, unknown: [] };
}

/** Undefined if the folder can be read, else why not. */
async function readable(host: HostRoot, path: string): Promise<string | undefined> {
  try {
    return (await host.readNames(path)) === undefined ? 'there is no such folder' : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
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
