import { parseBootstrapDocument } from './bootstrap-document.ts';
import { BootstrapError, type Bootstrapper } from './bootstrapper.ts';
import { BOOTSTRAP_QUERY_TIMEOUT_MS } from './limits.ts';
import type { BootstrapTls } from './tls-folder.ts';

/** Most bytes of a bootstrap document: 20 peers of 10 addresses need 20 KiB. */
const MAX_BOOTSTRAP_DOCUMENT_BYTES = 64 * 1024;

/** Where to ask. */
export interface HttpBootstrapperOptions {
  /** Asked as it is; /id when it names a server and nothing on it. */
  readonly url: string;
  /** Gives the certificates to show and to trust; called for each request, so that they may rotate. Default none. */
  readonly readTls?: (() => Promise<BootstrapTls>) | undefined;
  /** Default 3 s. */
  readonly timeoutMs?: number;
}

/** Bootstraps from an HTTP endpoint. Throws BootstrapError when the URL is not valid. */
export function createHttpBootstrapper(options: HttpBootstrapperOptions): Bootstrapper {
  const url = documentUrl(options.url);
  const timeoutMs = options.timeoutMs ?? BOOTSTRAP_QUERY_TIMEOUT_MS;
  return {
    kind: 'http',
    async peers(signal) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      let text: string;
      try {
        text = await fetchDocument(url, deadline, await options.readTls?.());
      } catch (cause) {
        if (cause instanceof BootstrapError) throw cause;
        throw new BootstrapError(
          `Cannot get ${url}: is the bootstrap peer up and --http-bootstrap-addr set there?`,
          { cause },
        );
      }
      const peers = parseBootstrapDocument(text);
      if (peers !== undefined) return peers;
      throw new BootstrapError(`Cannot read the answer of ${url} as bootstrap document`);
    },
  };
}

function documentUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new BootstrapError(`Cannot bootstrap from ${JSON.stringify(text)}: use http://host:port`);
  }
  if (url.pathname === '/' && url.search === '') url.pathname = '/id';
  return url.toString();
}

async function fetchDocument(
  url: string,
  signal: AbortSignal,
  tls: BootstrapTls | undefined,
): Promise<string> {
  const response = await fetch(url, {
    signal,
    redirect: 'error',
    // Peers are in the cluster; a proxy of the environment leads out of it.
    proxy: false,
    keepalive: false,
    headers: { accept: 'application/json' },
    ...(tls === undefined ? {} : { tls: { ca: tls.ca, cert: tls.cert, key: tls.key } }),
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new BootstrapError(`${url} answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_BOOTSTRAP_DOCUMENT_BYTES) {
      throw new BootstrapError(`The answer of ${url} is larger than ${MAX_BOOTSTRAP_DOCUMENT_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
