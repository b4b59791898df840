import type { FlightNodeReport } from '../routing/flights-report.ts';
import { type Cell, formatTable, NUMBER_COLUMN, type TextCell } from '../terminal/format-table.ts';
import { type Look, PLAIN_LOOK } from '../terminal/look.ts';
import { PEER_ID_COLUMN, peerIdCell } from './short-name.ts';

const INDENT = '  ';
/** A chain has as many steps as the cluster has nodes: deeper nodes are told by the column DEPTH alone. */
const MAX_INDENTS = 6;

/**
 * Draws the nodes of a flight as a table, each below the node from which it takes the content and two spaces further in, up to
 * 12. A node whose parent is not in the list stands at the margin. `self`: the ID of the node that is marked.
 */
export function formatFlightTree(
  nodes: readonly FlightNodeReport[],
  self: string,
  look: Look = PLAIN_LOOK,
): string {
  const ids = new Set(nodes.map(({ id }) => id));
  const below = Map.groupBy(nodes, ({ parent }) =>
    parent !== undefined && ids.has(parent) ? parent : undefined,
  );
  const rows: (readonly Cell[])[] = [];
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
        indented(peerIdCell(id), INDENT.repeat(Math.min(depth, MAX_INDENTS))),
        String(depth),
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
  return formatTable([['NODE', 'DEPTH', 'ROLE', 'HAS BYTES', 'ADDRESSES'], ...rows], {
    columns: [
      { flow: 'cut', least: MAX_INDENTS * INDENT.length + (PEER_ID_COLUMN.least ?? 0) },
      NUMBER_COLUMN,
    ],
    look,
  });
}

function indented(cell: TextCell, indent: string): TextCell {
  const { text, short = text } = cell;
  return { ...cell, text: indent + text, short: indent + short };
}
