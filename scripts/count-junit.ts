/** How many tests passed and failed; skipped ones are neither. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
}

/** The totals of a JUnit report, from its root element; undefined if there is none or it ran nothing. */
export function countJunit(xml: string): TestCounts | undefined {
  const [, attributes] = /<testsuites\b([^>]*)>/.exec(xml) ?? [];
  if (attributes === undefined || !xml.trimEnd().endsWith('</testsuites>')) return undefined;
  const read = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(attributes)?.[1] ?? 0);
  const total = read('tests');
  const failed = read('failures') + read('errors');
  if (total === 0) return undefined;
  return { passed: Math.max(0, total - failed - read('skipped')), failed };
}
