import { expect, test } from 'bun:test';
import type { PeersReport } from '../../src/routing/peers-report.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const LAYERS = 12;
const lab = useLab({ nodes: [{}, {}, { mirrorArgs: ['--log-level=INFO'] }] });

const layered = (seed: string): TestImage =>
  createImage({ seed, layers: Array.from({ length: LAYERS }, () => ({ sizeBytes: 10_000 })) });

function parseLogLine(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    throw new Error(`This is not JSON: ${line}`);
  }
}

async function peersOf(name: number): Promise<PeersReport> {
  const { stdout } = await lab().node(name).mirror.run(['peers', '--json']);
  return JSON.parse(stdout) as PeersReport;
}

test('a pull finds its layers looked up already, and the metrics tell', async () => {
  const [holder, puller] = [lab().node(1), lab().node(2)];
  const image = layered('ahead');
  const before = await waitFor('the puller to know the others', async () => {
    const metrics = await puller.mirror.metrics();
    return metrics.sum('spegel_router_peer_states', { state: 'connected' }) === 2 ? metrics : undefined;
  });
  // On a machine that is busy enough a layer may come from upstream: looked up ahead it was all the same.
  await lab().upstream.push(image, 'ahead', 'v1');
  await holder.importImage(image, `${REGISTRY}/ahead:v1`);
  await untilFound(puller, image, 'ahead', 'v1');
  await puller.pull(`${REGISTRY}/ahead:v1`);
  const after = await puller.mirror.metrics();
  const grew = (name: string, labels = {}) => after.sum(name, labels) - before.sum(name, labels);
  const outcomes = Object.fromEntries(
    ['record', 'kept', 'network', 'nobody'].map((outcome) => [
      outcome,
      grew('spegel_router_lookups_total', { outcome }),
    ]),
  );
  // Of three nodes each holds every record: what is asked for is known here, ahead or not.
  expect(outcomes['record']).toBeGreaterThanOrEqual(2 * LAYERS);
  expect(after.sum('spegel_router_records')).toBeGreaterThanOrEqual(image.blobs.length);
  expect(after.sum('spegel_router_recorded_keys')).toBeGreaterThanOrEqual(image.blobs.length);
  expect(after.sum('spegel_router_bootstraps_total')).toBeGreaterThanOrEqual(1);
  await waitFor('the copies to be announced', async () => {
    const metrics = await puller.mirror.metrics();
    return (
      metrics.sum('spegel_router_provided_keys') >= image.blobs.length &&
      metrics.sum('spegel_router_sent_records_total') >= image.blobs.length
    );
  });
});

test('peers tells who has died and who is back, and one that is back is asked at once', async () => {
  const [asked, other] = [lab().node(1), lab().node(2)];
  const image = layered('back');
  await other.importImage(image, `${REGISTRY}/back:v1`);
  await untilFound(asked, image, 'back', 'v1');
  const state = async () => {
    const { peers } = await peersOf(1);
    return peers.find(({ addresses }) => addresses.includes(other.endpoint.ipv4))?.state;
  };
  expect(await state()).toBe('connected');
  await other.mirror.kill();
  // Failures make it one that is left alone.
  const layer = image.blobs.find(({ kind }) => kind === 'layer');
  const ask = async () => {
    const path = `/v2/back/blobs/${layer?.digest}?ns=${REGISTRY}`;
    const answer = await lab().http.fetch(`http://${asked.endpoint.ipv4}:${MIRROR_PORTS.registry}${path}`);
    await answer.arrayBuffer();
    return answer.status;
  };
  expect(await ask()).toBe(404);
  await waitFor('the peer to be dead', async () => (await state()) === 'dead');
  expect((await peersOf(1)).counts).toMatchObject({ connected: 1, dead: 1 });
  expect((await asked.mirror.run(['peers'])).stdout).toContain('1 connected, 1 dead');

  await other.mirror.launch();
  await other.mirror.ready();
  await waitFor('the peer to be back', async () => (await state()) === 'connected');
  await waitFor('its content to be found', async () => (await ask()) === 200);
});

test('what libp2p logs is in the log at DEBUG only, as lines of JSON', async () => {
  const [atDebug, atInfo] = [await lab().node(1).mirror.log(), await lab().node(3).mirror.log()];
  const told = atDebug
    .trim()
    .split('\n')
    .map(parseLogLine)
    .filter(({ msg }) => String(msg).startsWith('libp2p '));
  expect(told.length).toBeGreaterThan(0);
  const others = told.filter(
    ({ level, component, text }) =>
      level !== 'DEBUG' || typeof component !== 'string' || typeof text !== 'string',
  );
  expect(others).toEqual([]);
  expect(atInfo.includes('libp2p ')).toBe(false);
});
