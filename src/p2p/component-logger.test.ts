import { describe, expect, test } from 'bun:test';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';

import { createLogger } from '../observe/log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createComponentLogger } from './component-logger.ts';
import { formatLogText } from './format-log-text.ts';
import { loadIdentity } from './identity.ts';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly component: string;
  readonly text: string;
  readonly dropped?: number;
}

function setUp(level: 'debug' | 'info' = 'debug') {
  const lines: Line[] = [];
  const clock = createVirtualClock();
  const logger = createLogger({ level, write: (line) => void lines.push(JSON.parse(line) as Line) });
  return { lines, clock, components: createComponentLogger({ logger, clock }) };
}

describe('createComponentLogger()', () => {
  test('writes everything at debug, with a constant message and the text in a field', () => {
    const { lines, components } = setUp();
    const log = components.forComponent('libp2p:dialer');
    log('dial %s', 'a');
    log.error('cannot dial %e', new Error('refused'));
    log.newScope('queue').trace('%d waiting', 3);
    // Else noise could be told to write its keys.
    expect(log.enabled).toBe(false);
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'DEBUG',
        msg: 'libp2p notes',
        component: 'libp2p:dialer',
        text: 'dial a',
      }),
      expect.objectContaining({
        level: 'DEBUG',
        msg: 'libp2p notes an error',
        text: 'cannot dial Error: refused',
      }),
      expect.objectContaining({
        level: 'DEBUG',
        msg: 'libp2p traces',
        component: 'libp2p:dialer:queue',
        text: '3 waiting',
      }),
    ]);
  });

  test('formats nothing when debug is not written', () => {
    const { lines, components } = setUp('info');
    const log = components.forComponent('libp2p');
    const value = {
      toString(): string {
        throw new Error('formatted');
      },
    };
    log('%p', value);
    log.error('%p', value);
    log.newScope('x').trace('%p', value);
    expect(lines).toEqual([]);
  });

  test('cuts a flood off, and says how many lines it did not write', async () => {
    const { lines, clock, components } = setUp();
    const log = components.forComponent('libp2p');
    for (let count = 0; count < 10_000; count++) log.trace('frame %d', count);
    expect(lines.length).toBe(200);
    // The flood of one kind does not take the room of the others.
    log.error('an error');
    expect(lines.at(-1)).toMatchObject({ msg: 'libp2p notes an error' });
    await clock.advance(1000);
    for (let count = 0; count < 10_000; count++) log.trace('frame %d', count);
    expect(lines.length).toBe(206);
    expect(lines[201]).toMatchObject({ msg: 'libp2p traces', dropped: 9800 });
  });
});

describe('formatLogText()', () => {
  const cases: [string, unknown, unknown[], string][] = [
    ['places', '%s and %d of %i%%', ['a', 1, 2n], 'a and 1 of 2n%'],
    ['a place without a value', 'dial %p', [], 'dial %p'],
    ['values without a place', 'dial', ['a', undefined], 'dial a undefined'],
    ['bytes', '%b %t', [Uint8Array.of(1, 2), new Uint8Array(1000)], `0102 ${'00'.repeat(64)}`],
    ['an address', 'to %a', [multiaddr('/ip4/10.0.0.1/tcp/5001')], 'to /ip4/10.0.0.1/tcp/5001'],
    ['several addresses', '%o', [['a', 'b']], 'a, b'],
    ['an error in place of the text', new TypeError('no'), [], 'TypeError: no'],
    [
      'what is behind an error',
      '%e',
      [new AggregateError([new Error('a'), 'b'], 'all failed', { cause: new Error('c') })],
      'AggregateError: all failed (a; b; c)',
    ],
    ['an object', '%o', [{ a: { b: 1 } }], '{ a: [Object] }'],
    [
      'what cannot be printed',
      '%s',
      [
        {
          toString() {
            throw new Error('no');
          },
        },
      ],
      '(unprintable)',
    ],
    ['too much', '%s', ['x'.repeat(5000)], 'x'.repeat(1000)],
  ];
  test.each(cases)('writes %s', (_name, format, values, expected) => {
    expect(formatLogText(format, values)).toBe(expected);
  });

  test('writes the ID of a peer', async () => {
    const peer = peerIdFromPrivateKey(await loadIdentity());
    expect(formatLogText('peer %p', [peer])).toBe(`peer ${peer.toString()}`);
  });
});
