/** Nanoseconds in the units of Go's time.ParseDuration. */
const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const MAX_NS = 2n ** 63n - 1n;

/** Why Go's time.ParseDuration does not take a text, undefined if it does. */
export function goDurationProblem(text: string): string | undefined {
  const amount = text.replace(/^[+-]/, '');
  if (amount === '0') return undefined;
  if (/^(?:\d+\.?\d*|\.\d+)$/.test(amount)) return 'has no unit';
  const parts = Array.from(amount.matchAll(/(\d+\.?\d*|\.\d+)([^\d.]+)/g));
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== amount) return 'is no duration';
  let totalNs = 0n;
  for (const [, number = '', unit = ''] of parts) {
    const unitNs = UNIT_NS[unit];
    if (unitNs === undefined) return 'has a unit that containerd does not know';
    const [whole = '', fraction = ''] = number.split('.');
    totalNs += BigInt(whole || '0') * unitNs;
    totalNs += (BigInt(fraction || '0') * unitNs) / 10n ** BigInt(fraction.length);
  }
  return totalNs > MAX_NS ? 'is too long' : undefined;
}
