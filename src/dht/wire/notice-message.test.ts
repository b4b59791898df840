import { describe, expect, test } from 'bun:test';

import { contentMultihash } from './content-key.ts';
import { MAX_SUSPECTS_PER_NOTICE, MAX_WITHDRAWN_PER_NOTICE } from '../limits.ts';
import { createMessageSplitter } from './message-splitter.ts';
import { encodeNotice, parseNotice } from './notice-message.ts';
import { bytesField, concat, numberField } from './protocol-buffers.ts';

const KEY = contentMultihash('x');
const NOTHING = {
  withdrawn: [],
  leaving: false,
  suspects: [],
  parting: false,
  zone: undefined,
  nodeName: undefined,
};

describe('parseNotice()', () => {
  test.each([
    ['nothing', NOTHING],
    ['withdrawn content', { ...NOTHING, withdrawn: [KEY, contentMultihash('y')] }],
    ['a goodbye', { ...NOTHING, leaving: true }],
    ['that others need the room', { ...NOTHING, parting: true }],
    ['a zone', { ...NOTHING, zone: 'eu-central-1a' }],
    ['a name', { ...NOTHING, nodeName: `node-7.${'a'.repeat(246)}` }],
    [
      'all of it',
      {
        withdrawn: [KEY],
        leaving: true,
        suspects: [Uint8Array.of(1), Uint8Array.of(2)],
        parting: true,
        zone: 'b',
        nodeName: 'node-7',
      },
    ],
  ])('reads what encodeNotice() wrote: %s', (_name, notice) => {
    const [message = new Uint8Array(1)] = createMessageSplitter(1000).push(encodeNotice(notice));
    expect(parseNotice(message)).toEqual(notice);
  });

  test('skips what it does not know', () => {
    expect(parseNotice(concat([numberField(9, 1), bytesField(8, KEY), numberField(2, 0)]))).toEqual(NOTHING);
  });

  test.each([
    ['a field that is cut off', bytesField(1, KEY).subarray(0, 10)],
    ['an endless number', new Uint8Array(20).fill(0xff)],
    [
      'more suspects than its bound',
      concat(Array.from({ length: MAX_SUSPECTS_PER_NOTICE + 1 }, () => bytesField(3, KEY))),
    ],
    ['a zone without a name', bytesField(5, new Uint8Array(0))],
    ['a zone of other characters', bytesField(5, Buffer.from('a\n'))],
    ['a zone of letters with accents', bytesField(5, Buffer.from('é'))],
    ['a zone that is too long', bytesField(5, Buffer.from('a'.repeat(64)))],
    ['a name of other characters', bytesField(6, Buffer.from('<b>'))],
    ['a name that is too long', bytesField(6, Buffer.from('a'.repeat(254)))],
    [
      'more than its bound',
      concat(Array.from({ length: MAX_WITHDRAWN_PER_NOTICE + 1 }, () => bytesField(1, KEY))),
    ],
  ])('throws MessageError for %s', (_name, bytes) => {
    expect(() => parseNotice(bytes)).toThrow(expect.objectContaining({ name: 'MessageError' }));
  });
});
