import { Metadata, status } from '@grpc/grpc-js';
import { type Digest, isDigest } from '../oci/digest.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import {
  API,
  type ApiMethod,
  decodeContentCreate,
  decodeSubject,
  type ImageMessage,
} from './containerd-api.ts';
import { callUnary, connectTo, isServiceError } from './unary-call.ts';

const SECOND_MS = 1000;
/** A call for one image or blob: containerd answers these within a few ms, and a request for a manifest has 3 s in all. */
const CALL_DEADLINE_MS = 2 * SECOND_MS;
/** A call that lists everything: containerd walks its whole database, on a disk that is busy with pulls. */
const LIST_DEADLINE_MS = 20 * SECOND_MS;

/** The topic of the event of a blob's commit, which containerd has from 2.1 on. */
export const CONTENT_CREATED = '/content/create';

/** An image of the namespace: its name as containerd holds it, and the digest it names. */
export interface ImageRecord {
  readonly name: string;
  readonly target: Digest;
}

/** Something happened to an image (`/images/create|update|delete`) or to content (`/content/create|delete`). */
export interface ContainerdEvent {
  readonly topic: string;
  /** The image's name, or the content's digest. Unchecked. */
  readonly subject: string;
  /** Of `/content/create` the blob's size in bytes, if the event says it. */
  readonly sizeBytes?: number | undefined;
}

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** containerd as one namespace sees it. Calls reject with StoreUnavailableError, or with the signal's reason. */
export interface ContainerdClient {
  version(options?: CallOptions): Promise<string>;
  /** Where containerd says that its content is, as seen from its own mount namespace; undefined if it does not say. */
  contentRoot(options?: CallOptions): Promise<string | undefined>;
  getImage(name: string, options?: CallOptions): Promise<ImageRecord | undefined>;
  listImages(options?: CallOptions): Promise<readonly ImageRecord[]>;
  /** The blob's size in bytes if the namespace knows it. */
  contentSize(digest: Digest, options?: CallOptions): Promise<number | undefined>;
  /** Every blob that the namespace knows, with its size in bytes. */
  listContent(options?: CallOptions): Promise<ReadonlyMap<Digest, number>>;
  /** Throws away what was downloaded under the name in the namespace; false if there is nothing. */
  abortIngest(ref: string, options?: CallOptions): Promise<boolean>;
  /** Calls onEvent until the signal aborts (then it resolves) or the stream ends (then it rejects). */
  subscribe(onEvent: (event: ContainerdEvent) => void, signal: AbortSignal): Promise<void>;
  /** Closes the connection; calls in flight reject. */
  close(): void;
}

/** What is asked only when somebody looks at a node. */
export interface ContentInspector {
  /**
   * When a registry's blob came to this node, in seconds since the epoch; undefined for one that the namespace does not
   * know, or that was imported: containerd labels with its registry what it pulls.
   */
  pulledAtSeconds(digest: Digest, options?: CallOptions): Promise<number | undefined>;
}

/** Options of createContainerdClient. */
export interface ContainerdClientOptions {
  /** Path of containerd's socket. */
  readonly socketPath: string;
  /** Namespace whose images and content are seen. */
  readonly namespace: string;
}

/** containerd sets it, with the registry's name after it, on what it pulls. */
const SOURCE_LABEL = 'containerd.io/distribution.source.';

