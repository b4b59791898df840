import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { BootstrapError } from './bootstrapper.ts';
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
  // That no name server told of a family is not the same as no address: members of that family stay.
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

  test.each<[ip: string, name: string, is: boolean]>([
    ['10.0.0.1', '10-0-0-1.boot.example', true],
    ['10.0.0.2', '10-0-0-2.boot.example', false],
    ['fd00:10::1', 'fd00-10--1.boot.example', true],
  ])('hasEndpointName() of %s asks for %s', async (ip, name, is) => {
    const { port, questions } = stack.use(
      await startDnsServer((question) =>
        question.name === name && is ? { addresses: ['10.0.0.9', ip, 'fd00::9'] } : { error: 'NXDOMAIN' },
      ),
    );
    const addresses = createDomainAddresses({
      domain: 'boot.example.',
      nameServers: [`127.0.0.1:${port}`],
    });
    expect(await addresses.hasEndpointName(ip, never)).toBe(is);
    expect(questions).toEqual([`${name} ${ip.includes(':') ? 'AAAA' : 'A'} udp`]);
  });

  test('hasEndpointName() is not true because of a name that leads elsewhere', async () => {
    const addresses = await serve(() => both);
    expect(await addresses.hasEndpointName('10.0.0.2', never)).toBe(false);
  });

  test('hasEndpointName() rejects when no name server answers', async () => {
    const addresses = await serve(() => ({ error: 'SERVFAIL' }));
    expect(addresses.hasEndpointName('10.0.0.1', never)).rejects.toThrow(BootstrapError);
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
