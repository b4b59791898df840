import type { Finding, FixStep } from '../doctor/finding.ts';
import { formatStep } from '../doctor/format-report.ts';
import type { LiveFinding } from '../web/live-report.ts';

/** A file, with its line if that is known. */
const FILE = /^\/[^:\s]+(?::\d+)?(?=:|$)/;

/**
 * The findings as the debug page may show them to everybody who reaches the metrics address: of files only where to look, because
 * their lines may have passwords in them.
 */
export function liveFindings(findings: readonly Finding[]): readonly LiveFinding[] {
  return findings.map(({ id, severity, what, seen, fix }) => ({
    id,
    severity,
    what,
    seen: seen.map((text) => FILE.exec(text)?.[0] ?? text),
    fix: fix.map(stepInWords),
  }));
}

function stepInWords(step: FixStep): string {
  const [first = '', ...lines] = formatStep(step);
  if (lines.length === 0) return first;
  const what =
    lines.length === 1 ? 'the line that spegel doctor prints' : 'the lines that spegel doctor prints';
  // As in "replace line 7 by" and "after line 2 add"; other steps are whole sentences without them.
  return step.do === 'replace' || step.do === 'insert'
    ? `${first.replace(/:$/, '')} ${what}`
    : `${first.replace(/:$/, '')}: ${what}`;
}
