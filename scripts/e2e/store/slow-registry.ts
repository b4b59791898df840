import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { createWakeUp } from '../../../src/runtime/wake-up.ts';

/** A registry over plain HTTP on the loopback that sends layers as slowly as the test says. */
export interface SlowRegistry extends AsyncDisposable {
  /** Offers an image of one layer. */
  addImage(layer: {
    readonly digest: Digest;
    readonly diffId?: Digest;
    readonly sizeBytes: number;
  }): SlowImage;
}

/** An image of a SlowRegistry. */
export interface SlowImage {
  /** Its name, with a tag. */
  readonly name: string;
  /** The Range header of each request for the layer, empty if it had none. */
  readonly requests: readonly string[];
  /** Sends the next bytes of the layer, now to those that wait and later to those that ask. */
  send(bytes: Uint8Array): void;
}

const encode = (value: object) => new TextEncoder().encode(JSON.stringify(value));

/** Starts a registry without images. */
export function createSlowRegistry(): SlowRegistry {
  const answers = new Map<string, (request: Request) => Response>();
  const closing = new AbortController();
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const answer = answers.get(new URL(request.url).pathname);
      return answer?.(request) ?? new Response('{}', { status: 404 });
    },
  });
  let images = 0;

  return {
    addImage({ digest, diffId = digest, sizeBytes }) {
      const repository = `image-${images++}`;
      const requests: string[] = [];
      const more = createWakeUp();
      let sent = new Uint8Array();

      async function* bytesFrom(start: number): AsyncGenerator<Uint8Array> {
        for (let at = start; at < sizeBytes;) {
          const next = sent.slice(at);
          at += next.byteLength;
          if (next.byteLength > 0) yield next;
          else await more.next(closing.signal);
        }
      }
      function answerLayer(request: Request): Response {
        const range = request.headers.get('range') ?? '';
        requests.push(range);
        const start = Number(/^bytes=([0-9]+)-/.exec(range)?.[1] ?? 0);
        const headers: Record<string, string> = { 'content-length': String(sizeBytes - start) };
        if (range !== '') headers['content-range'] = `bytes ${start}-${sizeBytes - 1}/${sizeBytes}`;
        return new Response(bytesFrom(start), { status: range === '' ? 200 : 206, headers });
      }

      const config = encode({
        architecture: process.arch === 'x64' ? 'amd64' : 'arm64',
        os: 'linux',
        rootfs: { type: 'layers', diff_ids: [diffId] },
      });
      const manifest = encode({
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociManifest,
        config: {
          mediaType: 'application/vnd.oci.image.config.v1+json',
          digest: digestOf(config),
          size: config.byteLength,
        },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: sizeBytes }],
      });
      const answerManifest = (request: Request) =>
        new Response(request.method === 'HEAD' ? null : manifest, {
          headers: {
            'content-type': MEDIA_TYPE.ociManifest,
            'content-length': String(manifest.byteLength),
            'docker-content-digest': digestOf(manifest),
          },
        });
      const path = `/v2/${repository}`;
      answers.set(`${path}/manifests/v1`, answerManifest);
      answers.set(`${path}/manifests/${digestOf(manifest)}`, answerManifest);
      answers.set(`${path}/blobs/${digestOf(config)}`, () => new Response(config));
      answers.set(`${path}/blobs/${digest}`, answerLayer);
      return {
        name: `127.0.0.1:${server.port}/${repository}:v1`,
        requests,
        send(bytes) {
          sent = new Uint8Array(Buffer.concat([sent, bytes]));
          more.wake();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('The registry is closed'));
      await server.stop(true);
    },
  };
}
