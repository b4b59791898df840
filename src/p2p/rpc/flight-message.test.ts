import { describe, expect, test } from 'bun:test';

import { createMessageSplitter } from '../../dht/wire/message-splitter.ts';
import { MessageError } from '../../dht/wire/protocol-buffers.ts';
import type { FlightAnswer } from '../../flights/flight-messages.ts';
import { digestOf } from '../../oci/digest.ts';
import {
  encodeFlightAnswer,
  encodeFlightQuestion,
  encodeFlightReport,
  type FlightMessage,
  parseFlightAnswer,
  parseFlightMessage,
} from './flight-message.ts';

const digest = digestOf(Buffer.from('layer'));
const name = (number: number) =>
  Uint8Array.from([0, 36, 8, 1, 18, 32, ...Array.from({ length: 32 }, () => number)]).toHex();

/** The message without its length. */
function bare(framed: Uint8Array): Uint8Array {
  const [message, ...more] = createMessageSplitter(10_000).push(framed);
  if (message === undefined || more.length > 0) throw new Error('Not one message');
  return message;
}

describe('flight messages', () => {
  test.each<readonly [string, FlightMessage]>([
    ['a question', { digest, leader: undefined, bad: [], full: [] }],
    ['a question with all', { digest, leader: name(1), bad: [name(2), name(3)], full: [name(4)] }],
    ['a question about a lag', { digest, leader: undefined, bad: [name(2)], full: [], lagsAtByte: 50e9 }],
    [
      'a question about the leader',
      { digest, leader: undefined, bad: [name(2)], full: [], isAboutLeader: true },
    ],
    [
      'a question past the own zone',
      { digest, leader: undefined, bad: [name(2)], full: [], avoidsOwnZone: true },
    ],
    ['a report', { digest, state: 'running', isRoot: true, hasBegun: false, writtenBytes: 0 }],
    ['the report of a child', { digest, state: 'done', isRoot: false, hasBegun: true, writtenBytes: 50e9 }],
    ['an end', { digest, state: 'aborted', isRoot: true, hasBegun: true, writtenBytes: 1 }],
    [
      'a digest of sha512',
      { digest: digestOf(Buffer.from('x'), 'sha512'), leader: undefined, bad: [], full: [] },
    ],
  ])('%s arrives as it was sent', (_, message) => {
    const framed = 'state' in message ? encodeFlightReport(message) : encodeFlightQuestion(message);
    expect(parseFlightMessage(bare(framed))).toEqual(message);
  });

  test.each<readonly [FlightAnswer]>([
    [{ verdict: 'upstream' }],
    [{ verdict: 'take', from: name(1), leader: undefined }],
    [{ verdict: 'take', from: name(1), leader: name(2) }],
    [{ verdict: 'led', leader: name(2) }],
  ])('the answer %j arrives as it was sent', (answer) => {
    expect(parseFlightAnswer(bare(encodeFlightAnswer(answer)))).toEqual(answer);
  });

  test('a report is answered with nothing', () => {
    expect(encodeFlightAnswer(undefined)).toEqual(Uint8Array.of(0));
  });

  const field = (number: number, bytes: Uint8Array) => [(number << 3) | 2, bytes.length, ...bytes];
  const digestField = field(1, Buffer.from(digest));
  test.each<readonly [string, readonly number[]]>([
    ['nothing', []],
    ['no digest', field(2, Uint8Array.of(1))],
    ['what is not a digest', field(1, Buffer.from('sha256:xyz'))],
    ['a digest with an end of another kind', field(1, Buffer.from(`${digest}\0`))],
    ['an empty ID', [...digestField, ...field(2, new Uint8Array(0))]],
    ['an ID that is too long', [...digestField, ...field(3, new Uint8Array(65))]],
    [
      'too many nodes',
      [...digestField, ...Array.from({ length: 17 }, () => field(3, Uint8Array.of(1))).flat()],
    ],
    ['a state that is not known', [...digestField, 5 << 3, 9]],
    ['half a field', [...digestField, (3 << 3) | 2, 5, 1]],
  ])('%s is refused', (_, bytes) => {
    expect(() => parseFlightMessage(Uint8Array.from(bytes))).toThrow(MessageError);
  });
});
