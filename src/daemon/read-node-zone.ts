import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Logger } from '../observe/log.ts';
import { isLabelValue } from '../runtime/label-value.ts';

/** The label of a Node that says where it is (kubernetes.io/docs/reference/labels-annotations-taints). */
const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** A name that every pod's name server knows, and that the API server's certificate has. */
const API_SERVER = 'https://kubernetes.default.svc';
/** Where a pod that may ask it finds the token and the authority. */
const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** A node must not start later for long because of its zone. */
const TIMEOUT_MS = 5 * 1000;
/** A Node has some 50 KB, most of it the names of images. */
const MAX_NODE_BYTES = 4 * 1024 * 1024;

/** Where to ask, for tests. */
export interface ReadNodeZoneOptions {
  readonly server?: string;
  readonly folder?: string;
}

/**
 * The zone of a Node of Kubernetes by its label, asked of the API server with the pod's token. Undefined, with a warning, when
 * that cannot be read: then no peer is nearer than others.
 */
export async function readNodeZone(
  node: string,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
  { server = API_SERVER, folder = ACCOUNT_FOLDER }: ReadNodeZoneOptions = {},
): Promise<string | undefined> {
  try {
    const [token, ca] = await Promise.all(
      ['token', 'ca.crt'].map(async (name) => readFile(join(folder, name), 'utf8')),
    );
    const response = await fetch(`${server}/api/v1/nodes/${encodeURIComponent(node)}`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      redirect: 'error',
      // A proxy of the environment leads out of the cluster.
      proxy: false,
      keepalive: false,
      headers: { accept: 'application/json', authorization: `Bearer ${token?.trim()}` },
      tls: { ca },
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`The API server answered with status ${response.status}`);
    if (text.length > MAX_NODE_BYTES) throw new Error('The answer of the API server is too large');
    const zone = zoneOf(JSON.parse(text));
    if (zone === undefined) logger.warn('The Node has no zone', { node, label: ZONE_LABEL });
    return zone;
  } catch (error) {
    if (signal.aborted) throw signal.reason as Error;
    logger.warn('Cannot read the zone of the Node: all peers count as equally near', { node, error });
    return undefined;
  }
}

function zoneOf(answer: unknown): string | undefined {
  const { metadata } = (answer ?? {}) as { metadata?: { labels?: Readonly<Record<string, unknown>> } };
  const zone = metadata?.labels?.[ZONE_LABEL];
  return typeof zone === 'string' && isLabelValue(zone) ? zone : undefined;
}
