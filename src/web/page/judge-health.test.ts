import { expect, test } from 'bun:test';
import { USED_CANARY } from '../../canary/canary-result.fixture.ts';
import type { LiveHealth, LivePeer } from '../live-report.ts';
import { judgeHealth } from './judge-health.ts';
import { factsOf, HEALTH, peerOf } from './page-facts.fixture.ts';

const FINDING = {
  id: 'discard-unpacked-layers',
  severity: 'error',
  what: 'containerd discards layers: nothing can be served',
  seen: ['/etc/containerd/config.toml:7'],
  fix: ['in /etc/containerd/config.toml replace line 7', 'systemctl restart containerd'],
} as const;
const NOT_USED = {
  isRunning: false,
  last: { ...USED_CANARY, outcome: 'not-used', text: 'no request came' },
} as const;
const { nowMs } = factsOf();

function judge(health: Partial<LiveHealth>, ...changed: readonly LivePeer[]) {
  const { peers } = factsOf();
  const all = new Map([...peers, ...changed.map((peer) => [peer.id, peer] as const)]);
  return judgeHealth({ health: { ...HEALTH, ...health }, peers: all, nowMs });
}

test('judgeHealth() says that a node is well, and whether that containerd uses it is known', () => {
  expect(judge({})).toEqual({
    level: 'well',
    text: 'This node is well: containerd uses its mirror, and 5 peers are connected.',
    others: 0,
    problems: [],
  });
  expect(judge({ canary: undefined }).text).toBe(
    'Nothing is wrong as far as this node sees, and 5 peers are connected.',
  );
});

test.each<[string, Partial<LiveHealth>, readonly LivePeer[], string, string, string]>([
  [
    'what doctor found, with commands apart from words',
    { findings: [FINDING] },
    [],
    'ill',
    'containerd discards layers: nothing can be served.',
    'systemctl restart containerd',
  ],
  [
    'a warning of doctor',
    { findings: [{ ...FINDING, severity: 'warning' }] },
    [],
    'attention',
    'containerd discards layers: nothing can be served.',
    'systemctl restart containerd',
  ],
  [
    'a canary that nobody asked for',
    { canary: NOT_USED },
    [],
    'ill',
    'containerd does not ask this mirror: pulls of this node go to the registries.',
    'spegel doctor --canary',
  ],
  [
    'containerd that is away',
    { isStoreConnected: false },
    [],
    'ill',
    'containerd does not answer the mirror: only what was seen of it before is served.',
    'systemctl status containerd',
  ],
  [
    'a peer that is gone',
    { peerCounts: { ...HEALTH.peerCounts, connected: 4, dead: 1 } },
    [peerOf(3, { state: 'dead', stateSinceMs: nowMs - 130_000 })],
    'attention',
    'node-3 is gone: nothing is pulled from there.',
    'systemctl status spegel',
  ],
  [
    'a peer that fails',
    {},
    [peerOf(2, { order: 'skipped', why: 'failed' }), peerOf(4, { order: 'skipped', why: 'failed' })],
    'attention',
    'node-2 and node-4 do not give content, and are left alone for a while.',
    'kubectl --namespace spegel logs POD',
  ],
  [
    'a node that is alone',
    { peerCounts: { connected: 0, suspect: 0, dead: 0, known: 0, members: 0 } },
    [],
    'attention',
    'No other node can be reached: every pull goes to the registries.',
    'spegel peers',
  ],
  [
    'damaged blobs',
    { damagedBlobs: 2 },
    [],
    'attention',
    '2 blobs on the disk of this node are damaged: other nodes do not get them from here.',
    'crictl rmi IMAGE && crictl pull IMAGE',
  ],
  [
    'memory',
    { memory: { usedBytes: 125e6, limitBytes: 134_217_728 } },
    [],
    'attention',
    'The mirror uses 125\u00A0MB of the 134\u00A0MB of memory that it may.',
    'resources:\n  limits:\n    memory: 256Mi',
  ],
])('judgeHealth() tells %s', (_, health, peers, level, text, command) => {
  const verdict = judge(health, ...peers);
  expect(verdict).toMatchObject({ level, text });
  expect(verdict.problems).toHaveLength(1);
  expect(verdict.problems[0]?.fix).toContainEqual({ code: command });
});

test('judgeHealth() names the node in the command only where that cannot be anything else than a name', () => {
  const commandFor = (...names: readonly string[]) => {
    const dead = names.map((name, n) => peerOf(n, { name, state: 'dead' }));
    const { problems } = judge({ peerCounts: { ...HEALTH.peerCounts, connected: 1 } }, ...dead);
    return problems[0]?.fix.flatMap((step) => ('code' in step ? [step.code] : []))[0];
  };
  const all = 'kubectl --namespace spegel get pods -o wide';
  expect(commandFor('node-1.internal')).toBe(`${all} --field-selector spec.nodeName=node-1.internal`);
  for (const name of ['a; reboot', 'a\nb', '-a', '']) expect(commandFor(name)).toBe(all);
  expect(commandFor('a', 'b')).toBe(all);
});

test('judgeHealth() does not say that a node is well which does not answer the page any more', () => {
  const verdict = judgeHealth({ health: HEALTH, peers: factsOf().peers, nowMs, isLost: true });
  expect(verdict).toMatchObject({ level: 'attention', others: 0 });
  expect(verdict.text).toStartWith('This node does not answer this page any more');
});

test('judgeHealth() has the doctor called for lines that the page does not say', () => {
  const fix = ['in /etc/containerd/config.toml replace line 7 by the line that spegel doctor prints'];
  expect(judge({ findings: [{ ...FINDING, fix }] }).problems[0]?.fix).toEqual([
    { text: 'In /etc/containerd/config.toml replace line 7 by the line that spegel doctor prints' },
    { code: 'spegel doctor' },
  ]);
});

test('judgeHealth() puts the worst first and counts the others, but not what is only good to know', () => {
  const info = { ...FINDING, id: 'note', severity: 'info' } as const;
  const verdict = judge({ damagedBlobs: 1, canary: NOT_USED, findings: [info, FINDING] });
  expect(verdict.text).toBe('containerd does not ask this mirror: pulls of this node go to the registries.');
  expect(verdict.others).toBe(2);
  expect(verdict.problems.map(({ level }) => level)).toEqual(['ill', 'ill', 'attention', 'note']);
  expect(judge({ findings: [info] })).toMatchObject({ level: 'well', problems: [{ level: 'note' }] });
});

test('judgeHealth() says of a dead peer where it is and since when, and lists only some of many', () => {
  const dead = Array.from({ length: 9 }, (_, n) =>
    peerOf(n + 1, { state: 'dead', stateSinceMs: nowMs - 130_000 }),
  );
  const [problem] = judge({}, ...dead).problems;
  expect(problem?.what).toBe(
    'node-1, node-2, node-3 and 6 other nodes are gone: nothing is pulled from there',
  );
  expect(problem?.seen).toHaveLength(7);
  expect(problem?.seen[0]).toBe('node-1 (10.0.0.2): gone for 2\u00A0min');
  expect(problem?.seen.at(-1)).toBe('and 3 more, see Peers');
});
