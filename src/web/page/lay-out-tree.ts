/** A node of a tree that is to be drawn. */
export interface TreeNode {
  readonly id: string;
  /** The ID of the node above; undefined, or the ID of no node of the list: it stands at the top. */
  readonly parent?: string | undefined;
}

/** A row of the drawing: a node and the lines beside it. */
export interface TreeRow<N extends TreeNode> {
  readonly node: N;
  /** The column of the node's mark. */
  readonly column: number;
  /** The column of the node above; undefined: it stands at the top. */
  readonly from: number | undefined;
  /** The node below that goes on in the same column. */
  readonly next: N | undefined;
  /** Lines that pass by on their way to nodes further below. */
  readonly passing: ReadonlyArray<{ readonly column: number; readonly to: N }>;
}

/**
 * Lays a forest out in rows, each node below the one from which it takes its content. The child with most nodes below goes on in the
 * column of its parent, and is drawn last; each of the others takes the column to the right for itself and all that is below it. So a
 * chain is one straight line however long it is. A ring has no top: it is opened at the first of its nodes.
 */
export function layOutTree<N extends TreeNode>(nodes: readonly N[]): readonly TreeRow<N>[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const below = Map.groupBy(nodes, ({ id, parent }) =>
    parent !== undefined && parent !== id && byId.has(parent) ? parent : undefined,
  );
  const rows: TreeRow<N>[] = [];
  const drawn = new Set<string>();
  const weights = weigh(nodes, below);

  // Not by recursion: a chain has as many steps as the cluster has nodes.
  const draw = (top: N) => {
    const open: TreeRow<N>[] = [{ node: top, column: 0, from: undefined, next: undefined, passing: [] }];
    for (let row = open.pop(); row !== undefined; row = open.pop()) {
      const { node, column, passing } = row;
      if (drawn.has(node.id)) continue;
      drawn.add(node.id);
      const children = (below.get(node.id) ?? [])
        .filter(({ id }) => !drawn.has(id))
        .toSorted((a, b) => (weights.get(a.id) ?? 0) - (weights.get(b.id) ?? 0));
      const next = children.at(-1);
      rows.push({ ...row, next });
      if (next === undefined) continue;
      // What is put on the stack last is drawn first.
      for (const child of children.toReversed()) {
        open.push({
          node: child,
          column: child === next ? column : column + 1,
          from: column,
          next: undefined,
          passing: child === next ? passing : [...passing, { column, to: next }],
        });
      }
    }
  };
  for (const top of below.get(undefined) ?? []) draw(top);
  for (const node of nodes) if (!drawn.has(node.id)) draw(node);
  return rows;
}

/** How many nodes each has below it. */
function weigh<N extends TreeNode>(
  nodes: readonly N[],
  below: ReadonlyMap<string | undefined, readonly N[]>,
): ReadonlyMap<string, number> {
  const order: N[] = [...(below.get(undefined) ?? [])];
  for (let n = 0; n < order.length; n++) order.push(...(below.get(order[n]?.id) ?? []));
  const weights = new Map(nodes.map(({ id }) => [id, 0]));
  for (const { id, parent } of order.toReversed()) {
    if (parent !== undefined && weights.has(parent)) {
      weights.set(parent, (weights.get(parent) ?? 0) + (weights.get(id) ?? 0) + 1);
    }
  }
  return weights;
}
