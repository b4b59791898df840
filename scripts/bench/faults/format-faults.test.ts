import { expect, test } from 'bun:test';
import { formatFaults } from './format-faults.ts';
import type { FaultRound } from './run-faults.ts';

const ROUND: FaultRound = {
  bareMs: 2500,
  bareFaulty: undefined,
  healthyMs: 1250,
  faulty: { ms: 1500, failures: [] },
  upstreamBytes: 0,
  wrongBlobs: 0,
  busyShare: 0.456,
};

const row = (rounds: readonly FaultRound[]) =>
  Object.fromEntries(
    formatFaults([{ name: 'kill', rounds }])
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/))
      .reduce((head, cells) => head.map((name, n) => `${name}|${cells[n] ?? ''}`))
      .map((cell) => cell.split('|')),
  ) as Record<string, string>;

test('formatFaults() says what the fault cost beside the healthy pull of the same round', () => {
  const slow = { ...ROUND, healthyMs: 2000, faulty: { ms: 2100, failures: [] } };
  expect(row([ROUND, ROUND, slow])).toEqual({
    FAULT: 'kill',
    'NO MIRROR s': '2.50 (2.50-2.50)',
    'NO MIRROR, FAULT s (TRIES)': '-',
    'HEALTHY s': '1.25 (1.25-2.00)',
    'FAULT s': '1.50 (1.50-2.10)',
    'COST s': '0.25 (0.10-0.25)',
    TRIES: '1',
    'UPSTREAM MB': '0.0 (0.0-0.0)',
    'WRONG BLOBS': '0',
    BUSY: '46 %',
  });
});

test('formatFaults() counts tries, with a mirror and without', () => {
  const failed = { ...ROUND, bareFaulty: { ms: 4000, failures: ['a'] }, wrongBlobs: 1 };
  const cells = row([failed, { ...failed, faulty: { ms: 3000, failures: ['a', 'b'] }, wrongBlobs: 2 }]);
  expect(cells['NO MIRROR, FAULT s (TRIES)']).toBe('4.00 (4.00-4.00) (2)');
  expect(cells['TRIES']).toBe('1-3');
  expect(cells['WRONG BLOBS']).toBe('1-2');
});
