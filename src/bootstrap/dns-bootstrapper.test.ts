import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BootstrapError, type BootstrapPeer, NoNodeNamedError } from './bootstrapper.ts';
import { failureOf } from '../runtime/conditions.fixture.ts';
import { createDnsBootstrapper } from './dns-bootstrapper.ts';
import { createDomainAddresses } from './domain-addresses.ts';
import { type DnsAnswer, type DnsQuestion, startDnsServer } from './testing/dns-server.ts';

const DOMAIN = 'boot.spegel.svc.cluster.local.';
const never = new AbortController().signal;

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.disposeAsync();
});

async function serve(answer: (question: DnsQuestion) => DnsAnswer) {
  return stack.use(await startDnsServer(answer));
}

async function resolve(
  answer: (question: DnsQuestion) => DnsAnswer,
  options: { domain?: string; timeoutMs?: number; resolvConfPath?: string } = {},
): Promise<{ readonly peers: readonly BootstrapPeer[]; readonly questions: readonly string[] }> {
  const { port, questions } = await serve(answer);
  const domainAddresses = createDomainAddresses({
    domain: DOMAIN,
    nameServers: [`127.0.0.1:${port}`],
    resolvConfPath: '/does/not/exist',
    ...options,
  });
  const bootstrapper = createDnsBootstrapper(domainAddresses, 5001);
  return { peers: await bootstrapper.peers(never), questions };
}

function addresses(peers: readonly BootstrapPeer[], rank = 0): string[] {
  return peers.filter((peer) => peer.rank === rank).flatMap(({ multiaddrs }) => multiaddrs);
}

const LOWEST = [
  '/ip4/10.0.0.2/tcp/5001',
  '/ip4/10.0.0.9/tcp/5001',
  '/ip4/10.0.0.10/tcp/5001',
  '/ip6/fd00::1/tcp/5001',
  '/ip6/fd00::2/tcp/5001',
  '/ip6/fd00::10/tcp/5001',
];

