/** One request that the upstream registry answered. */
export interface UpstreamRequest {
  /** Address of the node that asked. */
  readonly client: string;
  readonly method: string;
  readonly repository: string;
  readonly kind: 'manifests' | 'blobs' | 'uploads';
  /** Tag or digest. */
  readonly reference: string;
  readonly status: number;
  /** Body bytes that were sent. */
  readonly bodyBytes: number;
}

const LINE = /^(\S+) \S+ \S+ \[[^\]]+\] "(\S+) (\S+) HTTP\/[\d.]+" (\d+) (\d+|-)/;
const PATH = /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)(\/[^?]*)?(?:\?.*)?$/;

/** Reads an access log in Apache's combined format; other lines, and requests for no content, are passed over. */
export function parseAccessLog(text: string): UpstreamRequest[] {
  return text.split('\n').flatMap((line) => {
    const [, client, method, path, status, bytes] = LINE.exec(line) ?? [];
    const [, repository, kind, reference] = PATH.exec(path ?? '') ?? [];
    if (client === undefined || method === undefined || repository === undefined || reference === undefined) {
      return [];
    }
    return {
      client: client.replace(/^\[?(.*?)\]?(?::\d+)?$/, '$1'),
      method,
      repository,
      kind: reference === 'uploads' ? 'uploads' : (kind as 'manifests' | 'blobs'),
      reference,
      status: Number(status),
      bodyBytes: bytes === '-' ? 0 : Number(bytes),
    };
  });
}
