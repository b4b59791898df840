import type { Logger } from '../observe/log.ts';
import { readNodeZone } from './read-node-zone.ts';
import type { RegistryOptions } from './registry-options.ts';

/** Where this node is, by its flags or by its Node of Kubernetes; undefined: that is not known. */
export async function findZone(
  { zone, zoneNode }: Pick<RegistryOptions, 'zone' | 'zoneNode'>,
  deps: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<string | undefined> {
  return zone !== undefined || zoneNode === undefined ? zone : readNodeZone(zoneNode, deps);
}
