/** What a PromQL expression reads. */
export interface ExpressionNames {
  /** Metrics, each once. */
  readonly metrics: readonly string[];
  /** Labels of matchers, of aggregations and of vector matching, each once. */
  readonly labels: readonly string[];
}

/** Words of PromQL that stand where a metric could. */
const WORDS = new Set([
  'and',
  'or',
  'unless',
  'bool',
  'offset',
  'by',
  'without',
  'on',
  'ignoring',
  'inf',
  'nan',
]);
const MATCHER = /([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*""/g;
const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;

/** Lists what an expression reads. It has to be one that Prometheus takes: what is wrong in another way is not found. */
export function expressionNames(expression: string): ExpressionNames {
  const bare = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').replaceAll(/\[[^\]]*\]/g, '');
  const matched = Array.from(bare.matchAll(MATCHER), ([, label = '']) => label);
  const grouped = Array.from(bare.matchAll(GROUPING), ([, list = '']) => list.split(',')).flat();
  const rest = bare.replaceAll(/\{[^}]*\}/g, ' ').replaceAll(GROUPING, ' ');
  const names = Array.from(
    rest.matchAll(/(?<![\w:.])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])/g),
    ([, name = '']) => name,
  );
  return {
    metrics: [...new Set(names.filter((name) => !WORDS.has(name.toLowerCase())))],
    labels: [...new Set([...matched, ...grouped.map((label) => label.trim())])].filter(
      (label) => label !== '',
    ),
  };
}
