import { type Digest, isDigest } from './digest.ts';

/** Digests in each of two generations: those of some images that are pulled side by side. At most 1 MB in all. */
const MOST = 2048;

/** The digests of a moment ago, and those before. A map from which the oldest goes each time gets slow: it steps over all that went. */
let [recent, older] = [new Map<string, Digest>(), new Map<string, Digest>()];

/**
 * The digest that a text is; undefined if it is none. Equal digests become one string: requests, containerd, manifests and other
 * nodes each name a layer, many parts of a node remember it, and what is cut out of a URL would keep all of that.
 */
export function recentDigest(text: string): Digest | undefined {
  const known = recent.get(text);
  if (known !== undefined) return known;
  let digest = older.get(text);
  if (digest === undefined) {
    if (!isDigest(text)) return undefined;
    digest = Buffer.from(text, 'latin1').toString('latin1') as Digest;
  }
  if (recent.size >= MOST) [recent, older] = [new Map(), recent];
  recent.set(digest, digest);
  return digest;
}
