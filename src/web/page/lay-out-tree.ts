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
  /** True if a node below goes on in the same column. */
  readonly hasNext: boolean;
  /** Columns of lines that pass by on their way to rows below. */
  readonly passing: readonly number[];
  /** Steps to the top. */
  readonly depth: number;
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
    const open: TreeRow<N>[] = [
      { node: top, column: 0, from: undefined, hasNext: false, passing: [], depth: 0 },
    ];
    for (let row = open.pop(); row !== undefined; row = open.pop()) {
      const { node, column, passing, depth } = row;
      if (drawn.has(node.id)) continue;
      drawn.add(node.id);
      const children = (below.get(node.id) ?? [])
        .filter(({ id }) => !drawn.has(id))
        .toSorted((a, b) => (weights.get(a.id) ?? 0) - (weights.get(b.id) ?? 0));
      const last = children.length - 1;
      rows.push({ ...row, hasNext: last >= 0 });
      // The last is taken first from the stack's end, so they go on it in reverse.
      for (let n = last; n >= 0; n--) {
        const child = children[n];
        if (child === undefined) continue;
        const isMain = n === last;
        open.push({
          node: child,
          column: isMain ? column : column + 1,
          from: column,
          hasNext: false,
          passing: isMain ? passing : [...passing, column],
          depth: depth + 1,
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
