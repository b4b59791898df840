import type { WhyPeer } from '../routing/why-report.ts';
import { formatByteCount } from '../runtime/byte-count.ts';
import { formatDuration } from '../runtime/duration.ts';
import { isNowhere, type WhyAnswer, type WhyDownload, type WhyView } from './why-answer.ts';

/** Why content is missing, as a part of a sentence. */
const REASONS: Readonly<Record<string, string>> = {
  'no-record': 'no peer is known to have it',
  'peers-skipped': 'the peers that have it are left alone for now',
  'peers-busy': 'a peer that has it gives as much as it may just now',
  'peers-refused': 'the peers that were said to have it do not give it',
  'peers-failed': 'the peers that have it do not answer',
  filter: 'it is not shared',
};

/** What a peer says, as a part of a sentence. */
const SAID: Readonly<Record<string, string>> = {
  'has-it': 'has it',
  absent: 'does not have it',
  busy: 'gives as much as it may just now',
  wrong: 'gives an answer that is not usable',
  CONNECT_FAILED: 'does not take connections',
  CONNECT_TIMEOUT: 'cannot be reached',
  HEAD_TIMEOUT: 'does not answer',
  CONNECTION_LOST: 'closes the connection',
};
const WHY: Readonly<Record<string, string>> = {
  failed: 'failed a moment ago',
  late: 'was late a moment ago',
  slow: 'was slow a while ago',
};

/** Writes the answer as sentences, step by step; the last line is the verdict. */
export function formatWhy(answer: WhyAnswer, name: string): string {
  const steps = [
    `${name}${answer.key === name ? '' : ` (${answer.key})`}`,
    '',
    mirrorStep(answer),
    storeStep(answer),
    ...filterSteps(answer),
    ...answer.contents.flatMap((content) => contentSteps(content, answer)),
    ...(answer.omitted > 0 ? [`${answer.omitted} more pieces of content were not looked at.`] : []),
    ...(answer.problem === undefined ? [] : [`${answer.problem}.`]),
    '',
    verdict(answer),
  ];
  return `${steps.join('\n')}\n`;
}

function mirrorStep({ isReady }: WhyAnswer): string {
  return isReady
    ? 'The mirror is ready.'
    : 'The mirror is not ready: it has found no other node yet. spegel peers shows where it looks.';
}

function storeStep({ isStoreConnected }: WhyAnswer): string {
  return isStoreConnected
    ? 'containerd answers the mirror.'
    : 'containerd does not answer the mirror: only what was seen of it before is served. See its log, and --containerd-sock.';
}

function filterSteps({ registry, repository, isMirrored, filters }: WhyAnswer): readonly string[] {
  if (registry === undefined) return ['No image is named: filters of names are not looked at.'];
  if (isMirrored === false) {
    return [
      `${registry} is not one of --mirrored-registries: its images are not shared, and answered with 404.`,
    ];
  }
  if (filters.length > 0) {
    return filters.map(
      (filter) => `The filter ${filter} leaves it out (--registry-filters): it is answered with 404.`,
    );
  }
  return [`${registry} is mirrored, and no filter leaves ${repository ?? 'it'} out.`];
}

function contentSteps(content: WhyView, { resolveTimeoutMs }: WhyAnswer): readonly string[] {
  const { kind, key, digest, sizeBytes, isHere, peers, outcome, download } = content;
  const size = sizeBytes === undefined || sizeBytes === 0 ? '' : `, ${formatByteCount(sizeBytes)}`;
  if (outcome.reason === 'filter') return [];
  const head = `${kind} ${kind === 'tag' ? key.slice(key.lastIndexOf(':') + 1) : key}${size}`;
  const is = digest === undefined ? '' : ` It is ${digest}.`;
  if (isHere) return ['', `${head}: in the store of this node.${is} It would be served from here (200).`];
  const count =
    peers.length === 1 ? 'One peer has' : `${peers.length === 0 ? 'No' : peers.length} peers have`;
  const lines = ['', `${head}: not in the store of this node.${is} ${count} a record of it.`];
  for (const peer of peers) lines.push(`  ${peerText(peer)}`);
  const first = peers.find(({ order }) => order !== 'skipped');
  if (first !== undefined && first.tookMs > resolveTimeoutMs) {
    const [took, wait] = [formatDuration(Math.round(first.tookMs)), formatDuration(resolveTimeoutMs)];
    lines.push(
      `  The first was found after ${took}: a request waits for ${wait} (--mirror-resolve-timeout).`,
    );
  }
  if (outcome.how === 'peer') lines.push(`  ${outcome.from ?? 'A peer'} would serve it (200).`);
  else if (!isNowhere(content) && download !== undefined) lines.push(`  ${downloadText(download)}`);
  else {
    const reason = REASONS[outcome.reason ?? ''] ?? outcome.reason ?? 'it is not here';
    const goes =
      download?.isOwn === true
        ? 'containerd was sent to the registry for it, and downloads it, or is about to'
        : 'containerd goes to the registry';
    lines.push(`  It would be answered with ${outcome.status}, because ${reason}: ${goes}.`);
  }
  return lines;
}

function peerText({ id, addresses, state, order, why, bytesPerSecond, said }: WhyPeer): string {
  const rate = bytesPerSecond === undefined ? [] : [`gave ${formatByteCount(bytesPerSecond)}/s lately`];
  const facts = [state ?? 'not known to the router', ...rate, id].join(', ');
  const held = why === undefined ? '' : ` it ${WHY[why] ?? why},`;
  const text = said === undefined ? undefined : (SAID[said] ?? `answers ${said}`);
  const what =
    order === 'skipped'
      ? `is skipped:${held} and is left alone for now`
      : `${text ?? 'was not asked'}${order === 'last' ? `;${held} and is asked after all others` : ''}`;
  return `${addresses.join(' ') || 'no address'} (${facts}) ${what}.`;
}

function downloadText({ others }: WhyDownload): string {
  const downloads = others.length === 1 ? 'downloads' : 'download';
  return `${others.join(' and ')} ${downloads} it from the registry: the request would wait for that, and follow it.`;
}

function verdict({ canServe, contents }: WhyAnswer): string {
  const here = contents.filter(({ isHere }) => isHere).length;
  const missing = contents.filter(isNowhere);
  const peers = contents.filter(({ outcome }) => outcome.how === 'peer').length;
  const downloads = contents.length - here - missing.length - peers;
  const counts = `${here} here, ${peers} at peers, ${downloads} being downloaded, ${missing.length} missing`;
  if (contents.length === 1) {
    return canServe
      ? 'The mirror can serve it.'
      : 'The mirror cannot serve it: containerd gets it from the registry.';
  }
  const all = canServe
    ? 'The mirror can serve all of it'
    : 'The mirror cannot serve all of it, and containerd gets the rest from the registry';
  return `${all}: ${counts}. A containerd that does not ask the mirror at all: see spegel doctor.`;
}
