import type { Digest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import type { AskableTarget } from './check-targets.ts';
import type { Finding, Findings } from './finding.ts';
import type { HttpAsk } from './http-ask.ts';

/** An image that this node has. */
export interface NodeImage {
  readonly name: string;
  readonly target: Digest;
}

/** What is known of how the mirror is used. */
export interface UseFacts {
  readonly images: readonly NodeImage[];
  /** When the image's root was pulled from a registry, in seconds since the epoch; undefined: it was not. */
  readonly pulledAtSeconds: (digest: Digest) => Promise<number | undefined>;
  /** The mirror, undefined if it could not be asked. */
  readonly target: AskableTarget | undefined;
  readonly use: { readonly sinceSeconds: number; readonly asked: boolean } | undefined;
}

/** Images that are looked at: enough to tell, and quick on a node with thousands. */
const MAX_IMAGES = 100;
/** Images that the mirror is asked for: one that it serves is enough; some registries may be excluded on purpose. */
const MAX_ASKED = 20;
/** Of them, as many as a reader wants to see. */
const MAX_SHOWN = 5;

/** Finds that containerd pulls without the mirror, or that the mirror does not serve what is there. */
export async function checkUse(facts: UseFacts, ask: HttpAsk): Promise<Findings> {
  const findings = [...(await checkAsked(facts)), ...(await checkServes(facts, ask))];
  return { findings, unknown: [] };
}

async function checkAsked({ images, pulledAtSeconds, use }: UseFacts): Promise<Finding[]> {
  if (use === undefined || use.asked) return [];
  const names: string[] = [];
  for (const { name, target } of images.slice(0, MAX_IMAGES)) {
    const pulledAt = await pulledAtSeconds(target).catch(() => undefined);
    if (pulledAt !== undefined && pulledAt > use.sinceSeconds) names.push(name);
  }
  if (names.length === 0) return [];
  return [
    {
      id: 'mirror-not-asked',
      severity: 'warning',
      what: 'images were pulled since spegel has started, and containerd has not asked it for one of them',
      seen: [
        'spegel_mirror_requests_total is 0',
        `pulled since ${new Date(use.sinceSeconds * 1000).toISOString()}: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`,
      ],
      fix: [
        {
          do: 'note',
          text: 'see the other findings first. Without any: was containerd restarted after config_path was set, and are these registries mirrored?',
        },
      ],
    },
  ];
}

async function checkServes({ images, target }: UseFacts, ask: HttpAsk): Promise<Finding[]> {
  if (target === undefined) return [];
  const { endpoint, tls, authorization } = target;
  const seen: string[] = [];
  for (const path of manifestPaths(images).slice(0, MAX_ASKED)) {
    try {
      const { status } = await ask(endpoint, {
        method: 'HEAD',
        path,
        headers: {
          'X-Spegel-Mirrored': 'true',
          ...(authorization === undefined ? {} : { Authorization: authorization }),
        },
        tls,
      });
      if (status !== 404) return [];
      seen.push(`HEAD ${tls === undefined ? 'http' : 'https'}://${endpoint}${path}: ${status}`);
    } catch {
      // Whoever looks at the target says so.
      return [];
    }
  }
  if (seen.length === 0) return [];
  return [
    {
      id: 'mirror-does-not-serve',
      severity: 'warning',
      what: 'the mirror does not serve images that this node has',
      seen: seen.slice(0, MAX_SHOWN),
      fix: [
        {
          do: 'note',
          text: 'right if --registry-filters or --mirrored-registries exclude them; else the daemon has another --containerd-namespace, --containerd-content-path or --containerd-sock than this command was given',
        },
      ],
    },
  ];
}

/** Where the mirror has images that a registry's name leads to: one of each registry first, then a second one, and so on. */
function manifestPaths(images: readonly NodeImage[]): readonly string[] {
  const paths = new Map<string, string[]>();
  for (const { name, target } of images) {
    try {
      const { registry, repository, tag } = parseReference(name);
      if (tag === undefined) continue;
      const path = `/v2/${repository}/manifests/${target}?ns=${encodeURIComponent(registry)}`;
      paths.set(registry, [...(paths.get(registry) ?? []).slice(0, MAX_ASKED), path]);
    } catch {
      // containerd has names that no registry can be asked for.
    }
  }
  const rows = Array.from(paths.values());
  return Array.from({ length: MAX_ASKED }, (_, turn) => rows.flatMap((row) => row[turn] ?? [])).flat();
}
