import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { failureOf } from '../../runtime/conditions.fixture.ts';
import { parseSwarmKey, readSwarmKey } from './swarm-key.ts';

const HEX = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
const TEXT = `/key/swarm/psk/1.0.0/\n/base16/\n${HEX}`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-swarm-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

describe('parseSwarmKey()', () => {
  test.each([
    ['as it is', TEXT],
    ['with a line end', `${TEXT}\n`],
    ['with line ends of DOS', TEXT.replaceAll('\n', '\r\n')],
    ['in capitals', TEXT.replace(HEX, HEX.toUpperCase())],
    ['in base64', `/key/swarm/psk/1.0.0/\n/base64/\n${Buffer.from(HEX, 'hex').toString('base64')}`],
  ])('reads a key %s', (_name, text) => {
    expect(parseSwarmKey(text)?.toHex()).toBe(HEX);
  });

  test.each([
    '',
    HEX,
    TEXT.slice(0, -1),
    `${TEXT}00`,
    `${TEXT}\n${HEX}`,
    TEXT.replace('1.0.0', '2.0.0'),
    TEXT.replace('base16', 'base32'),
    TEXT.replace('/base16/', 'toString'),
    TEXT.replace(HEX, 'g'.repeat(64)),
  ])('gives undefined for %j', (text) => {
    expect(parseSwarmKey(text)).toBeUndefined();
  });
});

describe('readSwarmKey()', () => {
  test('reads the file, and needs none when none is named', async () => {
    const path = join(folder, 'swarm.key');
    await writeFile(path, TEXT);
    expect((await readSwarmKey(path))?.toHex()).toBe(HEX);
    expect(await readSwarmKey(undefined)).toBeUndefined();
  });

  test('says what is wrong, without a word of what is in the file', async () => {
    const path = join(folder, 'swarm.key');
    await writeFile(path, 'a secret');
    const { message } = await failureOf(readSwarmKey(path));
    expect(message).toContain(path);
    expect(message).toContain('/base16/');
    expect(message).not.toContain('secret');
    expect((await failureOf(readSwarmKey(join(folder, 'none')))).message).toContain('--swarm-key-file');
  });
});
