import { afterEach, describe, expect, test } from 'bun:test';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { openLibc } from '../runtime/libc.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { testTransport } from './transport.conformance.ts';
import type { ClientResponse, MoveEnd } from './transport.ts';
import { createRig, MIB, NEVER, PATIENT } from './conformance/rig.ts';
import { createKernelTransport } from './kernel-transport.ts';
import { countDescriptors } from './testing/open-descriptors.ts';
import { pattern } from './testing/pattern.ts';
import { getRequest } from './testing/raw-client.ts';
import { okHead } from './testing/scripted-peer.ts';
import type { Transport } from './transport.ts';

const create = async (
  fileBufferBudgetBytes?: number,
  onError: (error: unknown) => void = (error) => {
    throw error;
  },
): Promise<Transport> => {
  // Whatever the tests move.
  const transport = createKernelTransport({
    fileBufferBudgetBytes,
    minBytes: 1,
    lendsFromBytes: 0,
    // Connections are counted, however busy the machine is.
    lateMs: 60_000,
    onError,
  });
  // Before that all goes through memory.
  await until(() => transport.kernelFigures().isOn);
  return transport;
};

testTransport('createKernelTransport()', (fileBufferBytes) => create(fileBufferBytes));

describe('createKernelTransport()', () => {
  const errors: unknown[] = [];
  const rig = createRig(async () => {
    // The threads of transports that were closed are over a moment later.
    await until(() => threadPollers().length === 0);
    return create(undefined, (error) => void errors.push(error));
  });
  const { serve, raw, peer, openAll, askBody, bodyOf, transport } = rig;
  afterEach(() => {
    errors.length = 0;
  });

  /** A client's response that has begun, and one more source for it. */
  const respond = async (bytes: Buffer) => {
    const response = Promise.withResolvers<ClientResponse>();
    const over = Promise.withResolvers<void>();
    const server = await serve(async (client) => {
      client.begin({ status: 200, headers: {}, contentLength: bytes.length });
      response.resolve(client);
      await over.promise;
    });
    const client = await raw(server);
    client.send(getRequest());
    return { client, response: await response.promise, end: () => over.resolve() };
  };
  /** A peer that sends the first half of the bytes, and the rest when it is told to. */
  const halfPeer = async (bytes: Buffer) => {
    const half = Math.floor(bytes.length / 2);
    const source = await peer((socket) => {
      socket.write(okHead(bytes.length));
      socket.write(bytes.subarray(0, half));
    });
    return {
      half,
      port: source.port,
      finish: () => source.connections[0]?.write(bytes.subarray(half)),
    };
  };

  test('moves files and bodies of peers in the kernel, all but what came with the head', async () => {
    const bytes = pattern(4 * MIB);
    const file = await respond(bytes);
    await file.response.move(await openAll(bytes), PATIENT);
    expect(transport().kernelFigures().movedBytes).toBe(bytes.length);
    file.end();
    const { port } = await peer((socket) => {
      socket.write(okHead(bytes.length));
      socket.write(bytes);
    });
    const body = await respond(bytes);
    await body.response.move(await askBody(port), PATIENT);
    // What the runtime has read when the connection is paused.
    expect(transport().kernelFigures().movedBytes).toBeGreaterThan(2 * bytes.length - MIB);
    body.end();
    expect((await bodyOf(body.client, bytes.length)).equals(bytes)).toBe(true);
  });

  test('ends moves that run when its thread fails, and goes on in memory', async () => {
    const bytes = pattern(2 * MIB);
    const before = await countDescriptors();
    const { half, port, finish } = await halfPeer(bytes);
    const [fromPeer, fromFile] = [await respond(bytes), await respond(bytes)];
    const ends: MoveEnd[] = [];
    const moved = fromPeer.response.move(await askBody(port), PATIENT).then((end) => ends.push(end));
    await until(() => fromPeer.response.movedBytes === half);
    const pollers = threadPollers();
    expect(pollers).toHaveLength(1);
    replaceByNothing(Number(pollers[0]));
    // Wakes the thread, which cannot wait any more.
    const fileMoved = fromFile.response.move(await openAll(bytes), PATIENT);
    await until(() => errors.length > 0);
    expect(String(errors[0])).toContain('epoll_wait() failed');
    await until(() => !transport().kernelFigures().isOn);
    finish();
    await moved;
    expect(ends).toEqual([{ how: 'complete', movedBytes: bytes.length }]);
    expect(await fileMoved).toEqual({ how: 'complete', movedBytes: bytes.length });
    for (const { client, end } of [fromPeer, fromFile]) {
      end();
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      client.socket.destroy();
    }
    const after = await respond(bytes);
    expect(await after.response.move(await openAll(bytes), PATIENT)).toMatchObject({ how: 'complete' });
    expect((await bodyOf(after.client, bytes.length)).equals(bytes)).toBe(true);
    after.end();
    after.client.socket.destroy();
    // Three listeners of clients and one of the peer, whose connection is kept, with both ends; less what the thread had.
    await until(async () => (await countDescriptors()) <= before + 6 - 2);
  });

  test.each([0, 1, 2, 3])('moves all in memory where only %d descriptors are free', async (free) => {
    const bytes = pattern(2 * MIB);
    const { half, port, finish } = await halfPeer(bytes);
    const { client, response, end } = await respond(bytes);
    const body = await askBody(port);
    const moved = await withFreeDescriptors(
      free,
      () => ({ end: response.move(body, PATIENT) }),
      () => response.movedBytes === half,
    );
    finish();
    expect(await moved.end).toEqual({ how: 'complete', movedBytes: bytes.length });
    expect(transport().kernelFigures().movedBytes).toBeLessThanOrEqual(bytes.length - half);
    end();
    expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
  });

  test('close() stops moves that run, and gives all back', async () => {
    const bytes = pattern(2 * MIB);
    const before = await countDescriptors();
    const other = await create();
    const { half, port, finish } = await halfPeer(bytes);
    const response = Promise.withResolvers<ClientResponse>();
    const ends: MoveEnd[] = [];
    const server = await other.serve({
      address: '127.0.0.1:0',
      handler: async (_request, client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        response.resolve(client);
        const { body } = await other.request(
          { method: 'GET', host: '127.0.0.1', port, path: '/', headers: {} },
          { connectTimeoutMs: 2000, headTimeoutMs: 2000, signal: NEVER },
        );
        if (body !== undefined) ends.push(await client.move(body, PATIENT));
        return new Response();
      },
      onError: (error) => errors.push(error),
    });
    const client = await raw(server);
    client.send(getRequest());
    const { movedBytes } = await response.promise;
    expect(movedBytes).toBe(0);
    await until(async () => (await response.promise).movedBytes === half);
    await other.close();
    await until(() => ends.length === 1);
    expect(ends).toEqual([{ how: 'client-gone', movedBytes: half }]);
    finish();
    await until(() => client.end === 'fin');
    client.socket.destroy();
    await server.close(0);
    // The peer's listener, and its connection, of which this side is closed.
    await until(async () => (await countDescriptors()) <= before + 2);
    expect(errors).toEqual([]);
  });
});

