/** Labels of a sample. */
export type Labels = Readonly<Record<string, string>>;

/** One line of a metrics page. */
export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** A metrics page. */
export interface Metrics {
  readonly samples: readonly Sample[];
  /** Sum over the samples of that name that carry all of these labels; 0 when there is none. */
  sum(name: string, labels?: Labels): number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads Prometheus' text format. */
export function parseMetrics(text: string): Metrics {
  const samples = text.split('\n').flatMap((line): Sample[] => {
    const [, name, labels, value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) return [];
    return [{ name, labels: parseLabels(labels ?? ''), value: parseValue(value) }];
  });
  return {
    samples,
    sum: (name, labels = {}) =>
      samples
        .filter(
          (sample) =>
            sample.name === name &&
            Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
        )
        .reduce((sum, { value }) => sum + value, 0),
  };
}

function parseLabels(text: string): Labels {
  return Object.fromEntries(
    Array.from(text.matchAll(LABEL), ([, key = '', value = '']) => [
      key,
      value.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)),
    ]),
  );
}

function parseValue(text: string): number {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}
