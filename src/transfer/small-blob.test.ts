import { expect, test } from 'bun:test';
import { PeerRequestError } from '../http/transport.ts';
import { digestOf } from '../oci/digest.ts';
import { createByteBudget } from '../runtime/memory/byte-budget.ts';
import { aborted } from '../runtime/abortable.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { SMALL_ANSWER_TIMEOUT_MS, SMALL_BLOB_WAIT_MS } from './budgets.ts';
import { readVerified } from './small-blob.ts';

const BYTES = new TextEncoder().encode('a config');
const HOST = '10.0.0.1';
const NEVER = new AbortController().signal;

/** Reads bodies of 8 bytes, one of which fits into the memory at a time. */
function setUp(given: Uint8Array | 'drips') {
  const clock = createVirtualClock();
  const slow: string[] = [];
  const deps = {
    transport: {
      async readBody(_body: unknown, { signal }: { readonly signal: AbortSignal }) {
        if (given !== 'drips') return given;
        await aborted(signal);
        throw new PeerRequestError('CANCELLED', 'the time is over');
      },
    },
    health: { wasSlow: (host: string) => void slow.push(host) },
    clock,
    smallBlobs: createByteBudget(clock, BYTES.length),
  };
  let closed = 0;
  const body = { sizeBytes: BYTES.length, close: () => void closed++ };
  const read = () => readVerified(deps, { body, digest: digestOf(BYTES), host: HOST }, NEVER);
  return { clock, slow, read, closed: () => closed };
}

test('readVerified() says busy when no memory comes free in time, and goes on when some does', async () => {
  const { clock, read, closed } = setUp(BYTES);
  const first = await read();
  if (typeof first === 'string') throw new Error(`it is ${first}`);
  expect(first.bytes).toEqual(BYTES);
  const second = read();
  await clock.advance(SMALL_BLOB_WAIT_MS);
  expect(await second).toBe('busy');
  expect(closed()).toBe(1);
  const third = read();
  await clock.advance(SMALL_BLOB_WAIT_MS - 1);
  first.release();
  expect(await third).toMatchObject({ bytes: BYTES });
});

test('readVerified() holds nothing of what does not have its digest', async () => {
  const { read } = setUp(BYTES.toReversed());
  expect(await read()).toBe('wrong');
  expect(await read()).toBe('wrong');
});

test('readVerified() gives up on a host that drips, which counts as slow, and holds nothing of it', async () => {
  const { clock, read, slow } = setUp('drips');
  for (let times = 1; times <= 2; times++) {
    const failure = read().catch((error: unknown) => error);
    await clock.advance(SMALL_ANSWER_TIMEOUT_MS + 1);
    expect(await failure).toMatchObject({ code: 'CANCELLED' });
    expect(slow).toHaveLength(times);
  }
});
