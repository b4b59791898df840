import { expect, test } from 'bun:test';
import { createPeerTraffic } from './peer-traffic.ts';

test('createPeerTraffic() adds up by address, and gives the sum of those of a peer', () => {
  const traffic = createPeerTraffic();
  traffic.add('10.0.0.1', { takenBytes: 5 });
  traffic.add('10.0.0.1', { givenBytes: 7 });
  traffic.add('fd00::1', { takenBytes: 100 });
  traffic.add('10.0.0.2', { takenBytes: 1000 });
  expect(traffic.of(['10.0.0.1', 'fd00::1'])).toEqual({ takenBytes: 105, givenBytes: 7 });
  expect(traffic.of(['10.0.0.3'])).toEqual({ takenBytes: 0, givenBytes: 0 });
});

test('createPeerTraffic() forgets the address that was not used for the longest time, of more than 2,000', () => {
  const traffic = createPeerTraffic();
  traffic.add('first', { takenBytes: 1 });
  traffic.add('second', { takenBytes: 1 });
  for (let n = 0; n < 1998; n++) traffic.add(`${n}`, { takenBytes: 1 });
  traffic.add('first', { takenBytes: 1 });
  traffic.add('last', { takenBytes: 1 });
  expect(traffic.of(['first'])).toEqual({ takenBytes: 2, givenBytes: 0 });
  expect(traffic.of(['second'])).toEqual({ takenBytes: 0, givenBytes: 0 });
});
