import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createBootstrapper } from './create-bootstrapper.ts';
import { bootstrapDomain } from './create-membership.ts';

const ENTRY = {
  ID: '12D3KooWDPgHJaDd8bfqssKonURarTz9V4XGkehuc6o91EXbPe7Y',
  Addrs: ['/ip4/10.0.0.1/tcp/5001'],
};
const PEER = { id: ENTRY.ID, multiaddrs: ENTRY.Addrs };
const never = new AbortController().signal;
const none = {
  bootstrapKind: 'http',
  httpBootstrapCertDir: undefined,
  httpBootstrapPeer: undefined,
  httpBootstrapUrl: undefined,
  routerAddr: ':5001',
  staticBootstrapPeers: [],
} as const;

let server: ReturnType<typeof Bun.serve>;
let asked: string[];
beforeEach(() => {
  asked = [];
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      return Response.json(pathname.endsWith('s') ? [ENTRY] : ENTRY);
    },
  });
});
afterEach(async () => server.stop(true));

describe('createBootstrapper()', () => {
  test.each<[flag: 'httpBootstrapPeer' | 'httpBootstrapUrl', suffix: string, path: string]>([
    ['httpBootstrapPeer', '', '/id'],
    ['httpBootstrapPeer', '/of/spegel', '/of/spegel/id'],
    ['httpBootstrapUrl', '/ids', '/ids'],
    ['httpBootstrapUrl', '/of/spegel', '/of/spegel'],
    ['httpBootstrapUrl', '', '/id'],
  ])('asks for what %s with %j means, and takes either form', async (flag, suffix, path) => {
    const url = `http://127.0.0.1:${server.port}${suffix}`;
    expect(await createBootstrapper({ ...none, [flag]: url }).peers(never)).toEqual([PEER]);
    expect(asked).toEqual([path]);
  });

  test('takes the full URL when both are given', async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const both = { ...none, httpBootstrapPeer: `${url}/a`, httpBootstrapUrl: `${url}/b` };
    await createBootstrapper(both).peers(never);
    expect(asked).toEqual(['/b']);
  });

  test('names nobody when it only serves others', async () => {
    expect(await createBootstrapper(none).peers(never)).toEqual([]);
  });

  test('names the static peers for the kind static only', async () => {
    const staticBootstrapPeers = [`${ENTRY.Addrs[0]}/p2p/${ENTRY.ID}`];
    const given = { ...none, staticBootstrapPeers };
    expect(await createBootstrapper({ ...given, bootstrapKind: 'static' }).peers(never)).toEqual([PEER]);
    expect(await createBootstrapper(given).peers(never)).toEqual([]);
  });

  test('resolves the domain for the kind dns', () => {
    const given = { ...none, bootstrapKind: 'dns' } as const;
    const domain = bootstrapDomain({ bootstrapKind: 'dns', dnsBootstrapDomain: 'spegel.example.' });
    expect(createBootstrapper(given, domain).kind).toBe('dns');
  });
});
