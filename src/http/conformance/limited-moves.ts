import { describe, expect, test } from 'bun:test';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import type { ClientResponse } from '../transport.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { MIB, PATIENT, type Rig } from './rig.ts';

/** Bodies whose rate is limited. */
export function testLimitedMoves({ serve, raw, openAll, bodyOf }: Rig): void {
  describe('limitRate()', () => {
    /** Serves the bytes to a client and lets `limit` say how fast. */
    const serveLimited = async (bytes: Uint8Array, limit: (client: ClientResponse) => void) => {
      const server = await serve(async (client) => {
        limit(client);
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        await client.move(await openAll(bytes), PATIENT);
      });
      const client = await raw(server);
      client.send(getRequest());
      return client;
    };

    test('holds a body back', async () => {
      const bytes = pattern(4 * MIB);
      const startedMs = performance.now();
      const client = await serveLimited(bytes, (response) => response.limitRate(8 * MIB));
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      // A busy machine makes it longer, never shorter; what may come at once is some 100 KB.
      expect(performance.now() - startedMs).toBeGreaterThan(400);
    });

    test('lets a body run again', async () => {
      const bytes = pattern(32 * MIB);
      let response: ClientResponse | undefined;
      const client = await serveLimited(bytes, (served) => {
        response = served;
        served.limitRate(MIB / 4);
      });
      await until(() => client.received.length > MIB / 16);
      expect(client.received.length).toBeLessThan(bytes.length / 2);
      // At its rate it would take two minutes.
      response?.limitRate(undefined);
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      // Its connection may be gone by then.
      response?.limitRate(MIB);
    });
  });
}
