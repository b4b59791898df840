import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';

import { RECORD_TABLE_BYTES } from '../dht/provide/record-table.ts';
import { planMemory } from '../runtime/memory/memory-plan.ts';
import { CONNECTION_BYTES, planRouter } from './router-budget.ts';

const MIB = 1024 * 1024;
const document = (name: string) => readFileSync(`${import.meta.dir}/../../docs/${name}`, 'utf8');

describe('planRouter()', () => {
  test.each([64, 96, 128, 256, 512])('fits into its part of %d MiB', (limitMib) => {
    const plan = planMemory(limitMib * MIB);
    const { maxConnections, maxRecords, maxPendingRecords } = planRouter(plan);
    expect(maxConnections * CONNECTION_BYTES).toBeLessThanOrEqual(plan.routerConnectionsBytes);
    expect(maxRecords * RECORD_TABLE_BYTES).toBeLessThanOrEqual(plan.recordsBytes);
    expect(maxPendingRecords).toBeLessThanOrEqual(maxRecords / 10);
    // A node has room for its twenty neighbours, and for a few others.
    expect(maxConnections).toBeGreaterThan(24);
  });

  test('has the numbers that the documents say', () => {
    const [small, usual, large] = [64, 128, 512].map((mib) => planRouter(planMemory(mib * MIB)));
    const connections = [small, usual, large].map((budget) => budget?.maxConnections);
    expect(document('SECURITY.md')).toContain(`by memory: ${connections.join(', ')} with 64, 128, 512 MiB`);
    expect(document('ROUTING.md')).toContain(`${connections[0]} with 64 MiB, ${connections[1]} with 128`);
    const records = [small, usual, large].map(
      (budget) => `${Math.floor((budget?.maxRecords ?? 0) / 1000).toLocaleString('en')},000`,
    );
    expect(document('SECURITY.md')).toContain(`by memory: ${records.join(', ')} with`);
    expect(document('ROUTING.md')).toContain(`${records[1]} of ${RECORD_TABLE_BYTES} bytes each`);
  });
});
