/** One value of a chart. */
export interface ChartValue {
  /** Such as `service.registry.port`. */
  readonly path: string;
  /** As JSON. */
  readonly defaultValue: string;
  /** The comments above it in values.yaml, and above the maps that it is the first value of; empty if there are none. */
  readonly comment: string;
}

/** The name of a value; a map with other keys (labels, node selectors) is a value as a whole. */
const NAME = /^[A-Za-z][\w-]*$/;
/** A key with its indentation, or a comment. */
const LINE = /^(?<indent> *)(?:# ?(?<comment>.*)|(?<key>[A-Za-z][\w-]*):.*)$/;

/**
 * Lists the values of a values.yaml with their defaults and the comments above them. Maps with content are not values, what
 * is in them is. Throws if the comments cannot be told from the text: it reads block style with two spaces only.
 */
export function readChartValues(yaml: string): readonly ChartValue[] {
  const leaves = new Map(flatten(Bun.YAML.parse(yaml), ''));
  const comments = readComments(yaml);
  for (const path of leaves.keys()) {
    if (!comments.has(path)) throw new TypeError(`Cannot find ${path} in the lines of values.yaml`);
  }
  return Array.from(leaves, ([path, value]) => ({
    path,
    defaultValue: JSON.stringify(value),
    comment: comments.get(path) ?? '',
  }));
}

function flatten(value: unknown, path: string): ReadonlyArray<readonly [string, unknown]> {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = isMap ? Object.entries(value) : [];
  if (entries.length === 0 || !entries.every(([key]) => NAME.test(key))) return [[path, value]];
  return entries.flatMap(([key, inner]) => flatten(inner, path === '' ? key : `${path}.${key}`));
}

function readComments(yaml: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const parents: string[] = [];
  let pending: string[] = [];
  for (const line of yaml.split('\n')) {
    const { indent = '', comment, key } = LINE.exec(line)?.groups ?? {};
    if (comment !== undefined) pending.push(comment.trim());
    else if (key !== undefined) {
      const depth = indent.length / 2;
      parents.length = depth;
      parents.push(key);
      found.set(parents.join('.'), pending.join(' '));
      pending = [];
    } else pending = [];
  }
  // A map's comment is told with its first value, since the map has no line of its own in a list of values.
  for (const [path, comment] of found) {
    const first = [...found.keys()].find((other) => other.startsWith(`${path}.`));
    if (comment === '' || first === undefined) continue;
    found.set(first, [comment, found.get(first)].filter(Boolean).join(' '));
  }
  return found;
}
