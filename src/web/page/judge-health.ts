import type { LiveFinding, LivePeer } from '../live-report.ts';
import { formatSpan } from './format-age.ts';
import { formatSize } from './format-size.ts';
import { createNames, type Names } from './names.ts';
import type { PageFacts } from './page-facts.ts';
import { formatPeerName } from './peer-name.ts';

/** How a node is: nothing to do, something to look at, or the mirror is not used or cannot serve. */
export type HealthLevel = 'well' | 'attention' | 'ill';

/** Something that is wrong, with what to do about it. */
export interface Problem {
  /** The same for the same problem. */
  readonly id: string;
  readonly level: 'ill' | 'attention' | 'note';
  /** A sentence without its full stop: what is wrong, and what follows from it. */
  readonly what: string;
  readonly seen: readonly string[];
  /** Steps in their order. What can be pasted stands in `code`. */
  readonly fix: readonly FixText[];
}

/** One step: words, or a command or lines to paste. */
export type FixText = { readonly text: string } | { readonly code: string };

/** What the facts say of a node. */
export interface HealthVerdict {
  readonly level: HealthLevel;
  /** One sentence: that it is well, or the worst problem. */
  readonly text: string;
  /** How many problems there are beside the worst. */
  readonly others: number;
  /** Worst first. */
  readonly problems: readonly Problem[];
}

/** Used memory from which on a problem is told, as a part of the limit: the same as the alert's. */
const MEMORY_NEAR_LIMIT = 0.9;
/** Peers that one problem lists. */
const MAX_LISTED = 6;
const ORDER = ['ill', 'attention', 'note'] as const;

/** Not worse: it may be the page's way to the node that has ended. */
const LOST: Problem = {
  id: 'lost',
  level: 'attention',
  what: 'This node does not answer this page any more: what is shown is how it was',
  seen: [],
  fix: [
    { text: 'Look whether spegel runs on this node. In Kubernetes:' },
    { code: 'kubectl --namespace spegel get pods -o wide' },
    { text: 'With systemd, on the node:' },
    { code: 'systemctl status spegel' },
    { text: 'If it runs, start the kubectl port-forward again by which this page was opened.' },
  ],
};

/** Judges a node by what it knows of itself and its peers. */
export function judgeHealth(facts: Pick<PageFacts, 'health' | 'peers' | 'nowMs' | 'isLost'>): HealthVerdict {
  const problems = [
    ...(facts.isLost === true ? [LOST] : []),
    ...storeProblems(facts),
    ...canaryProblems(facts),
    ...(facts.health.findings ?? []).map(findingProblem),
    ...peerProblems(facts),
    ...ownProblems(facts),
  ].sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
  const [worst] = problems;
  if (worst === undefined || worst.level === 'note') {
    return { level: 'well', text: wellText(facts), others: 0, problems };
  }
  const others = problems.filter(({ level }) => level !== 'note').length - 1;
  return { level: worst.level, text: `${worst.what}.`, others, problems };
}

function wellText({ health }: Pick<PageFacts, 'health'>): string {
  const last = health.canary?.last;
  const { connected } = health.peerCounts;
  const peers = `${connected} ${connected === 1 ? 'peer is' : 'peers are'} connected`;
  if (last?.outcome === 'used') return `This node is well: containerd uses its mirror, and ${peers}.`;
  return `Nothing is wrong as far as this node sees, and ${peers}.`;
}

function storeProblems({ health }: Pick<PageFacts, 'health'>): readonly Problem[] {
  if (health.isStoreConnected) return [];
  return [
    {
      id: 'store-away',
      level: 'ill',
      what: 'containerd does not answer the mirror: only what was seen of it before is served',
      seen: [],
      fix: [
        { text: 'Look whether containerd runs on this node:' },
        { code: 'systemctl status containerd' },
        { text: 'If it does, --containerd-sock has to name its socket.' },
      ],
    },
  ];
}

function canaryProblems({ health }: Pick<PageFacts, 'health'>): readonly Problem[] {
  const last = health.canary?.last;
  if (last === undefined || last === null || last.outcome === 'used') return [];
  const hasFindings = health.findings?.some(({ severity }) => severity !== 'info') === true;
  const isNotUsed = last.outcome === 'not-used';
  return [
    {
      id: 'canary',
      level: isNotUsed ? 'ill' : 'note',
      what: isNotUsed
        ? 'containerd does not ask this mirror: pulls of this node go to the registries'
        : 'It could not be found out whether containerd asks this mirror',
      seen: [last.text],
      fix: hasFindings
        ? [{ text: 'What is found below says why, and what to change.' }]
        : [
            { text: 'Run this on the node itself, where more can be seen:' },
            { code: 'spegel doctor --canary' },
          ],
    },
  ];
}

function findingProblem({ id, severity, what, seen, fix }: LiveFinding): Problem {
  const level = ({ error: 'ill', warning: 'attention', info: 'note' } as const)[severity];
  return { id: `finding ${id} ${seen.join(' ')}`, level, what: capital(what), seen, fix: fixTexts(fix) };
}

/** Words, and what is a command or has lines as it can be pasted. What the page does not say is had with the doctor. */
function fixTexts(steps: readonly string[]): readonly FixText[] {
  const first = steps.findIndex((step) => step.includes('spegel doctor prints'));
  return steps.flatMap((step, n): readonly FixText[] => [
    isCommand(step) ? { code: step } : { text: capital(step) },
    ...(n === first ? [{ code: 'spegel doctor' }] : []),
  ]);
}

