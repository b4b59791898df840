import { expect, test } from 'bun:test';
import { PEER_ZONE_HOSTS } from './budgets.ts';
import { createPeerZones } from './peer-zones.ts';

const AT = (host: string, zone?: string) => ({ id: host, addresses: [host], zone });

test('createPeerZones() tells peers of the own zone from others, and from those that do not say where they are', () => {
  const zones = createPeerZones('a');
  const peers = [AT('10.0.0.1', 'a'), AT('10.0.0.2', 'b'), AT('10.0.0.3')];
  expect(peers.map((peer) => zones.standing(peer))).toEqual(['own', 'other', 'unknown']);
  expect(peers.map((peer) => zones.isFar(peer))).toEqual([false, true, true]);
});

test('createPeerZones() calls no peer far when the own zone is not known', () => {
  const zones = createPeerZones(undefined);
  const peers = [AT('10.0.0.1', 'a'), AT('10.0.0.2')];
  expect(peers.map((peer) => zones.standing(peer))).toEqual(['unknown', 'unknown']);
  expect(peers.map((peer) => zones.isFar(peer))).toEqual([false, false]);
});

test('createPeerZones() learns where an address is, and believes what the peer told the router before that', () => {
  const zones = createPeerZones('a');
  zones.learn('10.0.0.1', 'a');
  expect(zones.standing({ id: 'x', addresses: ['10.0.0.9', '10.0.0.1'] })).toBe('own');
  expect(zones.standing(AT('10.0.0.1', 'b'))).toBe('other');
  for (let i = 0; i < PEER_ZONE_HOSTS; i++) zones.learn(`10.1.${i >> 8}.${i & 255}`, 'a');
  expect(zones.standing(AT('10.0.0.1'))).toBe('unknown');
});
