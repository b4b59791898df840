import type { Random } from '../sim/random.ts';

/** Texts that parsers have read differently from each other. */
const PIECES = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\r\n ',
  '\r\n\t',
  '\0',
  ' ',
  '\t',
  '  ',
  ':',
  ' :',
  ': ',
  ',',
  ';',
  '"',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  '+',
  '-',
  '0',
  '1',
  '99999999999999999999',
  '0x10',
  'chunked',
  'close',
  'keep-alive',
  'HTTP/1.0',
  'HTTP/1.1',
  'HTTP/2.0',
  '\r\nContent-Length: 5',
  '\r\nContent-Length: 6',
  '\r\nContent-Length : 6',
  '\r\n Content-Length: 6',
  '\r\nContent-Length: 5, 5',
  '\r\nTransfer-Encoding: chunked',
  '\r\nTransfer-Encoding:\tchunked',
  '\r\nTransfer-Encoding: gzip, chunked',
  '\r\nTransfer-Encoding : chunked',
  '\r\nHost: other',
  '\r\nConnection: close',
  ' '.repeat(3000),
  'a'.repeat(20_000),
  '\r\nX: y'.repeat(70),
];

/** Changes a text in up to four places: cuts, repeats, inserts, swaps, changes bytes. */
export function mutateHead(random: Random, text: string): string {
  let changed = text;
  const times = random.below(5);
  for (let i = 0; i < times; i++) {
    const at = random.below(changed.length + 1);
    const to = Math.min(changed.length, at + random.below(12));
    const [front, part, back] = [changed.slice(0, at), changed.slice(at, to), changed.slice(to)];
    switch (random.below(6)) {
      case 0:
        changed = front + back;
        break;
      case 1:
        changed = front + part + part + back;
        break;
      case 2:
        changed = front + String.fromCharCode(random.below(256)) + part + back;
        break;
      case 3:
        changed = front + String.fromCharCode(random.below(256)) + part.slice(1) + back;
        break;
      case 4:
        changed = front + random.pick([part.toUpperCase(), part.toLowerCase()]) + back;
        break;
      default:
        changed = front + random.pick(PIECES) + part + back;
    }
  }
  return changed;
}

/** Cuts a text into up to eight parts, at any byte. */
export function splitText(random: Random, text: string): string[] {
  const cuts = Array.from({ length: random.below(8) }, () => random.below(text.length + 1));
  const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
  return at.slice(1).map((to, i) => text.slice(at[i], to));
}

/** What RFC 9112 calls ambiguous in the text of a head that was accepted; undefined if there is nothing. Reads it in its own way. */
export function findAmbiguity(head: string): string | undefined {
  if (/[\0\r\n]/.test(head.replaceAll('\r\n', ''))) return 'a bare CR or LF, or NUL';
  const [, ...lines] = head.split('\r\n');
  const names: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) return 'a line without a name';
    const name = line.slice(0, colon);
    // Also a folded line.
    if (name !== name.trim() || /[\s\0-\x20\x7f-\xff]/.test(name)) return 'a space in or around a name';
    names.push(name.toLowerCase());
    const isNumber = /^[ \t]*\d+[ \t]*$/.test(line.slice(colon + 1));
    if (names.at(-1) === 'content-length' && !isNumber) return 'a length that is not a number';
  }
  const count = (name: string) => names.filter((each) => each === name).length;
  if (count('content-length') > 1) return 'two lengths';
  const hasBoth = count('content-length') > 0 && count('transfer-encoding') > 0;
  return hasBoth ? 'a length beside a transfer coding' : undefined;
}
