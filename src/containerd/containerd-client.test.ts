import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, status, type ServiceDefinition } from '@grpc/grpc-js';
import { parseDigest } from '../oci/digest.ts';
import { rejection } from '../store/content-store.conformance.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import { API } from './containerd-api.ts';
import { type ContainerdClient, type ContainerdEvent, createContainerdClient } from './containerd-client.ts';

const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);

/** One field of a protobuf message: length-delimited, numbers below 16. */
function field(number: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

interface Call {
  readonly metadata: { get(key: string): unknown[] };
  readonly request: Buffer;
  write(bytes: Buffer): void;
  end(): void;
  emit(event: 'error', error: { code: number; details: string }): void;
}
type Callback = (error: { code: number; details: string } | null, response?: Buffer) => void;

/** A server that speaks bytes, so that it can say what no containerd would. */
describe('createContainerdClient()', () => {
  let folder: string;
  let server: Server;
  let client: ContainerdClient;
  let namespaces: unknown[] = [];
  let unary: (call: Call, callback: Callback) => void;
  let streaming: (call: Call) => void;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spegel-grpc-'));
    server = new Server({ 'grpc.max_send_message_length': -1 });
    const streamed: ReadonlySet<string> = new Set([API.listContent.path, API.subscribe.path]);
    for (const { path } of Object.values(API)) {
      const raw = (bytes: Buffer) => bytes;
      const definition: ServiceDefinition = {
        method: {
          path,
          requestStream: false,
          responseStream: streamed.has(path),
          requestSerialize: raw,
          requestDeserialize: raw,
          responseSerialize: raw,
          responseDeserialize: raw,
        },
      };
      const handler = streamed.has(path)
        ? (call: Call) => streaming(call)
        : (call: Call, callback: Callback) => {
            namespaces = call.metadata.get('containerd-namespace');
            unary(call, callback);
          };
      server.addService(definition, { method: handler as never });
    }
    const socketPath = join(folder, 's');
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    client = createContainerdClient({ socketPath, namespace: 'k8s.io' });
  });
  afterAll(async () => {
    client.close();
    server.forceShutdown();
    await rm(folder, { recursive: true });
  });

  test('getImage() sends the namespace and reads the record', async () => {
    const descriptor = Buffer.concat([field(1, 'application/x'), field(2, DIGEST)]);
    const image = Buffer.concat([field(1, 'r.test/app:v1'), field(3, descriptor)]);
    unary = (_call, callback) => callback(null, field(1, image));
    expect(await client.getImage('r.test/app:v1')).toEqual({ name: 'r.test/app:v1', target: DIGEST });
    expect(namespaces).toEqual(['k8s.io']);
  });

  test('calls tell apart what is not found and who does not answer', async () => {
    const cases = [
      [status.UNAVAILABLE, false],
      [status.INTERNAL, false],
      [status.PERMISSION_DENIED, false],
      [status.NOT_FOUND, true],
    ] as const;
    for (const [code, isAbsent] of cases) {
      unary = (_call, callback) => callback({ code, details: 'said so' });
      const error = await rejection(client.contentSize(DIGEST));
      if (isAbsent) expect(error).toBeUndefined();
      else expect(error).toBeInstanceOf(StoreUnavailableError);
    }
  });

  test('listImages() takes more than 4 MiB and leaves out records without a usable digest', async () => {
    const record = (name: string, digest: string) =>
      field(1, Buffer.concat([field(1, name), field(2, 'x'.repeat(1000)), field(3, field(2, digest))]));
    const records = Array.from({ length: 8000 }, (_, i) => record(`r.test/app:${i}`, DIGEST));
    unary = (_call, callback) =>
      callback(
        null,
        Buffer.concat([...records, record('r.test/bad:v1', '../../x'), field(1, field(1, 'bare'))]),
      );
    expect(await client.listImages()).toHaveLength(8000);
  });

  test('calls reject bytes that are no message', async () => {
    unary = (_call, callback) => callback(null, Buffer.from([0xff, 0xff, 0xff]));
    expect(await rejection(client.listImages())).toBeInstanceOf(StoreUnavailableError);
    streaming = (call) => {
      call.write(Buffer.from([0xff, 0xff, 0xff]));
      call.end();
    };
    expect(await rejection(client.listContent())).toBeInstanceOf(StoreUnavailableError);
  });

  test('listContent() does not take a list that broke off for the whole', async () => {
    const info = field(1, Buffer.concat([field(1, DIGEST), Buffer.from([0x10, 7])]));
    streaming = (call) => {
      call.write(info);
      call.end();
    };
    expect([...(await client.listContent())]).toEqual([[DIGEST, 7]]);
    streaming = (call) => {
      call.write(info);
      call.emit('error', { code: status.UNKNOWN, details: 'broken' });
    };
    expect(await rejection(client.listContent())).toBeInstanceOf(StoreUnavailableError);
  });

  test('subscribe() reads the size of a blob that was committed, and of nothing else', async () => {
    const envelope = (topic: string, payload: Uint8Array) =>
      Buffer.concat([field(2, 'k8s.io'), field(3, topic), field(4, field(2, payload))]);
    const abort = new AbortController();
    const events: ContainerdEvent[] = [];
    streaming = (call) => {
      call.write(
        envelope('/content/create', Buffer.concat([field(1, DIGEST), Buffer.from([0x10, 0x96, 0x01])])),
      );
      call.write(envelope('/content/create', field(1, DIGEST)));
      // Labels have the number that the size has there.
      call.write(
        envelope('/images/create', Buffer.concat([field(1, 'r.test/app:v1'), field(2, field(1, 'a'))])),
      );
      call.write(envelope('/content/delete', field(1, DIGEST)));
    };
    await client.subscribe((event) => {
      events.push(event);
      if (events.length === 4) abort.abort();
    }, abort.signal);
    expect(events).toEqual([
      { topic: '/content/create', subject: DIGEST, sizeBytes: 150 },
      { topic: '/content/create', subject: DIGEST, sizeBytes: undefined },
      { topic: '/images/create', subject: 'r.test/app:v1' },
      { topic: '/content/delete', subject: DIGEST },
    ]);
  });

  test('subscribe() reads events, and ends well only with its signal', async () => {
    const envelope = (payload: Buffer) =>
      Buffer.concat([field(2, 'k8s.io'), field(3, '/images/create'), field(4, field(2, payload))]);
    const abort = new AbortController();
    const subjects: string[] = [];
    streaming = (call) => call.write(envelope(field(1, 'r.test/app:v1')));
    await client.subscribe(({ subject }) => {
      subjects.push(subject);
      abort.abort();
    }, abort.signal);
    expect(subjects).toEqual(['r.test/app:v1']);
    const never = new AbortController().signal;
    streaming = (call) => call.end();
    expect(await rejection(client.subscribe(() => {}, never))).toBeInstanceOf(StoreUnavailableError);
    streaming = (call) => call.write(envelope(Buffer.from([0xff])));
    expect(await rejection(client.subscribe(() => {}, never))).toBeInstanceOf(Error);
  });

  test('calls end with their signal', async () => {
    const abort = new AbortController();
    unary = () => abort.abort(new Error('enough'));
    expect(await rejection(client.version({ signal: abort.signal }))).toBe(abort.signal.reason);
    expect(await rejection(client.version({ signal: abort.signal }))).toBe(abort.signal.reason);
  });

  test('calls end at their deadline', async () => {
    unary = () => {};
    const startMs = performance.now();
    expect(await rejection(client.version())).toBeInstanceOf(StoreUnavailableError);
    expect(performance.now() - startMs).toBeLessThan(3000);
  });

  test('calls reject at once where no socket is', async () => {
    const nobody = createContainerdClient({ socketPath: join(folder, 'none'), namespace: 'k8s.io' });
    const startMs = performance.now();
    expect(await rejection(nobody.version())).toBeInstanceOf(StoreUnavailableError);
    expect(performance.now() - startMs).toBeLessThan(1000);
    nobody.close();
  });
});
