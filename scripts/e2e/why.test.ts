import { beforeAll, describe, expect, test } from 'bun:test';
import type { WhyAnswer, WhyView } from '../../src/commands/why-answer.ts';
import type { LoggedPull } from '../../src/observe/pull-log.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { runCommand } from '../lab/run-command.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
/** At 1 MB/s one upload at a time may run, and the layer takes a minute. */
const CAPPED = ['--max-upload-rate', '1MB'];

/** Node 1 gives one layer at a time, node 2 what it is asked for; node 3 has nothing. */
const lab = useLab({
  nodes: [{ mirrorArgs: CAPPED }, {}, { mirrorArgs: ['--registry-filters', `^${REGISTRY}/secret/`] }],
});
const imageOf = (seed: string, sizeBytes: number) => createImage({ seed, layers: [{ sizeBytes }] });
/** On nodes 1 and 2. */
const both = imageOf('both', 3 * MB);
/** The same. */
const other = imageOf('other', 3 * MB);
/** On node 1 only. */
const large = imageOf('large', 60 * MB);
const secret = imageOf('secret', 100_000);
/** Known to no node. */
const NOWHERE = digestOf(new TextEncoder().encode('nowhere'));

beforeAll(async () => {
  const [first, second, third] = lab().nodes;
  const { upstream } = lab();
  await upstream.push(both, 'lab/both', 'v1');
  for (const node of [first, second]) {
    await node?.pull(`${REGISTRY}/lab/both:v1`);
    await node?.importImage(other, `${REGISTRY}/lab/other:v1`);
  }
  await first?.importImage(large, `${REGISTRY}/lab/large:v1`);
  await first?.importImage(secret, `${REGISTRY}/secret/app:v1`);
  if (third === undefined) throw new Error('The lab has too few nodes');
  await untilFound(third, both, 'lab/both', 'v1');
  await untilFound(third, other, 'lab/other', 'v1');
  await untilFound(third, large, 'lab/large', 'v1');
});

const addressOf = (n: number) => lab().node(n).endpoint.ipv4;
const layerOf = ({ blobs }: TestImage) => {
  const layer = blobs.find(({ kind }) => kind === 'layer');
  if (layer === undefined) throw new Error('The image has no layer');
  return layer;
};

/** Runs the command on a node, and again while that was asked too often. */
async function ask(n: number, ...args: readonly string[]) {
  return waitFor(
    'an answer',
    async () => {
      const ran = await lab()
        .node(n)
        .mirror.run(['why', ...args]);
      return ran.stderr.includes('asked this too often') ? undefined : ran;
    },
    { intervalMs: 500, timeoutMs: 60_000 },
  );
}

/** What a node says, as JSON, and its exit code. */
async function why(n: number, name: string) {
  const { stdout, stderr, exitCode } = await ask(n, name, '--json');
  expect(stderr).toBe('');
  return { exitCode, answer: JSON.parse(stdout) as WhyAnswer };
}
const text = async (n: number, name: string) => (await ask(n, name, '--wide')).stdout;
const outcomes = ({ contents }: WhyAnswer) => contents.map(({ kind, outcome }) => `${kind} ${outcome.how}`);
const peersOf = ({ peers }: WhyView) =>
  Object.fromEntries(peers.map(({ addresses, said }) => [addresses[0], said]));

