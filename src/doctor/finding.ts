/** How bad it is: the mirror is not used or cannot serve; it may be; good to know. */
export type Severity = 'error' | 'warning' | 'info';

/**
 * One step of a fix. Lines are counted from 1 and as the file is now: steps of one finding are to be carried out from the
 * last line of a file to its first.
 */
export type FixStep =
  /** What to do where nothing on this node can be edited, with the lines to use elsewhere. */
  | { readonly do: 'note'; readonly text: string; readonly lines?: readonly string[] }
  /** Replaces lines `first` to `last`, both included; no lines: removes them. */
  | {
      readonly do: 'replace';
      readonly file: string;
      readonly first: number;
      readonly last: number;
      readonly lines: readonly string[];
    }
  /** Adds lines after a line; 0 is before the first. */
  | {
      readonly do: 'insert';
      readonly file: string;
      readonly after: number;
      readonly lines: readonly string[];
    }
  /** Makes a file that is not there. */
  | { readonly do: 'write'; readonly file: string; readonly lines: readonly string[] }
  | { readonly do: 'run'; readonly command: string };

/** One way in which this node's mirror is not used or cannot serve. */
export interface Finding {
  /** Never changes its meaning; docs/TROUBLESHOOTING.md has a section on it. */
  readonly id: string;
  readonly severity: Severity;
  /** What is wrong, and what follows from it. */
  readonly what: string;
  /** How it was seen: `file:line: value`, or who answered what. */
  readonly seen: readonly string[];
  readonly fix: readonly FixStep[];
}

/** What was found, and what could not be looked at with the reason. */
export interface Findings {
  readonly findings: readonly Finding[];
  readonly unknown: readonly string[];
}

/** Puts results together in their order. */
export function joinFindings(...parts: readonly Findings[]): Findings {
  return {
    findings: parts.flatMap(({ findings }) => findings),
    unknown: parts.flatMap(({ unknown }) => unknown),
  };
}
