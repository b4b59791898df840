import type { FlightNodeReport } from '../routing/flights-report.ts';
import { formatTable } from './format-table.ts';

const INDENT = '  ';

/**
 * Draws the nodes of a flight as a table, each below the node from which it takes the content and two spaces further in.
 * A node whose parent is not in the list stands at the margin. `self`: the ID of the node that is marked.
 */
export function formatFlightTree(nodes: readonly FlightNodeReport[], self: string): string {
  const ids = new Set(nodes.map(({ id }) => id));
  const below = Map.groupBy(nodes, ({ parent }) =>
    parent !== undefined && ids.has(parent) ? parent : undefined,
  );
  const rows: string[][] = [];
  const drawn = new Set<FlightNodeReport>();
  // Not by recursion: a chain has as many steps as the cluster has nodes.
  const draw = (tops: readonly FlightNodeReport[]) => {
    const open = tops.map((node) => ({ node, depth: 0 })).toReversed();
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { node, depth } = next;
      if (drawn.has(node)) continue;
      drawn.add(node);
      const { id, role, hasBegun, addresses } = node;
      rows.push([
        `${INDENT.repeat(depth)}${id}`,
        role,
        hasBegun ? 'yes' : 'no',
        `${addresses.join(' ')}${id === self ? ' (this node)' : ''}`.trim(),
      ]);
      const children = below.get(id) ?? [];
      for (const child of children.toReversed()) open.push({ node: child, depth: depth + 1 });
    }
  };
  draw(below.get(undefined) ?? []);
  // A ring has no top; a tower has none, but what another node says is not to be relied on.
  for (const node of nodes) draw([node]);
  return formatTable([['NODE', 'ROLE', 'HAS BYTES', 'ADDRESSES'], ...rows]);
}
