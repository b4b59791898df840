import { describe, expect, test } from 'bun:test';

import { lifeIn, type PeerEvent, type PeerState, transition } from './peer-states.ts';

const STATES: readonly PeerState[] = ['unknown', 'alive', 'silent', 'suspect', 'parted', 'dead'];

/** Event -> what it makes of a peer in each of STATES: the state after it, with the effects behind it; `-`: nothing. */
const EXPECTED: Readonly<Record<PeerEvent, readonly string[]>> = {
  connected: ['alive', '-', 'alive', 'alive', 'alive', 'alive'],
  disconnected: ['-', 'suspect: lost searched', 'dead: searched', '-', '-', '-'],
  parted: ['-', 'parted', 'parted', '-', '-', '-'],
  silenced: ['-', 'silent: lost', '-', '-', '-', '-'],
  answered: ['-', '-', 'alive: returned', '-', '-', '-'],
  abandoned: STATES.map(() => 'dead: unlisted dropped searched'),
  undeliverable: STATES.map(() => 'dead: distrusted unlisted dropped searched'),
  unreachable: STATES.map(() => 'dead: unlisted'),
  left: STATES.map(() => 'dead: erased unlisted dropped searched'),
  dismissed: STATES.map((state) => `${state}: erased unlisted`),
};

describe('transition()', () => {
  test.each(Object.entries(EXPECTED))('of a peer that is %s', (event, expected) => {
    const seen = STATES.map((state) => {
      const { to, effects } = transition(state, event as PeerEvent);
      if (to === state && effects.length === 0) return '-';
      return effects.length === 0 ? to : `${to}: ${effects.join(' ')}`;
    });
    expect(seen).toEqual([...expected]);
  });
});

test('lifeIn() tells whether content may be had from a peer', () => {
  expect(STATES.map(lifeIn)).toEqual(['unknown', 'alive', 'dead', 'suspect', 'unknown', 'dead']);
});
