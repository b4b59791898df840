import type { Digest } from './digest.ts';
import { recentDigest } from './recent-digests.ts';
import { isMediaType, MAX_MANIFEST_BYTES, MEDIA_TYPE } from './media-type.ts';

/** What a manifest says of another piece of content (image spec, descriptor.md). */
export interface Descriptor {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly mediaType: string;
}

/** An index or a manifest, reduced to what it refers to. */
export interface Manifest {
  readonly kind: 'index' | 'manifest';
  /** Its own media type: the field, or what its shape says where the field is absent. */
  readonly mediaType: string;
  /** True if the media type is the manifest's own field. */
  readonly declared: boolean;
  /** Manifests of an index; config and layers of a manifest, in that order. Unusable descriptors are left out. */
  readonly references: readonly Descriptor[];
}

/** Thrown by parseManifest: the bytes are no manifest that can be understood. */
export class InvalidManifestError extends Error {
  override readonly name = 'InvalidManifestError';
  readonly code = 'MANIFEST_INVALID';
}

/**
 * Parses an index or manifest of the OCI image spec or of Docker's schema 2, whatever its artifact type,
 * or throws InvalidManifestError. A descriptor without a usable digest is left out, not an error.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.byteLength > MAX_MANIFEST_BYTES) {
    throw new InvalidManifestError(
      `Cannot parse manifest: ${bytes.byteLength} bytes are over the limit of ${MAX_MANIFEST_BYTES}`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InvalidManifestError('Cannot parse manifest: it is no JSON', { cause });
  }
  if (!isRecord(json)) throw new InvalidManifestError('Cannot parse manifest: it is no JSON object');
  const field = json['mediaType'];
  const mediaType = typeof field === 'string' && isMediaType(field) ? field : undefined;
  const declared = mediaType !== undefined;
  if (Array.isArray(json['manifests'])) {
    return {
      kind: 'index',
      mediaType: mediaType ?? MEDIA_TYPE.ociIndex,
      declared,
      references: descriptors(json['manifests']),
    };
  }
  if (Array.isArray(json['layers']) || isRecord(json['config'])) {
    const layers: unknown[] = Array.isArray(json['layers']) ? json['layers'] : [];
    return {
      kind: 'manifest',
      mediaType: mediaType ?? MEDIA_TYPE.ociManifest,
      declared,
      references: descriptors([json['config'], ...layers]),
    };
  }
  // ORAS' first artifact manifests list their content under `blobs`.
  if (Array.isArray(json['blobs']) && mediaType !== undefined) {
    return { kind: 'manifest', mediaType, declared, references: descriptors(json['blobs']) };
  }
  throw new InvalidManifestError('Cannot parse manifest: it has neither manifests, nor layers, nor a config');
}

function descriptors(values: readonly unknown[]): Descriptor[] {
  return values.flatMap((value) => {
    if (!isRecord(value)) return [];
    const { size, mediaType } = value;
    const digest = typeof value['digest'] === 'string' ? recentDigest(value['digest']) : undefined;
    if (digest === undefined) return [];
    return [
      {
        digest,
        sizeBytes: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : 0,
        mediaType:
          typeof mediaType === 'string' && isMediaType(mediaType) ? mediaType : MEDIA_TYPE.octetStream,
      },
    ];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
