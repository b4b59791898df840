import { formatTable } from '../../src/commands/format-table.ts';
import type { Goal } from './scenario.ts';

/** What one story gave. */
export interface SimReport {
  readonly story: string;
  readonly goals: readonly Goal[];
  readonly figures: Readonly<Record<string, number>>;
  readonly virtualSeconds: number;
  /** All that the simulation holds, the model of the network included. */
  readonly heapBytesPerNode: number;
  /** What it took this machine. */
  readonly cpuSeconds: number;
}

/** The goals of all stories, then the figures of each. */
export function formatSim(reports: readonly SimReport[]): string {
  const goals = reports.flatMap(({ story, goals }) =>
    goals.map(({ name, isMet, seen }) => [story, isMet ? 'met' : 'MISSED', seen, name]),
  );
  const figures = reports.flatMap(({ story, figures, heapBytesPerNode, virtualSeconds, cpuSeconds }) => [
    ...Object.entries(figures).map(([name, value]) => [story, name, String(Number(value.toFixed(3)))]),
    [story, 'heapKibPerNode', (heapBytesPerNode / 1024).toFixed(0)],
    [story, 'virtualSeconds', virtualSeconds.toFixed(0)],
    [story, 'cpuSeconds', cpuSeconds.toFixed(1)],
  ]);
  return [
    formatTable([['STORY', 'GOAL', 'SEEN', 'WHAT'], ...goals]),
    formatTable([['STORY', 'FIGURE', 'VALUE'], ...figures]),
  ].join('\n\n');
}
