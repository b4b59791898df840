import { type Digest, digestOf } from '../../../src/oci/digest.ts';

/** Digests that nobody has bytes of, the same ones for the same name in every process. */
export function benchKeys(name: string, count: number): Digest[] {
  return Array.from({ length: count }, (_, index) => digestOf(Buffer.from(`${name} ${index}`)));
}
