import { Client, credentials } from '@grpc/grpc-js';
import { parse } from 'protobufjs';

/** The image calls of the Kubernetes Container Runtime Interface, as kubelet makes them. */
export interface CriClient extends Disposable {
  /** Pulls an image and returns what the runtime calls it. Rejects with the runtime's message. */
  pullImage(image: string, options?: PullImageOptions): Promise<string>;
  /** Rejects until the runtime answers. */
  version(): Promise<string>;
}

/** What a registry knows a user by. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Options of a call. */
export interface CriCallOptions {
  /** Default 120,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Options of a pull. */
export interface PullImageOptions extends CriCallOptions {
  /** For registries that ask for them. Default none. */
  readonly credentials?: Credentials | undefined;
}

/** What is needed of the CRI's runtime.v1 API. */
const PROTO = `
syntax = "proto3";
package runtime.v1;
message VersionRequest { string version = 1; }
message VersionResponse {
  string version = 1;
  string runtime_name = 2;
  string runtime_version = 3;
  string runtime_api_version = 4;
}
message ImageSpec { string image = 1; map<string, string> annotations = 2; }
message AuthConfig { string username = 1; string password = 2; }
message PullImageRequest { ImageSpec image = 1; AuthConfig auth = 2; }
message PullImageResponse { string image_ref = 1; }
`;

const { root } = parse(PROTO);

/** Connects to containerd's socket; the connection is made with the first call. */
export function createCriClient(socket: string): CriClient {
  const client = new Client(`unix://${socket}`, credentials.createInsecure());

  const call = async (
    method: string,
    [requestName, responseName]: readonly [string, string],
    request: Record<string, unknown>,
    { timeoutMs = 120_000, signal }: CriCallOptions = {},
  ): Promise<Record<string, unknown>> => {
    const requestType = root.lookupType(`runtime.v1.${requestName}`);
    const responseType = root.lookupType(`runtime.v1.${responseName}`);
    return new Promise((resolve, reject) => {
      const onAbort = () => running.cancel();
      const running = client.makeUnaryRequest(
        `/runtime.v1.${method}`,
        (message: Record<string, unknown>) =>
          Buffer.from(requestType.encode(requestType.fromObject(message)).finish()),
        (bytes: Buffer) => responseType.toObject(responseType.decode(bytes), { defaults: true }),
        request,
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          signal?.removeEventListener('abort', onAbort);
          if (error !== null) reject(error);
          else resolve(response ?? {});
        },
      );
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  };

  return {
    pullImage: async (image, { credentials, ...options } = {}) => {
      const response = await call(
        'ImageService/PullImage',
        ['PullImageRequest', 'PullImageResponse'],
        { image: { image }, ...(credentials === undefined ? {} : { auth: credentials }) },
        options,
      );
      return String(response['imageRef']);
    },
    version: async () => {
      const response = await call(
        'RuntimeService/Version',
        ['VersionRequest', 'VersionResponse'],
        { version: 'v1' },
        { timeoutMs: 2_000 },
      );
      return String(response['runtimeVersion']);
    },
    [Symbol.dispose]: () => client.close(),
  };
}
