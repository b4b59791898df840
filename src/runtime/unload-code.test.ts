import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';

import { codeRanges, unloadCode } from './unload-code.ts';

/** A mapping as /proc/[pid]/smaps has it, shortened. */
function mapping(header: string, { anonymous = 0, swap = 0 } = {}): string {
  return [
    header,
    'Size:               1234 kB',
    'Rss:                 321 kB',
    `Anonymous:      ${String(anonymous).padStart(8)} kB`,
    `Swap:           ${String(swap).padStart(8)} kB`,
    'VmFlags: rd ex mr mw me ',
    '',
  ].join('\n');
}

const CODE = '01a40000-0684a000 r-xp 01838000 fe:00 10805793                           /usr/bin/spegel';

describe('codeRanges()', () => {
  test('has the code of the program', () => {
    const smaps = [
      mapping('00200000-01a39000 r--p 00000000 fe:00 10805793                           /usr/bin/spegel'),
      mapping(CODE),
      mapping('0684a000-0685f000 rw-p 06641000 fe:00 10805793                           /usr/bin/spegel'),
      mapping('40000000-80000000 rwxp 00000000 00:00 0 '),
      mapping('80000000-80001000 r-xp 00000000 00:00 0 '),
      mapping('7f0000000000-7f0000001000 r-xp 00026000 fe:00 77   /usr/lib/libc.so.6'),
      mapping('7fff00000000-7fff00002000 r-xp 00000000 00:00 0                          [vdso]'),
    ].join('');
    expect(codeRanges(smaps, '/usr/bin/spegel')).toEqual([{ start: 0x1a40000n, bytes: 0x4e0a000n }]);
    expect(codeRanges(smaps, '/usr/bin/spegel (deleted)')).toEqual([]);
  });

  test('knows a program that was replaced while it runs', () => {
    const smaps = mapping('01a40000-0684a000 r-xp 01838000 fe:00 7           /opt/a folder/spegel (deleted)');
    expect(codeRanges(smaps, '/opt/a folder/spegel (deleted)')).toHaveLength(1);
  });

  test.each([{ anonymous: 4 }, { swap: 4 }])('leaves code alone that is not as in its file: %p', (held) => {
    expect(codeRanges(mapping(CODE, held), '/usr/bin/spegel')).toEqual([]);
  });

  test('finds none in what it does not understand', () => {
    for (const smaps of ['', '\n', `${CODE}\n`, 'r-xp /\nAnonymous: 0 kB\nSwap: 0 kB\n']) {
      expect(codeRanges(smaps, '/usr/bin/spegel')).toEqual([]);
    }
  });
});

describe('unloadCode()', () => {
  test('leaves a process with less memory, that goes on', () => {
    const fileBytes = () =>
      // A program in a tmpfs counts as shared memory.
      [...readFileSync('/proc/self/status', 'utf8').matchAll(/^Rss(?:File|Shmem):\s+(\d+) kB$/gm)]
        .map(([, kib]) => Number(kib) * 1024)
        .reduce((sum, bytes) => sum + bytes, 0);
    const before = fileBytes();
    unloadCode();
    expect(fileBytes()).toBeLessThan(before - 4 * 1024 * 1024);
    expect(new Bun.CryptoHasher('sha256').update('abc').digest('hex')).toStartWith('ba7816bf');
  });
});
