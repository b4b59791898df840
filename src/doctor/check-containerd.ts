import { isPermissionError } from '../runtime/permission-error.ts';
import type { Finding, Findings, FixStep } from './finding.ts';

/** What containerd says over its socket. */
export interface ContainerdFacts {
  readonly version: string;
  /** Where it says that its content is; undefined: it does not say. */
  readonly contentRoot: string | undefined;
  /** The images of the namespace. */
  readonly images: readonly unknown[];
}

/** What the command was told. */
export interface ContainerdExpectations {
  readonly socket: string;
  readonly namespace: string;
  /** See Distribution. */
  readonly isKubernetes: boolean;
}

/** Finds that containerd cannot be asked, or has nothing to share. */
export function checkContainerd(
  facts: ContainerdFacts | { readonly error: unknown },
  { socket, namespace, isKubernetes }: ContainerdExpectations,
): Findings {
  const findings: Finding[] = [];
  if ('error' in facts) {
    if (isPermissionError(facts.error)) {
      const unknown = `containerd was not asked: this user may not connect to ${socket}; run as root`;
      return { findings, unknown: [unknown] };
    }
    const reason = facts.error instanceof Error ? facts.error.message : String(facts.error);
    findings.push({
      id: 'containerd-unreachable',
      severity: 'error',
      what: 'containerd does not answer: spegel does not learn which images this node has',
      seen: [`${socket}: ${reason}`],
      fix: [
        isKubernetes
          ? {
              do: 'note',
              text: 'start containerd, or name its socket (grpc.address in its configuration); in the chart',
              lines: ['spegel:', `  containerdSock: ${socket}`],
            }
          : {
              do: 'note',
              text: 'start containerd, or name its socket (grpc.address in its configuration) with --containerd-sock',
            },
      ],
    });
  } else if (facts.images.length === 0) {
    findings.push(namespaceEmpty({ socket, namespace, isKubernetes }));
  }
  return { findings, unknown: [] };
}

function namespaceEmpty({ socket, namespace, isKubernetes }: ContainerdExpectations): Finding {
  // A node that has not pulled yet is not to be fixed.
  const isOfKubernetes = namespace === 'k8s.io';
  const list: FixStep = { do: 'run', command: `ctr --address ${socket} namespaces list` };
  return {
    id: 'namespace-empty',
    severity: isOfKubernetes ? 'info' : 'warning',
    what: `the containerd namespace ${JSON.stringify(namespace)} has no images: there is nothing to share`,
    seen: [`containerd at ${socket}: no image in ${namespace}`],
    fix: isOfKubernetes
      ? [
          {
            do: 'note',
            text: isKubernetes
              ? 'nothing, if this node has not pulled yet: pull an image with kubelet, crictl or ctr -n k8s.io. Else look where the images are'
              : 'nothing, if this node has not pulled yet. Else name the namespace that has the images with --containerd-namespace: ctr and nerdctl use "default" if they are not told another one',
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
