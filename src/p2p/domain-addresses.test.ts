import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { createDomainAddresses, type NamedAddresses } from './domain-addresses.ts';
import { type DnsAnswer, type DnsQuestion, startDnsServer } from './testing/dns-server.ts';

const never = new AbortController().signal;
const both: DnsAnswer = { addresses: ['10.0.0.1', 'fd00::1'] };

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(async () => stack.disposeAsync());

async function serve(answer: (question: DnsQuestion) => DnsAnswer) {
  const { port } = stack.use(await startDnsServer(answer));
  return createDomainAddresses({
    domain: 'boot.example.',
    nameServers: [`127.0.0.1:${port}`],
    timeoutMs: 300,
  });
}

describe('createDomainAddresses()', () => {
  // What no name server told of is not the same as nobody: members of that family stay.
  test.each<[name: string, ofIp6: DnsAnswer, ip6: readonly string[] | undefined]>([
    ['are there', both, ['fd00::1']],
    ['are none', { addresses: [] }, []],
    ['have no such name', { error: 'NXDOMAIN' }, []],
    ['are not told of', { error: 'SERVFAIL' }, undefined],
    ['are refused', { error: 'REFUSED' }, undefined],
    ['get no answer', 'silence', undefined],
  ])('resolve() tells when those of IPv6 %s', async (_name, ofIp6, ip6) => {
    const addresses = await serve(({ type }) => (type === 'A' ? both : ofIp6));
    expect(await addresses.resolve(never)).toEqual({ ip4: ['10.0.0.1'], ip6 });
  });

  test('resolve() gives all of many addresses', async () => {
    const all = Array.from({ length: 1000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
    const addresses = await serve(() => ({ addresses: all, truncated: true }));
    expect((await addresses.resolve(never)).ip4?.toSorted()).toEqual(all.toSorted());
  });

  test('onAnswer() gets each answer, until it is ended', async () => {
    const addresses = await serve(() => both);
    const heard: NamedAddresses[] = [];
    const stop = addresses.onAnswer((answer) => heard.push(answer));
    const answer = await addresses.resolve(never);
    stop();
    await addresses.resolve(never);
    expect(heard).toEqual([answer]);
  });
});
