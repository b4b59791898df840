import { type Digest, isDigest } from './digest.ts';

/** Digests that are remembered: those of some images that are pulled side by side. Some 0.5 MB. */
const MOST = 4096;

/** The digests of a moment ago, the oldest first. */
const recent = new Map<string, Digest>();

/**
 * The digest that a text is; undefined if it is none. Equal digests become one string: requests, containerd, manifests and other
 * nodes each name a layer, many parts of a node remember it, and what is cut out of a URL would keep all of that.
 */
export function recentDigest(text: string): Digest | undefined {
  const known = recent.get(text);
  if (known !== undefined) return known;
  if (!isDigest(text)) return undefined;
  const digest = Buffer.from(text, 'latin1').toString('latin1') as Digest;
  recent.set(digest, digest);
  if (recent.size > MOST) {
    for (const oldest of recent.keys()) {
      recent.delete(oldest);
      break;
    }
  }
  return digest;
}
