import { type Digest, isDigest } from './digest.ts';

/** A platform as an image index names it (image spec, image-index.md). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

/** The manifest for the platform in the bytes of an index; undefined if it has none, or is not an index. */
export function platformManifest(index: Uint8Array, { os, architecture }: Platform): Digest | undefined {
  let manifests: unknown;
  try {
    ({ manifests } = JSON.parse(new TextDecoder().decode(index)) as { readonly manifests?: unknown });
  } catch {
    return undefined;
  }
  if (!Array.isArray(manifests)) return undefined;
  for (const entry of manifests as readonly ManifestEntry[]) {
    const { digest, platform } = entry ?? {};
    const isIt = platform?.os === os && platform.architecture === architecture;
    if (isIt && typeof digest === 'string' && isDigest(digest)) return digest;
  }
  return undefined;
}

type ManifestEntry =
  | {
      readonly digest?: unknown;
      readonly platform?: { readonly os?: unknown; readonly architecture?: unknown };
    }
  | undefined
  | null;
