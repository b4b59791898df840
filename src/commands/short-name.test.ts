import { expect, test } from 'bun:test';
import { nodeNameCell, peerIdCell, shortName } from './short-name.ts';

const DIGEST = `sha256:0123456789ab${'c'.repeat(52)}`;

test.each([
  [DIGEST, 'sha256:0123456789ab…'],
  [`registry.lab:5000/app@${DIGEST}`, 'registry.lab:5000/app@sha256:0123456789ab…'],
  [`registry.lab:5000/app:v1@${DIGEST}`, 'registry.lab:5000/app:v1@sha256:0123456789ab…'],
  ['registry.lab:5000/app:v1', 'registry.lab:5000/app:v1'],
  ['-', '-'],
])('shortName() of %s is %s', (name, expected) => {
  expect(shortName(name)).toBe(expected);
});

test.each([
  ['ip-10-0-17-203.eu-central-1.compute.internal', 'ip-10-0-17-203…'],
  ['node-2', 'node-2'],
])('nodeNameCell() of %s has in short %s', (name, short) => {
  expect(nodeNameCell(name)).toEqual({ text: name, short });
});

test('peerIdCell() keeps what tells peers apart', () => {
  const id = '12D3KooWGyhYLqXvFfJ8sH1zqV9wAmPbTQn2RkDcEu4oMi7tB3xZ';
  expect(peerIdCell(id)).toEqual({ text: id, short: '12D3KooW…i7tB3xZ' });
  expect(peerIdCell('12D3KooWSelf').short).toBe('12D3KooWSelf');
});
