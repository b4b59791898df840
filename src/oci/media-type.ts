/** Media types of the OCI image spec and of Docker's image manifest v2, schema 2. */
export const MEDIA_TYPE = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  octetStream: 'application/octet-stream',
} as const;

/** Largest manifest that is read: registries must accept 4 MiB and need not more (distribution spec, "Pushing manifests"). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

const INDEX_TYPES: ReadonlySet<string> = new Set([MEDIA_TYPE.ociIndex, MEDIA_TYPE.dockerList]);
const MANIFEST_TYPES: ReadonlySet<string> = new Set([MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifest]);

/** True if a descriptor of this type leads to an image index or an image manifest. */
export function isManifestType(mediaType: string): boolean {
  return INDEX_TYPES.has(mediaType) || MANIFEST_TYPES.has(mediaType);
}

/** True for the configs of images, of Helm charts, and of whatever follows the same pattern. */
export function isConfigType(mediaType: string): boolean {
  return /[./]config\.|container\.image\.v1/.test(mediaType);
}

/** A media type that is safe to send in a header: type/subtype of RFC 6838, with parameters left off. */
export function isMediaType(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/.test(text);
}
