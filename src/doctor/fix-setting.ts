import type { FixStep } from './finding.ts';

/** A setting of spegel that has to change. */
export interface SettingChange {
  /** What to do, if more than to set it. */
  readonly text: string | undefined;
  /** A line of YAML below `spegel:` in the chart's values. */
  readonly value: string;
  /** The flag with its value. */
  readonly flag: string;
}

/** The steps that change a setting of spegel: in the chart's values where there is Kubernetes, and as a flag anywhere. */
export function fixSetting(isKubernetes: boolean, { text, value, flag }: SettingChange): readonly FixStep[] {
  if (!isKubernetes) return [{ do: 'note', text: text ?? 'set the flag', lines: [flag] }];
  const inChart = text === undefined ? 'in the chart' : `${text}; in the chart`;
  return [
    { do: 'note', text: inChart, lines: ['spegel:', `  ${value}`] },
    { do: 'note', text: 'as a flag', lines: [flag] },
  ];
}
