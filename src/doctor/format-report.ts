import { formatFacts, formatText, formatVerdict } from '../terminal/format-facts.ts';
import type { Look } from '../terminal/look.ts';
import { paint, type Tone } from '../terminal/paint.ts';
import { harmless } from '../terminal/text-width.ts';
import type { NodeReport } from './examine-node.ts';
import type { Finding, FixStep, Severity } from './finding.ts';

const ORDER: readonly Severity[] = ['error', 'warning', 'info'];
const TONES: Readonly<Record<Severity, Tone>> = { error: 'bad', warning: 'poor', info: 'faint' };

/** The report as people read it: the verdict, the node, then worst first each finding with how it was seen and what to do. */
export function formatReport(report: NodeReport, look: Look): string {
  const { distribution, containerd, configFiles, configPath, targets, isTargetAssumed, canary } = report;
  const { findings, unknown } = report;
  const isCanaryTold =
    canary !== undefined && [...findings.flatMap(({ seen }) => seen), ...unknown].includes(canary.text);
  const source = containerd.source === 'socket' ? '' : ` (${containerd.source})`;
  const facts = formatFacts(
    [
      ['node', distribution.name],
      ['containerd', `${containerd.version}${source}`],
      ['its files', configFiles.join(' ') || 'none'],
      ['config_path', configPath || 'not set'],
      ['mirror', `${targets.join(' ')}${isTargetAssumed ? ' (assumed: no hosts.toml names one)' : ''}`],
      ...(canary === undefined
        ? []
        : [['canary', `${canary.outcome}: ${isCanaryTold ? 'see below' : canary.text}`] as const]),
    ],
    look,
  );
  const sorted = ORDER.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
  const notLookedAt = unknown.map((text) => formatText(text, look, { label: '  ' })).join('');
  return [
    formatVerdict(summary(findings, unknown.length > 0), verdictTone(findings), look),
    facts,
    ...sorted.map((finding) => formatFinding(finding, look)),
    ...(notLookedAt === '' ? [] : [`Not looked at:\n${notLookedAt}`]),
  ].join('\n');
}

/** The report as JSON, in the order in which things were looked at. */
export function reportJson({ distribution, ...report }: NodeReport): string {
  return `${JSON.stringify({ distribution: distribution.id, ...report }, undefined, 2)}\n`;
}

/** The exit code: 0 nothing or only `info`, 1 an error, 3 warnings and no error. 2 stays with wrong command lines. */
export function reportExitCode(findings: readonly Finding[]): 0 | 1 | 3 {
  if (findings.some(({ severity }) => severity === 'error')) return 1;
  return findings.some(({ severity }) => severity === 'warning') ? 3 : 0;
}

function formatFinding({ id, severity, what, seen, fix }: Finding, look: Look): string {
  const head = `${paint(severity.toUpperCase(), TONES[severity], look)} ${paint(harmless(id), 'head', look)}\n`;
  const sights = seen.map((text, index) =>
    formatText(text, look, { label: `  ${index === 0 ? 'seen' : '    '}  ` }),
  );
  const steps = fix.flatMap((step, index) => {
    const [first = '', ...others] = formatStep(step);
    const label = `  ${index === 0 ? 'fix ' : 'then'}  `;
    // What is to be copied is not broken; sentences are.
    const isCopied = step.do === 'run';
    return [
      isCopied ? `${label}${harmless(first)}\n` : formatText(first, look, { label }),
      ...others.map((line) => `          ${harmless(line)}\n`),
    ];
  });
  return [head, formatText(`${what}.`, look, { label: '  ' }), ...sights, ...steps].join('');
}

/** A step as lines of text: what to do, then what to write. */
export function formatStep(step: FixStep): readonly string[] {
  switch (step.do) {
    case 'run':
      return [step.command];
    case 'note':
      return step.lines === undefined ? [step.text] : [`${step.text}:`, ...step.lines];
    case 'write':
      return [`write ${step.file}:`, ...step.lines];
    case 'insert':
      return [`in ${step.file} after line ${step.after} add:`, ...step.lines];
    case 'replace':
      break;
  }
  const { file, first, last, lines } = step;
  const range = first === last ? `line ${first}` : `lines ${first} to ${last}`;
  return lines.length === 0 ? [`in ${file} remove ${range}`] : [`in ${file} replace ${range} by:`, ...lines];
}

function verdictTone(findings: readonly Finding[]): Tone {
  const worst = ORDER.find((severity) => findings.some((finding) => finding.severity === severity));
  return worst === undefined || worst === 'info' ? 'good' : TONES[worst];
}

function summary(findings: readonly Finding[], isPartial: boolean): string {
  if (findings.length === 0 && isPartial) return 'Nothing found in what could be looked at.';
  if (findings.length === 0) return 'Nothing found: containerd asks the mirror, and the mirror can serve.';
  return ORDER.flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 || severity === 'info' ? '' : 's'}`];
  })
    .join(', ')
    .concat('.');
}
