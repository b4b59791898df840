import { describe, expect, test } from 'bun:test';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { findContainerdProcess } from './containerd-process.ts';

const SOCKET = '/run/containerd/containerd.sock';
/** The start, 1,000 ticks of 10 ms after the boot, is the 22nd field; the name has what a name may have. */
const STAT = `77 (a) b) S 1 ${'0 '.repeat(17)}1000 0 0\n`;

interface Process {
  readonly argv?: readonly string[];
  readonly environ?: string;
  readonly comm?: string;
  readonly namespace?: string;
}

function procOf(processes: Readonly<Record<number, Process>>, files: Readonly<Record<string, string>> = {}) {
  const entries = Object.entries(processes).flatMap(([pid, { argv = [], environ = '', ...process }]) => [
    [`/proc/${pid}/comm`, `${process.comm ?? 'containerd'}\n`],
    [`/proc/${pid}/cmdline`, argv.map((arg) => `${arg}\0`).join('')],
    [`/proc/${pid}/environ`, environ],
    [`/proc/${pid}/stat`, STAT],
    [`/proc/${pid}/ns/pid`, `-> ${process.namespace ?? 'pid:[1]'}`],
  ]);
  return createHostFolder({
    '/proc/stat': 'cpu 1 2\nbtime 1000000\nprocesses 5\n',
    '/proc/1/ns/pid': '-> pid:[1]',
    ...Object.fromEntries(entries),
    ...files,
  });
}

describe('findContainerdProcess()', () => {
  test.each<[string, Process, string | undefined]>([
    ['without flags', { argv: ['/usr/bin/containerd'] }, '/etc/containerd/config.toml'],
    ['with a file', { argv: ['containerd', '-c', '/a.toml'] }, '/a.toml'],
    ['with the form of =', { argv: ['containerd', '--config=/a.toml'] }, '/a.toml'],
    [
      'with its socket',
      { argv: ['containerd', '--address', '/var/run/containerd/containerd.sock'] },
      '/etc/containerd/config.toml',
    ],
    ['with another socket', { argv: ['containerd', '-a', '/other.sock'] }, undefined],
    ['with another socket in its file', { argv: ['containerd', '-c', '/other.toml'] }, undefined],
    ['in a container', { argv: ['containerd'], namespace: 'pid:[2]' }, undefined],
    ['that is only a shim', { comm: 'containerd-shim' }, undefined],
  ])('tells the file of one %s', async (_what, process, configFile) => {
    await using folder = await procOf(
      { 77: process },
      { '/other.toml': '[grpc]\naddress = "/other.sock"\n', '/var/run': '-> /run' },
    );
    const found = await findContainerdProcess(folder.host, SOCKET);
    expect(found === 'forbidden' ? found : found?.configFile).toBe(configFile);
  });

  test('tells when it was started, and in which environment', async () => {
    await using folder = await procOf({ 77: { argv: ['containerd'], environ: 'A=1=2\0B=\0broken\0' } });
    expect(await findContainerdProcess(folder.host, SOCKET)).toEqual({
      pid: 77,
      configFile: '/etc/containerd/config.toml',
      startedAtSeconds: 1_000_010,
      environment: new Map([
        ['A', '1=2'],
        ['B', ''],
      ]),
    });
  });

  test('finds none where no processes are seen', async () => {
    await using folder = await createHostFolder({});
    expect(await findContainerdProcess(folder.host, SOCKET)).toBeUndefined();
  });
});
