import type { LiveCanary } from '../live-report.ts';
import { formatAge } from './format-age.ts';
import { formatSize } from './format-size.ts';
import { icon, type IconName } from './icon.ts';
import { copyButton } from './digest-text.ts';
import { type HealthVerdict, judgeHealth, type Problem } from './judge-health.ts';
import { h, type Child, type Markup } from './markup.ts';
import type { PageFacts } from './page-facts.ts';
import { since } from './since.ts';

/** The words beside the icon of each level. */
const LEVELS = { well: 'Well', attention: 'Look at this', ill: 'Needs fixing', note: 'Note' } as const;
/** Problems that are open from the start. */
const OPEN_PROBLEMS = 3;

/**
 * What stands on top: in one line whether this node is well, or the worst that is not, which opens to how it was seen and what to do;
 * then other problems, and what is known of the node.
 */
export function healthView(facts: PageFacts): readonly Markup[] {
  const verdict = judgeHealth(facts);
  const { level, text, problems } = verdict;
  return [
    // For those who listen: the line itself is told only when they come to it.
    h('p', { class: 'hidden', role: 'status', 'data-key': 'told' }, `${LEVELS[level]}: ${text}`),
    level === 'well'
      ? h('p', { class: 'verdict is-well', id: 'verdict', 'data-key': 'verdict' }, verdictLine(verdict))
      : '',
    problems.length === 0
      ? ''
      : h(
          'div',
          { class: 'problems', 'data-key': 'problems' },
          problems.map((problem, n) => problemView(problem, n, verdict)),
        ),
    h('dl', { class: 'node-facts', 'data-key': 'facts' }, nodeFacts(facts)),
  ];
}

function verdictLine({ level, text, others }: HealthVerdict): readonly Child[] {
  const more = `And ${others} more ${others === 1 ? 'problem' : 'problems'}.`;
  return [
    icon(level),
    h('span', { class: 'verdict-level' }, LEVELS[level]),
    h('span', { class: 'verdict-text' }, text),
    others === 0 ? undefined : h('span', { class: 'verdict-more' }, more),
  ];
}

/** The few words of a problem are a summary that opens to how it was seen and what to do; the worst is the verdict. */
function problemView({ id, level, what, seen, fix }: Problem, n: number, verdict: HealthVerdict): Markup {
  const isVerdict = n === 0 && verdict.level !== 'well';
  return h(
    'details',
    {
      class: `problem is-${level}${isVerdict ? ' is-worst' : ''}`,
      'data-key': id,
      open: level !== 'note' && n < OPEN_PROBLEMS,
    },
    isVerdict
      ? h('summary', { class: `verdict is-${level}`, id: 'verdict' }, verdictLine(verdict))
      : h(
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
  if (canary === undefined) return [undefined, 'ready; not tested'];
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