/** A client over containerd's unix socket. Connects at the first call; never asks a DNS server or an HTTP proxy. */
export function createContainerdClient({
  socketPath,
  namespace,
}: ContainerdClientOptions): ContainerdClient & ContentInspector {
  const client = connectTo(socketPath);
  const metadata = new Metadata();
  metadata.set('containerd-namespace', namespace);
  const unavailable = (path: string, cause: unknown) =>
    new StoreUnavailableError(
      `containerd at ${socketPath} does not answer ${path.slice(path.lastIndexOf('/') + 1)}: is it running, and is this its socket?`,
      { cause },
    );

  async function unary<Request, Response>(
    method: ApiMethod<Request, Response>,
    request: Request,
    deadlineMs: number,
    { signal }: CallOptions = {},
  ): Promise<Response | undefined> {
    try {
      return await callUnary(client, method, request, { metadata, deadlineMs, signal });
    } catch (error) {
      if (!isServiceError(error)) throw error;
      if (error.code === status.NOT_FOUND) return undefined;
      throw unavailable(method.path, error);
    }
  }

  /** Resolves when the server ends the stream well, or the signal aborts. */
  function stream<Request, Response>(
    method: ApiMethod<Request, Response>,
    request: Request,
    onMessage: (message: Response) => void,
    { signal, deadlineMs }: CallOptions & { deadlineMs?: number },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const { path, encode, decode } = method;
      const call = client.makeServerStreamRequest(
        path,
        encode,
        decode,
        request,
        metadata,
        deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
      );
      const onAbort = () => call.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
      call.on('data', (message: Response) => {
        try {
          onMessage(message);
        } catch (error) {
          reject(error);
          call.cancel();
        }
      });
      call.on('error', (error: Error) => {
        signal?.removeEventListener('abort', onAbort);
        reject(signal?.aborted === true ? (signal.reason as Error) : unavailable(path, error));
      });
      call.on('end', () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  return {
    async version(options) {
      const answer = await unary(API.version, {}, CALL_DEADLINE_MS, options);
      return answer?.version ?? 'unknown';
    },
    async contentRoot(options) {
      const filters = ['type==io.containerd.content.v1,id==content'];
      const answer = await unary(API.plugins, { filters }, CALL_DEADLINE_MS, options);
      return answer?.plugins[0]?.exports['root'];
    },
    async getImage(name, options) {
      const answer = await unary(API.getImage, { name }, CALL_DEADLINE_MS, options);
      return answer?.image ? toImageRecord(answer.image) : undefined;
    },
    async listImages(options) {
      const answer = await unary(API.listImages, { filters: [] }, LIST_DEADLINE_MS, options);
      return (answer?.images ?? []).flatMap((image) => toImageRecord(image) ?? []);
    },
    async contentSize(digest, options) {
      const answer = await unary(API.contentInfo, { digest }, CALL_DEADLINE_MS, options);
      return answer?.info?.size;
    },
    async pulledAtSeconds(digest, options) {
      const answer = await unary(API.contentInfo, { digest }, CALL_DEADLINE_MS, options);
      const labels = Object.keys(answer?.info?.labels ?? {});
      const isPulled = labels.some((label) => label.startsWith(SOURCE_LABEL));
      return isPulled ? answer?.info?.createdAt?.seconds : undefined;
    },
    async listContent({ signal } = {}) {
      const known = new Map<Digest, number>();
      await stream(
        API.listContent,
        { filters: [] },
        ({ info }) => {
          for (const { digest, size } of info) if (isDigest(digest)) known.set(digest, size);
        },
        { signal, deadlineMs: LIST_DEADLINE_MS },
      );
      return known;
    },
    async abortIngest(ref, options) {
      return (await unary(API.abortIngest, { ref }, CALL_DEADLINE_MS, options)) !== undefined;
    },
    async subscribe(onEvent, signal) {
      const filters = ['images', 'content'].map(
        (kind) => `namespace==${JSON.stringify(namespace)},topic~="^/${kind}/"`,
      );
      const { path } = API.subscribe;
      try {
        await stream(
          API.subscribe,
          { filters },
          ({ topic, event }) => {
            if (event === null) return;
            if (topic !== CONTENT_CREATED) {
              onEvent({ topic, subject: decodeSubject(event.value) });
              return;
            }
            const { digest, size } = decodeContentCreate(event.value);
            onEvent({ topic, subject: digest, sizeBytes: size === 0 ? undefined : size });
          },
          { signal },
        );
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      if (!signal.aborted) throw unavailable(path, new Error('the event stream has ended'));
    },
    close: () => client.close(),
  };
}

function toImageRecord({ name, target }: ImageMessage): ImageRecord | undefined {
  return target !== null && isDigest(target.digest) ? { name, target: target.digest } : undefined;
}
