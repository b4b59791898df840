import { expect, test } from 'bun:test';
import { PEER_NAME_HOSTS } from './budgets.ts';
import { createPeerNames } from './peer-names.ts';

test('createPeerNames() knows the latest name that an address has said, of the last addresses', () => {
  const names = createPeerNames();
  names.learn('10.0.0.1', 'before');
  names.learn('10.0.0.1', 'node-1');
  expect(names.nameOf({ addresses: ['10.0.0.9', '10.0.0.1'] })).toBe('node-1');
  for (let n = 0; n < PEER_NAME_HOSTS; n++) names.learn(`10.1.${n >> 8}.${n & 255}`, `other-${n}`);
  expect(names.nameOf({ addresses: ['10.0.0.1'] })).toBeUndefined();
  expect(names.nameOf({ addresses: ['10.1.0.0'] })).toBe('other-0');
});
