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
  return lines.length === 0 ? first : `${first.replace(/:$/, '')} (spegel doctor prints the lines)`;
}
