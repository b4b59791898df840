import type { Finding, Findings, MendStep } from './finding.ts';

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
}

/** Finds that containerd cannot be asked, or has nothing to share. */
export function checkStore(
  facts: ContainerdFacts | { readonly error: unknown },
  { socket, namespace }: StoreExpectations,
): Findings {
  const findings: Finding[] = [];
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
  } else if (facts.images.length === 0) {
    findings.push(namespaceEmpty({ socket, namespace }));
  }
  return { findings, unknown: [] };
}

function namespaceEmpty({ socket, namespace }: StoreExpectations): Finding {
  // A node that has not pulled yet is not to be mended.
  const isOfKubernetes = namespace === 'k8s.io';
  const list: MendStep = { do: 'run', command: `ctr --address ${socket} namespaces list` };
  return {
    id: 'namespace-empty',
    severity: isOfKubernetes ? 'info' : 'warning',
    what: `the containerd namespace ${JSON.stringify(namespace)} has no images: there is nothing to share`,
    seen: [`containerd at ${socket}: no image in ${namespace}`],
    mend: isOfKubernetes
      ? [
          {
            do: 'note',
            text: 'nothing, if this node has not pulled yet: pull an image with kubelet, crictl or ctr -n k8s.io. Else look where the images are',
          },
          list,
        ]
      : [
          list,
          {
            do: 'note',
            text: 'name the namespace that has the images; that of Kubernetes is k8s.io',
            lines: ['--containerd-namespace k8s.io'],
          },
        ],
  };
}
