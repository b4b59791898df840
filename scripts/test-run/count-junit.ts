/** How many tests passed, failed and were skipped. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The totals of a JUnit report, from its root element; undefined if there is none or it ran nothing. */
export function countJunit(xml: string): TestCounts | undefined {
  const [, attributes] = /<testsuites\b([^>]*)>/.exec(xml) ?? [];
  if (attributes === undefined || !xml.trimEnd().endsWith('</testsuites>')) return undefined;
  const read = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(attributes)?.[1] ?? 0);
  const total = read('tests');
  const failed = read('failures') + read('errors');
  const skipped = read('skipped');
  if (total === 0) return undefined;
  return { passed: Math.max(0, total - failed - skipped), failed, skipped };
}

/**
 * What the skipped tests of a JUnit report need, and how many tests need it. A test that may be skipped says so in its
 * own name or in that of its `describe`: "(needs helm)". A test that does not counts as needing "no reason given".
 */
export function countNeeds(xml: string): ReadonlyMap<string, number> {
  const needs = new Map<string, number>();
  for (const [, attributes = ''] of xml.matchAll(/<testcase\b([^>]*[^/>])>\s*<skipped\b/g)) {
    const need = /\(needs ([^)"]+)\)/.exec(attributes)?.[1] ?? 'no reason given';
    needs.set(need, (needs.get(need) ?? 0) + 1);
  }
  return needs;
}