describe('spegel why', () => {
  test('says that an image is here', async () => {
    const { exitCode, answer } = await why(1, `${REGISTRY}/lab/both:v1`);
    expect(exitCode).toBe(0);
    expect(answer).toMatchObject({ canServe: true, isReady: true, isStoreConnected: true, isMirrored: true });
    expect(outcomes(answer)).toEqual(['tag local', 'manifest local', 'config local', 'layer local']);
    expect(await text(1, layerOf(both).digest)).toMatch(/^content +sha256:.* this node$/m);
  });

  test('says which peers have it, by name and by digest', async () => {
    for (const [name, expected] of [
      [`${REGISTRY}/lab/both:v1`, ['tag peer', 'manifest peer', 'config peer', 'layer peer']],
      [`${REGISTRY}/lab/both@${both.root.digest}`, ['manifest peer', 'config peer', 'layer peer']],
      [layerOf(both).digest, ['content peer']],
    ] as const) {
      const { exitCode, answer } = await why(3, name);
      expect([exitCode, outcomes(answer)]).toEqual([0, [...expected]]);
      for (const content of answer.contents) {
        expect(peersOf(content)).toEqual({ [addressOf(1)]: 'has-it', [addressOf(2)]: 'has-it' });
      }
    }
    expect(await text(3, `${REGISTRY}/lab/both:v1`)).toContain(
      'The mirror can serve all of it: 0 here, 4 at peers',
    );
  });

  test('says that no node has it', async () => {
    const { exitCode, answer } = await why(3, NOWHERE);
    expect(exitCode).toBe(1);
    expect(answer.contents).toMatchObject([
      { outcome: { how: 'missing', status: 404, reason: 'no-record' } },
    ]);
    const said = await text(3, `${REGISTRY}/lab/none:v1`);
    expect(said).toContain('because no peer is known to have it: containerd goes to the registry');
    const { headers, status } = await lab()
      .node(3)
      .mirror.fetch(`/v2/lab/none/blobs/${NOWHERE}?ns=${REGISTRY}`);
    expect([status, headers.get('x-spegel-miss')]).toEqual([404, 'no-record']);
  });

  test('says that a filter leaves it out', async () => {
    const { exitCode, answer } = await why(3, `${REGISTRY}/secret/app:v1`);
    expect(exitCode).toBe(1);
    expect(answer.filters).toEqual([`^${REGISTRY}/secret/`]);
    expect(outcomes(answer)).toEqual(['tag missing']);
    expect(await text(3, `${REGISTRY}/secret/app:v1`)).toContain(
      `The filter ^${REGISTRY}/secret/ leaves it out`,
    );
  });

  test.each([
    [['why', 'a b'], 2, 'the repository is invalid'],
    [['why', 'nginx', '--addr', '127.0.0.1:1'], 3, 'Set --addr to its --metrics-addr'],
    [['why', 'nginx', '--addr', `127.0.0.1:${MIRROR_PORTS.registry}`], 3, 'has to be its --metrics-addr'],
  ])('%j exits with %d and says what to do', async (args, code, sentence) => {
    const { exitCode, stderr } = await lab().node(3).mirror.run(args);
    expect(exitCode).toBe(code);
    expect(stderr).toContain(sentence);
  });
});