describe('createDnsBootstrapper()', () => {
  test.each([{ truncated: false }, { truncated: true }])(
    'names the 3 lowest of each family first, and the next addresses after them ($truncated)',
    async ({ truncated }) => {
      const all = [
        '10.0.0.10',
        '10.0.1.1',
        '10.0.0.9',
        '10.0.0.2',
        'fd00::10',
        'fd00::2',
        'fd00::1',
        '10.0.0.2',
      ];
      const { peers, questions } = await resolve(() => ({ addresses: all, truncated }));
      expect(addresses(peers)).toEqual(LOWEST);
      expect(addresses(peers, 1)).toEqual(['/ip4/10.0.1.1/tcp/5001']);
      expect(peers.every(({ id }) => id === undefined)).toBe(true);
      expect(questions.some((question) => question.endsWith('tcp'))).toBe(truncated);
      // The dot at its end is not a part of the name that is asked for.
      expect(questions).toContain('boot.spegel.svc.cluster.local A udp');
    },
  );

  const one: [name: string, answer: (question: DnsQuestion) => DnsAnswer][] = [
    ['only IPv4', () => ({ addresses: ['10.0.0.1'] })],
    ['no AAAA', ({ type }) => (type === 'A' ? { addresses: ['10.0.0.1'] } : { error: 'NXDOMAIN' })],
    [
      'a server that fails for AAAA',
      ({ type }) => (type === 'A' ? { addresses: ['10.0.0.1'] } : { error: 'SERVFAIL' }),
    ],
    [
      'a server that is silent for AAAA',
      ({ type }) => (type === 'A' ? { addresses: ['10.0.0.1'] } : 'silence'),
    ],
  ];
  test.each(one)('takes what there is: %s', async (_name, answer) => {
    const { peers } = await resolve(answer, { timeoutMs: 200 });
    expect(peers).toEqual([{ multiaddrs: ['/ip4/10.0.0.1/tcp/5001'], rank: 0 }]);
  });

  test.each<[name: string, answer: DnsAnswer]>([
    ['no such name', { error: 'NXDOMAIN' }],
    ['no address', { addresses: [] }],
  ])('says that the domain names no node for %s', async (_name, answer) => {
    const error = await failureOf(resolve(() => answer));
    expect(error).toBeInstanceOf(NoNodeNamedError);
    expect(error).toMatchObject({ domain: DOMAIN, message: expect.stringContaining(DOMAIN) });
  });

  test.each<[name: string, answer: (question: DnsQuestion) => DnsAnswer]>([
    ['an error', () => ({ error: 'SERVFAIL' })],
    ['a refusal', () => ({ error: 'REFUSED' })],
    ['silence', () => 'silence'],
    [
      'no address of one family and an error for the other',
      ({ type }) => ({ error: type === 'A' ? 'NXDOMAIN' : 'SERVFAIL' }),
    ],
    ['bytes that are no message', () => ({ raw: new Uint8Array(500).fill(0xff) })],
    ['a message that is cut short', () => ({ raw: Buffer.from('81800001000a00000000', 'hex') })],
    // A name that points at itself.
    ['a loop', () => ({ raw: Buffer.from('81800001000100000000c00cc00c00010001', 'hex') })],
  ])('rejects, so that it is tried again, for %s', async (_name, answer) => {
    const error = await failureOf(resolve(answer, { timeoutMs: 200 }));
    expect(error).toBeInstanceOf(BootstrapError);
    expect(error.message).toContain(`Cannot resolve ${DOMAIN}`);
  });

  test('keeps no more than 30 addresses of each family', async () => {
    const many = Array.from({ length: 200 }, (_, index) => `10.0.0.${index}`);
    const { peers } = await resolve(() => ({ addresses: many, truncated: true }));
    expect(peers).toHaveLength(30);
    expect(addresses(peers, 9)).toEqual([
      '/ip4/10.0.0.27/tcp/5001',
      '/ip4/10.0.0.28/tcp/5001',
      '/ip4/10.0.0.29/tcp/5001',
    ]);
  });

  test('tries the search domains for a name without a dot at its end', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spegel-dns-'));
    stack.defer(async () => rm(folder, { recursive: true, force: true }));
    const resolvConfPath = join(folder, 'resolv.conf');
    await writeFile(resolvConfPath, 'search broken.lab spegel.lab\noptions ndots:5\n');
    const { peers, questions } = await resolve(
      ({ name }) => {
        if (name === 'boot.broken.lab') return { error: 'SERVFAIL' };
        return name === 'boot.spegel.lab' ? { addresses: ['10.0.0.1'] } : { error: 'NXDOMAIN' };
      },
      { domain: 'boot', resolvConfPath },
    );
    expect(addresses(peers)).toEqual(['/ip4/10.0.0.1/tcp/5001']);
    expect(questions).not.toContain('boot A udp');
  });

  test('stops when the signal aborts', async () => {
    const { port } = await serve(() => 'silence');
    const domainAddresses = createDomainAddresses({ domain: DOMAIN, nameServers: [`127.0.0.1:${port}`] });
    const bootstrapper = createDnsBootstrapper(domainAddresses, 1);
    const stop = new AbortController();
    const failure = failureOf(bootstrapper.peers(stop.signal));
    stop.abort(new Error('The router has stopped'));
    expect((await failure).message).toBe('The router has stopped');
  });

  test.each(['', '.', 'a..b', 'a b', 'http://a', 'a'.repeat(300)])('refuses the domain %j', (domain) => {
    expect(() => createDomainAddresses({ domain })).toThrow('Cannot resolve');
  });

  test('refuses port 0', () => {
    expect(() => createDnsBootstrapper(createDomainAddresses({ domain: DOMAIN }), 0)).toThrow('fixed port');
  });
});
