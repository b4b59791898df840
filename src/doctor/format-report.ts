import type { NodeReport } from './examine-node.ts';
import type { Finding, FixStep, Severity } from './finding.ts';

const ORDER: readonly Severity[] = ['error', 'warning', 'info'];

/** The report as people read it: worst first, each finding with how it was seen and what to do. */
export function formatReport(report: NodeReport): string {
  const { distribution, containerd, configFiles, configPath, targets, isTargetAssumed, findings, unknown } =
    report;
  const { canary } = report;
  const source = containerd.source === 'socket' ? '' : ` (${containerd.source})`;
  const lines = [
    `node         ${distribution.name}`,
    `containerd   ${containerd.version}${source}`,
    `its files    ${configFiles.join(' ') || 'none'}`,
    `config_path  ${configPath || 'not set'}`,
    `mirror       ${targets.join(' ')}${isTargetAssumed ? ' (assumed: no hosts.toml names one)' : ''}`,
    ...(canary === undefined ? [] : [`canary       ${canary.outcome}: ${canary.text}`]),
    '',
    ...ORDER.flatMap((severity) => findings.filter((finding) => finding.severity === severity)).flatMap(
      formatFinding,
    ),
    ...(unknown.length === 0 ? [] : ['Not looked at:', ...unknown.map((text) => `  ${text}`), '']),
    summary(findings, unknown.length > 0),
  ];
  return `${lines.map(printable).join('\n')}\n`;
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

function formatFinding({ id, severity, what, seen, fix }: Finding): string[] {
  return [
    `${severity.toUpperCase()} ${id}`,
    `  ${what}.`,
    ...seen.map((text, index) => `  ${index === 0 ? 'seen' : '    '}  ${text}`),
    ...fix.flatMap((step, index) => {
      const [first = '', ...others] = formatStep(step);
      return [`  ${index === 0 ? 'fix ' : 'then'}  ${first}`, ...others.map((line) => `          ${line}`)];
    }),
    '',
  ];
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

function summary(findings: readonly Finding[], isPartial: boolean): string {
  if (findings.length === 0 && isPartial) return 'Nothing found in what could be looked at.';
  if (findings.length === 0) return 'Nothing found: containerd asks the mirror, and the mirror can serve.';
  return ORDER.flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 || severity === 'info' ? '' : 's'}`];
  }).join(', ');
}

/** Some of it comes from files and servers: it must not send control sequences to the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?');
}
