import { describe, expect, test } from 'bun:test';
import type { ClientResponse } from '../http/transport.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createScriptedClient } from '../transfer/testing/scripted-cluster.ts';
import { createUploads, type UploadLimits } from './uploads.ts';

const MB = 1_000_000;

/** Uploads of a node, and clients at addresses that tell what they are held to, in MB/s. */
function start(limits: Partial<UploadLimits>) {
  const clock = createVirtualClock();
  const uploads = createUploads(clock, { maxUploads: 0, bytesPerSecond: 0, ...limits });
  let addresses = 0;
  const clientOf = () => {
    const rates: (number | undefined)[] = [];
    let movedBytes = 0;
    const client: ClientResponse = {
      ...createScriptedClient().client,
      remoteAddress: `10.0.0.${++addresses}`,
      get movedBytes() {
        return movedBytes;
      },
      limitRate: (rate) => void rates.push(rate === undefined ? undefined : rate / MB),
    };
    return { client, rates, hasMoved: (bytes: number) => (movedBytes = bytes) };
  };
  /** What becomes of one more, once it has waited. */
  const begin = async (client = clientOf().client, favoured = true) => {
    const begun = uploads.begin(client, favoured);
    await clock.advance(1000);
    return begun;
  };
  return { clock, uploads, clientOf, begin };
}

describe('createUploads()', () => {
  test('holds nothing back without limits', async () => {
    const { uploads, clientOf, begin } = start({});
    const { client, rates } = clientOf();
    for (let i = 0; i < 100; i++) expect(await begin(client)).toBeDefined();
    expect([uploads.running, rates]).toEqual([100, []]);
  });

  test('refuses what is too much, after a wait that is shorter than that of a node for a head', async () => {
    const { clock, uploads, begin, clientOf } = start({ maxUploads: 2 });
    const first = await begin();
    await begin();
    let refusedMs: number | undefined;
    const startedMs = clock.nowMs();
    void uploads.begin(clientOf().client, true).then((share) => {
      if (share === undefined) refusedMs = clock.nowMs() - startedMs;
    });
    await clock.advance(1000);
    expect(refusedMs).toBe(250);
    first?.[Symbol.dispose]();
    expect(await begin()).toBeDefined();
    expect(uploads.running).toBe(2);
  });

  test('gives the place of an upload that ends to one that waits', async () => {
    const { clock, uploads, begin, clientOf } = start({ maxUploads: 1 });
    const first = await begin();
    const second = uploads.begin(clientOf().client, true);
    await clock.advance(100);
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    expect(await second).toBeDefined();
    expect(uploads.running).toBe(1);
  });

  test('keeps a fifth for other nodes', async () => {
    const { begin, clientOf } = start({ maxUploads: 5 });
    const begun = [];
    for (let i = 0; i < 5; i++) begun.push(await begin(clientOf().client, false));
    expect(begun.map((share) => share !== undefined)).toEqual([true, true, true, true, false]);
    expect(await begin()).toBeDefined();
  });

  test('divides a rate among the uploads that run', async () => {
    const { begin, clientOf } = start({ bytesPerSecond: 12 * MB });
    const [a, b, c] = [clientOf(), clientOf(), clientOf()];
    const first = await begin(a.client);
    await begin(b.client);
    await begin(c.client);
    first?.[Symbol.dispose]();
    await Promise.resolve();
    expect([a.rates, b.rates, c.rates]).toEqual([
      [12, 6, 4],
      [6, 4, 6],
      [4, 6],
    ]);
  });

  test('gives each upload enough: more are refused', async () => {
    const { begin } = start({ bytesPerSecond: 3.5 * MB });
    const begun = [];
    for (let i = 0; i < 4; i++) begun.push(await begin());
    expect(begun.map((share) => share !== undefined)).toEqual([true, true, true, false]);
  });

  test('lets one upload run however low the rate is', async () => {
    const { begin, clientOf } = start({ bytesPerSecond: 0.1 * MB });
    const { client, rates } = clientOf();
    expect(await begin(client)).toBeDefined();
    expect(rates).toEqual([0.1]);
    expect(await begin()).toBeUndefined();
  });

  test('counts a body until the kernel has sent it', async () => {
    const { clock, uploads, clientOf } = start({ bytesPerSecond: 2 * MB });
    const { client, hasMoved } = clientOf();
    const upload = await uploads.begin(client, true);
    hasMoved(4 * MB);
    upload?.[Symbol.dispose]();
    await clock.advance(1900);
    expect(uploads.running).toBe(1);
    await clock.advance(200);
    expect(uploads.running).toBe(0);
  });
});
