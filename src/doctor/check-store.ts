import type { HostRoot } from '../runtime/host-root.ts';
import type { Finding, Findings } from './finding.ts';

/** What containerd says over its socket. */
export interface ContainerdFacts {
  readonly version: string;
  /** Where it says that its content is; undefined: it does not say. */
  readonly contentRoot: string | undefined;
  /** The images of the namespace. */
  readonly images: readonly unknown[];
}

/** What the command was told. */
export interface StoreExpectations {
  readonly socket: string;
  readonly namespace: string;
  readonly contentPath: string;
}

/** Finds that containerd cannot be asked, or keeps its content elsewhere. */
export async function checkStore(
  host: HostRoot,
  facts: ContainerdFacts | { readonly error: unknown },
  { socket, namespace, contentPath }: StoreExpectations,
): Promise<Findings> {
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
  if ('error' in facts) {
    const reason = facts.error instanceof Error ? facts.error.message : String(facts.error);
    findings.push({
      id: 'containerd-unreachable',
      severity: 'error',
      what: 'containerd does not answer: spegel does not learn which images this node has',
      seen: [`${socket}: ${reason}`],
      mend: [
        {
          do: 'note',
          text: 'start containerd, run as root, or name its socket (grpc.address in its configuration); in the chart',
          lines: ['spegel:', `  containerdSock: ${socket}`],
        },
      ],
    });
    return { findings, unknown: [] };
  }
  const { contentRoot, images } = facts;
  if (contentRoot !== undefined && (await isElsewhere(host, contentRoot, contentPath))) {
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
  if (images.length === 0) {
    findings.push({
      id: 'namespace-empty',
      severity: 'warning',
      what: `the containerd namespace ${JSON.stringify(namespace)} has no images: there is nothing to share`,
      seen: [`containerd at ${socket}: no image in ${namespace}`],
      mend: [
        { do: 'run', command: `ctr --address ${socket} namespaces list` },
        {
          do: 'note',
          text: 'name the namespace that has the images; that of Kubernetes is k8s.io',
          lines: ['--containerd-namespace k8s.io'],
        },
      ],
    });
  }
  const unknown =
    contentRoot === undefined ? [`containerd at ${socket} does not say where its content is`] : [];
  return { findings, unknown };
}

/** Undefined if the folder can be read, else why not. */
async function readable(host: HostRoot, path: string): Promise<string | undefined> {
  try {
    return (await host.readNames(path)) === undefined ? 'there is no such folder' : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function isElsewhere(host: HostRoot, left: string, right: string): Promise<boolean> {
  const [one, other] = await Promise.all([left, right].map(async (path) => host.locate(path)));
  return one !== other;
}