/** The number of the event that wakes the thread, as the kernel shows it: 2 * MAX_MOVES. */
const WAKE_DATA = /^tfd:.* data: +100 /m;

/** The descriptors with which threads of kernel transports wait. */
function threadPollers(): string[] {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      const isPoller = readlinkSync(`/proc/self/fd/${name}`) === 'anon_inode:[eventpoll]';
      return isPoller && WAKE_DATA.test(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'));
    } catch {
      return false;
    }
  });
}

/** Makes a descriptor lead to /dev/null. */
function replaceByNothing(descriptor: number): void {
  const nothing = openSync('/dev/null', 'r');
  openLibc({ dup2: { args: ['i32', 'i32'], returns: 'i32' } })?.dup2(nothing, descriptor);
  closeSync(nothing);
}

/** Acts and waits for the condition while no more than so many descriptors can be opened. */
async function withFreeDescriptors<T>(free: number, act: () => T, condition: () => boolean): Promise<T> {
  const libc = openLibc({
    getrlimit: { args: ['i32', 'ptr'], returns: 'i32' },
    setrlimit: { args: ['i32', 'ptr'], returns: 'i32' },
  });
  if (libc === undefined) throw new Error('There is no C library');
  const RLIMIT_NOFILE = 7;
  const limits = new BigUint64Array(2);
  libc.getrlimit(RLIMIT_NOFILE, limits);
  const used = readdirSync('/proc/self/fd').map(Number);
  libc.setrlimit(RLIMIT_NOFILE, new BigUint64Array([BigInt(Math.max(...used) + 2), limits[1] ?? 0n]));
  const fillers: number[] = [];
  try {
    for (;;) fillers.push(openSync('/dev/null', 'r'));
  } catch {
    // None is left.
  }
  for (const filler of fillers.splice(0, free)) closeSync(filler);
  try {
    const acted = act();
    await until(condition);
    return acted;
  } finally {
    libc.setrlimit(RLIMIT_NOFILE, limits);
    for (const filler of fillers) closeSync(filler);
  }
}