describe('a node that gives as much as it may', () => {
  /** Takes the only upload of node 1, as fast as it comes, until it is disposed. */
  const holdUpload = async () => {
    const response = await lab()
      .node(1)
      .mirror.fetch(contentPath('lab/large', layerOf(large)));
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    const reading = (async () => {
      while ((await reader?.read())?.done === false);
    })();
    return {
      async [Symbol.asyncDispose]() {
        await reader?.cancel();
        await reading;
        await waitFor('the upload to end', async () => (await uploads()).running === 0);
      },
    };
  };
  const uploads = async () => {
    const metrics = await lab().node(1).mirror.metrics();
    return {
      running: metrics.sum('spegel_uploads_running'),
      refused: metrics.sum('spegel_uploads_refused_total'),
    };
  };
  const askedBusy = async () =>
    (await lab().node(3).mirror.metrics()).sum('spegel_peer_requests_total', { result: 'busy' });

  test('refuses with 503, answers probes and its own node, and counts no failure at the node that asks', async () => {
    await using _held = await holdUpload();
    const { mirror, endpoint } = lab().node(1);
    const refusal = await mirror.fetch(contentPath('lab/both', layerOf(both)), {
      headers: { 'X-Spegel-Mirrored': 'true' },
    });
    expect([refusal.status, refusal.headers.get('x-spegel-miss')]).toEqual([503, 'overloaded']);
    expect(await refusal.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] });
    expect(await uploads()).toEqual({ running: 1, refused: 1 });
    for (const path of ['/livez', '/readyz', contentPath('lab/both', both.root)]) {
      expect((await mirror.fetch(path)).status).toBe(200);
    }
    const own = `http://127.0.0.1:${MIRROR_PORTS.registry}${contentPath('lab/both', layerOf(both))}`;
    const fetched = `process.stdout.write(String((await (await fetch('${own}')).arrayBuffer()).byteLength))`;
    const stdout = await runCommand([...endpoint.namespace.enter, process.execPath, '-e', fetched]);
    expect(stdout).toBe(String(layerOf(both).sizeBytes));

    const busy = await askedBusy();
    const { headers, status } = await lab()
      .node(3)
      .mirror.fetch(contentPath('lab/large', layerOf(large)));
    expect([status, headers.get('x-spegel-miss')]).toEqual([404, 'peers-busy']);
    expect(await askedBusy()).toBe(busy + 1);
    const { exitCode, answer } = await why(3, layerOf(large).digest);
    expect(exitCode).toBe(1);
    expect(answer.contents).toMatchObject([
      { peers: [{ order: 'first', said: 'busy' }], outcome: { how: 'missing', reason: 'peers-busy' } },
    ]);
  });

  test('does not hold up a pull: another holder gives the layer, and the log of the node says so', async () => {
    await using _held = await holdUpload();
    const { answer } = await why(3, layerOf(both).digest);
    expect(answer.contents.map(peersOf)).toEqual([{ [addressOf(1)]: 'busy', [addressOf(2)]: 'has-it' }]);
    expect(answer.contents).toMatchObject([{ outcome: { how: 'peer', from: addressOf(2) } }]);

    const { mirror } = lab().node(3);
    const upstream = await lab().upstream.count();
    await lab().node(3).pull(`${REGISTRY}/lab/both:v1`);
    await lab().node(3).verify(both);
    expect(await upstream.requests()).toEqual([]);
    const line = await waitFor('the line of the pull', async () =>
      (await mirror.log())
        .split('\n')
        .find((each) => each.includes('"pull ended"') && each.includes('lab/both:v1')),
    );
    const layerBytes = layerOf(both).sizeBytes;
    const pull = JSON.parse(line) as LoggedPull;
    expect(pull).toMatchObject({ level: 'INFO', outcome: 'served', localBytes: 0, misses: [] });
    expect(pull.digest).toBe(both.root.digest);
    expect(pull.peers[0]?.address).toBe(addressOf(2));
    expect(pull.peers[0]?.bytes).toBeGreaterThanOrEqual(layerBytes);
    const pulls = await lab().http.fetch(`http://${addressOf(3)}:${MIRROR_PORTS.metrics}/debug/pulls`);
    expect(await pulls.json()).toMatchObject({ pulls: [{ image: pull.image, peers: pull.peers }] });
    expect(outcomes((await why(3, `${REGISTRY}/lab/both:v1`)).answer)).toContain('layer local');
  });
});

test('spegel why says what a holder that was killed says, and who else would serve', async () => {
  await lab().node(2).mirror.kill();
  const { digest } = layerOf(other);
  const { exitCode, answer } = await why(3, digest);
  expect(exitCode).toBe(0);
  expect(answer.contents).toMatchObject([{ outcome: { how: 'peer', from: addressOf(1) } }]);
  const said = answer.contents.map((content) => peersOf(content)[addressOf(2)]);
  expect(['CONNECT_FAILED', undefined]).toContain(said[0]);
  await lab().node(1).mirror.kill();
  const alone = await why(3, digest);
  expect(alone.exitCode).toBe(1);
  expect(alone.answer.contents).toMatchObject([{ outcome: { how: 'missing', status: 404 } }]);
  expect(await text(3, digest)).toContain('containerd goes to the registry');
});
