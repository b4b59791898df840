import { afterEach, beforeEach, expect } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientRequest, HttpServer, HttpServerOptions, RequestHandler } from '../http-server.ts';
import type { BodySource, ClientResponse, MoveEnd, MoveOptions, Transport } from '../transport.ts';
import { connectRaw, type RawClient } from '../testing/raw-client.ts';
import { type ScriptedPeer, startScriptedPeer } from '../testing/scripted-peer.ts';
import { until } from '../../runtime/conditions.fixture.ts';

export const MIB = 1024 * 1024;
/** More than all buffers on the way to a client that does not read. */
export const TOO_MUCH = 48 * MIB;
export const NEVER = new AbortController().signal;
export const PATIENT: MoveOptions = { stallTimeoutMs: 5000, signal: NEVER };
export const ASK = { connectTimeoutMs: 2000, headTimeoutMs: 2000, signal: NEVER };

/** What the tests of one transport work with. All that it starts ends with the test. */
export type Rig = ReturnType<typeof createRig>;

/** Sets up a rig around every test of the surrounding describe(). */
export function createRig(create: () => Transport | Promise<Transport>) {
  const releases: (() => unknown)[] = [];
  let dir = '';
  let under: Transport;
  const errors: unknown[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'transport-'));
    under = await create();
    errors.length = 0;
  });
  afterEach(async () => {
    for (const release of releases.splice(0).toReversed()) await release();
    await under.close();
    await rm(dir, { recursive: true, force: true });
    expect(errors).toEqual([]);
  });

  const serveAnswers = async (
    handler: RequestHandler,
    limits: Pick<HttpServerOptions, 'clientStallTimeoutMs'> = {},
  ): Promise<HttpServer> => {
    const onError = (error: unknown) => errors.push(error);
    const server = await under.serve({ address: '127.0.0.1:0', handler, onError, ...limits });
    releases.push(() => server.close(0));
    return server;
  };
  const serve = async (
    handler: (client: ClientResponse, request: ClientRequest) => Promise<unknown>,
  ): Promise<HttpServer> =>
    serveAnswers(async (request, client) => {
      await handler(client, request);
      return new Response('not begun');
    });
  const raw = async (server: HttpServer): Promise<RawClient> => {
    const client = await connectRaw(server.port);
    releases.push(() => client[Symbol.dispose]());
    return client;
  };
  const peer = async (script: Parameters<typeof startScriptedPeer>[0]): Promise<ScriptedPeer> => {
    const started = await startScriptedPeer(script);
    releases.push(() => started[Symbol.asyncDispose]());
    return started;
  };
  const file = async (bytes: Uint8Array): Promise<string> => {
    const path = join(dir, `blob-${Math.random().toString(36).slice(2)}`);
    await writeFile(path, bytes);
    return path;
  };
  const openAll = async (bytes: Uint8Array, start = 0): Promise<BodySource> =>
    under.openFile(await file(bytes), { start, end: bytes.length - 1 });
  const ask = (port: number, path = '/') =>
    under.request({ method: 'GET', host: '127.0.0.1', port, path, headers: {} }, ASK);
  const askBody = async (port: number): Promise<BodySource> => {
    const { body } = await ask(port);
    if (body === undefined) throw new Error('The peer has no body');
    return body;
  };
  /** Serves one response by moving the sources in turn; gives how each move ended. */
  const serveSources = async (
    contentLength: number,
    sources: readonly (() => Promise<BodySource>)[],
    options: MoveOptions = PATIENT,
  ) => {
    const ends: MoveEnd[] = [];
    const server = await serve(async (client) => {
      client.begin({ status: 200, headers: {}, contentLength });
      for (const source of sources) ends.push(await client.move(await source(), options));
      if (client.movedBytes < contentLength) client.breakOff();
    });
    return { server, ends };
  };
  const bodyOf = async (client: RawClient, sizeBytes: number): Promise<Buffer> => {
    const { bodyStart } = await client.head();
    await until(() => client.received.length >= bodyStart + sizeBytes || client.end !== 'open');
    return client.received.subarray(bodyStart);
  };

  const transport = () => under;
  return { transport, serve, serveAnswers, raw, peer, file, openAll, ask, askBody, serveSources, bodyOf };
}