function isCommand(step: string): boolean {
  return /\n|^(systemctl|spegel|kubectl|rc-service|snap|microk8s|k3s|k0s|rke2|talosctl|apiclient|mkdir|helm|ctr) /.test(
    step,
  );
}

function capital(text: string): string {
  const [word = ''] = text.split(' ');
  const isName = /^(containerd|spegel|kubelet)$/.test(word) || !/^[a-z]+$/.test(word);
  return isName ? text : text.charAt(0).toUpperCase() + text.slice(1);
}

function peerProblems({
  health,
  peers,
  nowMs,
}: Pick<PageFacts, 'health' | 'peers' | 'nowMs'>): readonly Problem[] {
  const all = [...peers.values()];
  const names = createNames({ health, peers });
  const problems: Problem[] = [];
  const { connected, suspect, known } = health.peerCounts;
  if (connected + suspect + known === 0) {
    problems.push({
      id: 'no-peers',
      level: 'attention',
      what: 'No other node can be reached: every pull goes to the registries',
      seen: health.isReady ? [] : ['The mirror is not ready: it has found no other node since it started.'],
      fix: [
        { text: 'This says where the node looks for others, and what it finds:' },
        { code: 'spegel peers' },
      ],
    });
  }
  const dead = all.filter(({ state, isMember }) => state === 'dead' && isMember);
  if (dead.length > 0) {
    problems.push({
      id: 'peers-dead',
      level: 'attention',
      what: `${listNames(dead, names)} ${dead.length === 1 ? 'is' : 'are'} gone: nothing is pulled from there`,
      seen: listed(dead, (peer) => `${formatPeerName(peer)}${addressOf(peer)}: gone${sinceOf(peer, nowMs)}`),
      fix: [
        { text: 'Look whether spegel runs there. In Kubernetes:' },
        { code: `kubectl --namespace spegel get pods -o wide${onNode(dead)}` },
        { text: 'With systemd, on that node:' },
        { code: 'systemctl status spegel' },
        { text: 'Is it said to run? Then it hangs, or the network between is cut: restart it.' },
        { text: 'A node that was taken out of the cluster is forgotten after 19 minutes.' },
      ],
    });
  }
  const failing = all.filter(
    ({ state, order, why }) => state !== 'dead' && order === 'skipped' && why === 'failed',
  );
  if (failing.length > 0) {
    problems.push({
      id: 'peers-failing',
      level: 'attention',
      what: `${listNames(failing, names)} ${failing.length === 1 ? 'does' : 'do'} not give content, and ${failing.length === 1 ? 'is' : 'are'} left alone for a while`,
      seen: listed(failing, (peer) => `${formatPeerName(peer)}${addressOf(peer)}: failed a moment ago`),
      fix: [
        {
          text: 'Open the page of that node, below: it says what is wrong there. If it does not open, look at its log:',
        },
        { code: 'kubectl --namespace spegel logs POD' },
      ],
    });
  }
  return problems;
}

function ownProblems({ health }: Pick<PageFacts, 'health'>): readonly Problem[] {
  const problems: Problem[] = [];
  const { damagedBlobs, memory } = health;
  if (damagedBlobs > 0) {
    problems.push({
      id: 'damaged',
      level: 'attention',
      what: `${damagedBlobs} ${damagedBlobs === 1 ? 'blob' : 'blobs'} on the disk of this node ${damagedBlobs === 1 ? 'is' : 'are'} damaged: other nodes do not get ${damagedBlobs === 1 ? 'it' : 'them'} from here`,
      seen: [],
      fix: [
        { text: 'The log of this node names the images. Remove each and pull it again:' },
        { code: 'crictl rmi IMAGE && crictl pull IMAGE' },
      ],
    });
  }
  const { usedBytes, limitBytes } = memory;
  if (usedBytes !== undefined && limitBytes !== undefined && usedBytes >= MEMORY_NEAR_LIMIT * limitBytes) {
    problems.push({
      id: 'memory',
      level: 'attention',
      what: `The mirror uses ${formatSize(usedBytes)} of the ${formatSize(limitBytes)} of memory that it may`,
      seen: [],
      fix: [
        { text: 'It takes fewer requests at once then. Give it more, in the chart:' },
        { code: 'resources:\n  limits:\n    memory: 256Mi' },
      ],
    });
  }
  return problems;
}

function listNames(peers: readonly LivePeer[], known: Names): string {
  const names = peers.slice(0, 3).map(({ id }) => known.ofPeer(id));
  const others = peers.length - names.length;
  if (others > 0) return `${names.join(', ')} and ${others} other ${others === 1 ? 'node' : 'nodes'}`;
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function listed(peers: readonly LivePeer[], format: (peer: LivePeer) => string): readonly string[] {
  const others = peers.length - MAX_LISTED;
  return [
    ...peers.slice(0, MAX_LISTED).map(format),
    ...(others > 0 ? [`and ${others} more, see Peers`] : []),
  ];
}

/** What selects the pods of the node, if it is a single one. Only what a Kubernetes node may be called is put into a command. */
function onNode([peer, ...others]: readonly LivePeer[]): string {
  const name = peer?.name ?? '';
  if (others.length > 0 || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)) return '';
  return ` --field-selector spec.nodeName=${name}`;
}

function addressOf({ name, addresses: [address] }: LivePeer): string {
  return name === undefined || address === undefined ? '' : ` (${address})`;
}

function sinceOf({ stateSinceMs }: LivePeer, nowMs: number): string {
  return stateSinceMs === undefined ? '' : ` for ${formatSpan(nowMs - stateSinceMs)}`;
}
