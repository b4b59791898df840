import { describe, expect, test } from 'bun:test';
import { appendFile } from 'node:fs/promises';
import { until } from '../../runtime/conditions.fixture.ts';
import type { MoveEnd } from '../transport.ts';
import { countOpenDescriptors } from '../testing/open-descriptors.ts';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { createScriptedGrowth } from '../testing/scripted-growth.ts';
import { MIB, PATIENT, type Rig } from './rig.ts';

const READERS = 100;
const STEP_BYTES = MIB / 4 - 777;

/** Many readers of a growing file, for a transport whose memory is enough for few of them. */
export function testGrowingCrowd({ serve, serveSources, raw, file, openAll, bodyOf, transport }: Rig): void {
  describe('move() of a file that grows, with little memory', () => {
    test('gives a hundred readers all bytes, and holds no memory while they wait', async () => {
      const bytes = pattern(MIB + 17);
      const path = await file(bytes.subarray(0, STEP_BYTES));
      const growth = createScriptedGrowth(STEP_BYTES);
      const ends: MoveEnd[] = [];
      const moved: number[] = Array.from({ length: READERS }, () => 0);
      const server = await serve(async (client, request) => {
        const reader = Number(new URL(request.url).searchParams.get('reader'));
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const source = await transport().openGrowingFile(path, { start: 0, end: bytes.length - 1 }, growth);
        const onProgress = (movedBytes: number) => void (moved[reader] = movedBytes);
        ends.push(await client.move(source, { ...PATIENT, stallTimeoutMs: 60_000, onProgress }));
      });
      /** A whole file needs memory, too: it comes at once if the readers hold none. */
      const readWholeFile = async () => {
        const whole = await serveSources(bytes.length, [() => openAll(bytes)]);
        const client = await raw(whole.server);
        client.send(getRequest());
        expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      };
      const clients = await Promise.all(moved.map(() => raw(server)));
      for (const [reader, client] of clients.entries()) client.send(getRequest(`/?reader=${reader}`));
      for (let at = STEP_BYTES; at < bytes.length; at += STEP_BYTES) {
        await until(() => moved.every((movedBytes) => movedBytes === at));
        await readWholeFile();
        const step = bytes.subarray(at, at + STEP_BYTES);
        await appendFile(path, step);
        growth.growTo(at + step.length);
      }
      for (const client of clients) {
        expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      }
      await until(() => ends.length === READERS);
      expect(ends).toEqual(moved.map(() => ({ how: 'complete', movedBytes: bytes.length })));
      await until(async () => (await countOpenDescriptors(path)) === 0);
      expect(growth.subscriptions).toEqual({ begun: READERS, ended: READERS });
      await readWholeFile();
    });
  });
}
