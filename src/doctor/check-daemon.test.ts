import { describe, expect, test } from 'bun:test';
import { checkDaemon, type DaemonFacts } from './check-daemon.ts';
import type { HttpAsk } from './http-ask.ts';

const EXPECTED = { metricsAddr: '127.0.0.1:9090', registryPort: 5000, isKubernetes: true };
const HEALTHY = {
  ready: true,
  peerAddresses: ['10.0.0.2'],
  bootstrap: undefined,
  metrics: 'spegel_containerd_connected 1\n',
};
const ok: HttpAsk = async () => ({ status: 200, text: '' });
const nobody: HttpAsk = async (endpoint) => Promise.reject(new Error(`no route to ${endpoint}`));

describe('checkDaemon()', () => {
  const CASES: ReadonlyArray<readonly [string, DaemonFacts, HttpAsk, readonly string[]]> = [
    ['a healthy one', HEALTHY, ok, []],
    ['one that does not answer', { error: new Error('refused') }, ok, ['daemon-unreachable']],
    ['one that is not ready', { ...HEALTHY, ready: false }, ok, ['daemon-not-ready']],
    ['a single node', { ...HEALTHY, peerAddresses: [] }, ok, ['no-peers']],
    [
      'one without containerd',
      { ...HEALTHY, metrics: 'spegel_containerd_connected 0\n' },
      ok,
      ['daemon-without-containerd'],
    ],
    ['damaged blobs', { ...HEALTHY, metrics: 'spegel_damaged_blobs 2\n' }, ok, ['content-damaged']],
    ['peers behind a firewall', HEALTHY, nobody, ['peers-unreachable']],
    [
      'misses alone',
      { ...HEALTHY, metrics: 'spegel_mirror_requests_total{registry="a",cache="miss"} 100\n' },
      ok,
      ['mirror-without-hits'],
    ],
    [
      'one hit in many',
      {
        ...HEALTHY,
        metrics:
          'spegel_mirror_requests_total{registry="a",cache="miss"} 100\nspegel_mirror_requests_total{registry="a",cache="hit"} 1\n',
      },
      ok,
      [],
    ],
  ];

  test.each(CASES)('finds of %s what is wrong', async (_what, facts, ask, ids) => {
    expect((await checkDaemon(facts, EXPECTED, ask)).findings.map(({ id }) => id)).toEqual([...ids]);
  });

  test.each([
    ['with Kubernetes', true, 'kubectl --namespace spegel get pods -o wide'],
    ['without', false, 'systemctl status spegel'],
  ])('says %s how to look whether it runs, and its address once', async (_where, isKubernetes, command) => {
    const error = new Error(`No spegel answers at ${EXPECTED.metricsAddr}`);
    const { findings } = await checkDaemon({ error }, { ...EXPECTED, isKubernetes }, ok);
    expect(findings[0]?.seen).toEqual([error.message]);
    expect(findings[0]?.fix).toMatchObject([{ lines: expect.arrayContaining([command]) }]);
  });

  test.each([
    ['with Kubernetes', true, 'the headless service'],
    ['without', false, 'at the name server'],
  ])('names the bootstrap domain that names no node, %s', async (_what, isKubernetes, advice) => {
    const reason = 'typo.example. names no node, not even this one: there is no such name';
    const bootstrap = { kind: 'dns', outcome: 'unnamed', reason };
    const facts = { ...HEALTHY, peerAddresses: [], bootstrap };
    const { findings } = await checkDaemon(facts, { ...EXPECTED, isKubernetes }, ok);
    expect(findings).toMatchObject([
      { id: 'no-peers', severity: 'warning', seen: ['127.0.0.1:9090: 0 peers', `bootstrap: ${reason}`] },
    ]);
    expect(JSON.stringify(findings[0]?.fix)).toContain(advice);
    expect(findings[0]?.what).toContain('domain');
  });

  test('says why bootstrapping fails, and of a single node no more than that it is alone', async () => {
    const no = { ...HEALTHY, peerAddresses: [] };
    const failed = { kind: 'dns', outcome: 'failed', reason: 'Cannot resolve a.example.' };
    const alone = { kind: 'dns', outcome: 'alone', reason: undefined };
    const seen = async (bootstrap: typeof failed | typeof alone) =>
      (await checkDaemon({ ...no, bootstrap }, EXPECTED, ok)).findings[0]?.seen;
    expect(await seen(failed)).toEqual(['127.0.0.1:9090: 0 peers', 'bootstrap: Cannot resolve a.example.']);
    expect(await seen(alone)).toEqual(['127.0.0.1:9090: 0 peers']);
  });

  test('asks IPv6 peers in brackets, and is content with one that answers', async () => {
    const asked: string[] = [];
    const ask: HttpAsk = async (endpoint) => {
      asked.push(endpoint);
      if (endpoint.startsWith('[')) return { status: 200, text: '' };
      throw new Error('refused');
    };
    const facts = { ...HEALTHY, peerAddresses: ['10.0.0.2', 'fd00::2'] };
    expect((await checkDaemon(facts, EXPECTED, ask)).findings).toEqual([]);
    expect(asked).toEqual(['10.0.0.2:5000', '[fd00::2]:5000']);
  });
});
