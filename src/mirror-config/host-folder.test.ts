import { describe, expect, test } from 'bun:test';
import { foldersOf, impliedServerOf, registryOfFolder, serverOf } from './host-folder.ts';
import { parseRegistryUrl } from './registry-url.ts';

describe('foldersOf()', () => {
  test.each([
    ['docker.io', ['docker.io']],
    ['registry.lab:5000', ['registry.lab_5000_', 'registry.lab:5000']],
    ['my_registry.lab', ['my_registry.lab']],
    ['my_registry:5000', ['my_registry_5000_', 'my_registry:5000']],
    ['registry.lab.', ['registry.lab.']],
    ['[fd00::1]', ['[fd00::1]']],
    ['[fd00::1]:5000', ['[fd00::1]_5000_', '[fd00::1]:5000']],
  ])('foldersOf() gives the folders of %p in the order of containerd', (host, folders) => {
    expect(foldersOf(host)).toEqual(folders);
    for (const folder of folders) expect(registryOfFolder(folder)).toBe(host);
  });
});

describe('registryOfFolder()', () => {
  test.each([
    '_default',
    '_backup',
    '..data',
    '.git',
    'a b',
    'lost+found',
    '_5000_',
    'a..b',
    'a:port',
    '[x]',
  ])('registryOfFolder() is undefined for %p', (folder) => {
    expect(registryOfFolder(folder)).toBeUndefined();
  });
});

describe('serverOf()', () => {
  test.each([
    ['https://docker.io', 'https://registry-1.docker.io'],
    ['https://ghcr.io', 'https://ghcr.io'],
    ['http://registry.lab:5000', 'http://registry.lab:5000'],
  ])('serverOf() of %p is %p', (url, server) => {
    expect(serverOf(parseRegistryUrl(url))).toBe(server);
  });
});

describe('impliedServerOf()', () => {
  test.each([
    ['docker.io', 'https://registry-1.docker.io'],
    ['registry.lab:5000', 'https://registry.lab:5000'],
    ['127.example', 'https://127.example'],
    ['localhost', undefined],
    ['localhost:5000', undefined],
    ['127.0.0.1:5000', undefined],
    ['[::1]:5000', undefined],
  ])('impliedServerOf() of %p is %p', (host, server) => {
    expect(impliedServerOf(host)).toBe(server as string);
  });
});
