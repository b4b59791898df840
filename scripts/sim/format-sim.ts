import { formatTable } from '../../src/terminal/format-table.ts';
import type { Goal } from './scenario.ts';

/** What one scenario gave. */
export interface SimReport {
  readonly scenario: string;
  readonly goals: readonly Goal[];
  readonly figures: Readonly<Record<string, number>>;
  readonly virtualSeconds: number;
  /** All that the simulation holds, the model of the network included. */
  readonly heapBytesPerNode: number;
  /** What it took this machine. */
  readonly cpuSeconds: number;
}

/** The goals of all scenarios, then the figures of each. */
export function formatSim(reports: readonly SimReport[]): string {
  const goals = reports.flatMap(({ scenario, goals }) =>
    goals.map(({ name, isMet, seen }) => [scenario, isMet ? 'met' : 'MISSED', seen, name]),
  );
  const figures = reports.flatMap(({ scenario, figures, heapBytesPerNode, virtualSeconds, cpuSeconds }) => [
    ...Object.entries(figures).map(([name, value]) => [scenario, name, String(Number(value.toFixed(3)))]),
    [scenario, 'heapKibPerNode', (heapBytesPerNode / 1024).toFixed(0)],
    [scenario, 'virtualSeconds', virtualSeconds.toFixed(0)],
    [scenario, 'cpuSeconds', cpuSeconds.toFixed(1)],
  ]);
  return [
    formatTable([['SCENARIO', 'GOAL', 'SEEN', 'WHAT'], ...goals]),
    formatTable([['SCENARIO', 'FIGURE', 'VALUE'], ...figures]),
  ].join('\n\n');
}
