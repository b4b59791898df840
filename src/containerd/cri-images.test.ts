import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, status, type ServiceDefinition } from '@grpc/grpc-js';
import { rejection } from '../store/content-store.conformance.ts';
import { CRI } from './containerd-api.ts';
import { createCriImages, type CriImages } from './cri-images.ts';

interface Call {
  readonly request: Buffer;
}
type Callback = (error: { code: number; details: string } | null, response?: Buffer) => void;

const NAME = 'registry.lab/app:v1';
/** ImageSpec.image is field 1 of what is field 1 of the request, in both methods. */
const REQUEST = Buffer.from([0x0a, NAME.length + 2, 0x0a, NAME.length, ...Buffer.from(NAME)]);

describe('createCriImages()', () => {
  let folder: string;
  let server: Server;
  let images: CriImages;
  let answer: (path: string, call: Call, callback: Callback) => void;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spegel-cri-'));
    server = new Server();
    for (const { path } of Object.values(CRI)) {
      const raw = (bytes: Buffer) => bytes;
      const definition: ServiceDefinition = {
        method: {
          path,
          requestStream: false,
          responseStream: false,
          requestSerialize: raw,
          requestDeserialize: raw,
          responseSerialize: raw,
          responseDeserialize: raw,
        },
      };
      const handler = (call: Call, callback: Callback) => answer(path, call, callback);
      server.addService(definition, { method: handler as never });
    }
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${join(folder, 's')}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    images = createCriImages(join(folder, 's'));
  });
  afterAll(async () => {
    images.close();
    server.forceShutdown();
    await rm(folder, { recursive: true });
  });

  test('pull() and remove() name the image in field 1 of the field 1', async () => {
    const asked: [string, Buffer][] = [];
    answer = (path, { request }, callback) => {
      asked.push([path, request]);
      callback(null, Buffer.alloc(0));
    };
    await images.pull(NAME);
    await images.remove(NAME);
    expect(asked).toEqual([
      ['/runtime.v1.ImageService/PullImage', REQUEST],
      ['/runtime.v1.ImageService/RemoveImage', REQUEST],
    ]);
  });

  test.each([
    [status.UNIMPLEMENTED, 'unknown service', 'StoreUnavailableError', 'has no CRI v1'],
    [status.UNKNOWN, 'server is not initialized yet', 'StoreUnavailableError', 'is still starting'],
    [status.NOT_FOUND, 'registry.lab/app:v1: not found', 'CriError', 'registry.lab/app:v1: not found'],
    [status.UNAVAILABLE, 'registry is overloaded', 'CriError', 'registry is overloaded'],
  ])('pull() tells what went wrong: status %i, %s', async (code, details, name, message) => {
    answer = (_path, _call, callback) => callback({ code, details });
    const error = (await rejection(images.pull(NAME))) as Error;
    expect([error.name, error.message]).toEqual([name, expect.stringContaining(message)]);
  });

  test("pull() rejects with its signal's reason", async () => {
    const stop = new AbortController();
    answer = () => stop.abort(new Error('enough'));
    const error = (await rejection(images.pull(NAME, { signal: stop.signal }))) as Error;
    expect(error.message).toBe('enough');
  });
});
