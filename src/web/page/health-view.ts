import type { LiveCanary } from '../live-report.ts';
import { formatAge } from './format-age.ts';
import { formatSize } from './format-size.ts';
import { icon, type IconName } from './icon.ts';
import { copyButton } from './digest-text.ts';
import { judgeHealth, type Problem } from './judge-health.ts';
import { h, type Child, type Markup } from './markup.ts';
import type { PageFacts } from './page-facts.ts';
import { since } from './since.ts';

/** The words beside the icon of each level. */
const LEVELS = { well: 'Well', attention: 'Look at this', ill: 'Needs fixing', note: 'Note' } as const;

/** What stands on top: whether this node is well in one sentence, what is wrong with its fix, and what is known of the node. */
export function healthView(facts: PageFacts): readonly Markup[] {
  const { level, text, problems } = judgeHealth(facts);
  return [
    h(
      'p',
      { class: `verdict is-${level}`, id: 'verdict', 'data-key': 'verdict' },
      icon(level),
      h('span', { class: 'verdict-level' }, LEVELS[level]),
      h('span', { class: 'verdict-text' }, text),
    ),
    problems.length === 0
      ? ''
      : h(
          'div',
          { class: 'problems', 'data-key': 'problems' },
          problems.map((problem) => problemView(problem, problems.length)),
        ),
    h('dl', { class: 'node-facts', 'data-key': 'facts' }, nodeFacts(facts)),
  ];
}

/** The few words of a problem are a summary that opens to how it was seen and what to do; the worst is open from the start. */
function problemView({ id, level, what, seen, fix }: Problem, count: number): Markup {
  return h(
    'details',
    { class: `problem is-${level}`, 'data-key': id, open: level !== 'note' && count <= 4 },
    h(
      'summary',
      {},
      icon(level),
      h('span', { class: 'hidden' }, `${LEVELS[level]}: `),
      h('span', { class: 'problem-what' }, `${what}.`),
    ),
    h(
      'div',
      { class: 'problem-body' },
      seen.length === 0 ? undefined : h('h3', {}, 'Seen'),
      seen.length === 0
        ? undefined
        : h(
            'ul',
            { class: 'seen' },
            seen.map((text) => h('li', {}, text)),
          ),
      fix.length === 0 ? undefined : h('h3', {}, 'What to do'),
      fix.length === 0
        ? undefined
        : h(
            'ul',
            { class: 'fix' },
            fix.map((step) =>
              'code' in step
                ? h(
                    'li',
                    { class: 'command' },
                    h('pre', { tabindex: 0 }, step.code),
                    copyButton(step.code, 'Copy the command'),
                  )
                : h('li', {}, step.text),
            ),
          ),
    ),
  );
}

function nodeFacts({ health, nowMs }: PageFacts): readonly Markup[] {
  const { canary, isReady, isStoreConnected, peerCounts, memory, self } = health;
  const { connected, suspect, dead } = peerCounts;
  const others = [suspect > 0 ? `${suspect} suspect` : '', dead > 0 ? `${dead} dead` : ''].filter(
    (text) => text !== '',
  );
  return [
    fact(
      'Mirror',
      ...mirrorFact(canary, isReady, nowMs),
      canary === undefined ? undefined : testButton(canary),
    ),
    fact(
      'containerd',
      isStoreConnected ? 'check' : 'cross',
      isStoreConnected ? 'answers' : 'does not answer',
    ),
    fact(
      'Peers',
      connected === 0 || dead > 0 ? 'triangle' : 'check',
      [`${connected} connected`, ...others].join(', '),
    ),
    fact('Memory', undefined, memoryText(memory)),
    fact('Zone', undefined, self.zone ?? 'none'),
    fact('Up for', undefined, since(Date.parse(health.startedAt), nowMs)),
  ];
}

/** Has containerd pull the canary now, such as after a fix. */
function testButton({ isRunning }: LiveCanary): Markup {
  return h(
    'button',
    { type: 'button', class: 'link js-only', 'data-action': 'canary', disabled: isRunning },
    isRunning ? 'Testing…' : 'Test now',
  );
}

function memoryText({ usedBytes, limitBytes }: PageFacts['health']['memory']): string {
  if (usedBytes === undefined) return 'not known';
  return limitBytes === undefined
    ? formatSize(usedBytes)
    : `${formatSize(usedBytes)} of ${formatSize(limitBytes)}`;
}

function mirrorFact(
  canary: LiveCanary | undefined,
  isReady: boolean,
  nowMs: number,
): [IconName | undefined, ...Child[]] {
  if (!isReady) return ['triangle', 'not ready'];
  if (canary === undefined) return [undefined, 'ready; use not tested'];
  const { last, isRunning } = canary;
  if (last === null) return [undefined, isRunning ? 'being tested' : 'ready; not tested yet'];
  const ago = [' ', h('span', { class: 'muted' }, since(Date.parse(last.startedAt), nowMs), ' ago')];
  if (last.outcome === 'used') {
    const after = last.askedAfterMs === undefined ? '' : `, asked after ${formatAge(last.askedAfterMs)}`;
    return ['check', `in use${after}`, ago];
  }
  return last.outcome === 'not-used'
    ? ['cross', 'not in use', ago]
    : [undefined, 'ready; test without result', ago];
}

function fact(name: string, mark: IconName | undefined, ...value: readonly Child[]): Markup {
  return h(
    'div',
    { class: 'node-fact' },
    h('dt', {}, name),
    h('dd', {}, mark === undefined ? undefined : icon(mark), h('span', {}, ...value)),
  );
}
