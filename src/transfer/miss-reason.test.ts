import { expect, test } from 'bun:test';
import type { MissReason } from '../observe/transfer-log.ts';
import { missReason } from './miss-reason.ts';
import type { Refusal } from './peer-requests.ts';

test.each<[number, number, Refusal[], boolean, MissReason]>([
  [0, 0, [], false, 'no-record'],
  [0, 2, [], false, 'peers-skipped'],
  [2, 1, [], false, 'peers-failed'],
  [2, 0, ['absent'], false, 'peers-refused'],
  [3, 0, ['absent', 'busy'], false, 'peers-busy'],
  [1, 0, ['wrong'], true, 'peers-slow'],
])(
  'missReason() after %d attempts, %d skipped peers and refusals %j: %p',
  (attempts, skipped, said, isSlow, reason) => {
    expect(missReason({ attempts, skipped, refusals: new Set(said) }, { isSlow })).toBe(reason);
  },
);

test('missReason() without a session is no record', () => expect(missReason(undefined)).toBe('no-record'));
