import { describe, expect, test } from 'bun:test';
import { createTransferLog, type EndedTransfer } from './transfer-log.ts';

const TRANSFER: EndedTransfer = {
  kind: 'blob',
  registry: 'registry.lab',
  repository: 'a',
  tag: undefined,
  digest: 'sha256:0',
  forwarded: false,
  sources: [{ origin: '10.0.0.2', movedBytes: 10, ended: 'complete' }],
  flight: undefined,
  movedBytes: 10,
  durationMs: 250,
  outcome: 'served',
};

describe('createTransferLog()', () => {
  test('has nothing at first, then the newest first, with the time of their start', () => {
    const log = createTransferLog(() => 1_000_250);
    expect(log.last()).toEqual([]);
    log.ended(TRANSFER);
    log.ended({ ...TRANSFER, repository: 'b' });
    expect(log.last()).toEqual([
      { ...TRANSFER, repository: 'b', startedAtMs: 1_000_000 },
      { ...TRANSFER, startedAtMs: 1_000_000 },
    ]);
  });

  test('forgets all but the last 50', () => {
    const log = createTransferLog();
    for (let n = 0; n < 1000; n++) log.ended({ ...TRANSFER, repository: String(n) });
    expect(log.last().map(({ repository }) => Number(repository))).toEqual(
      Array.from({ length: 50 }, (_, n) => 999 - n),
    );
  });
});
