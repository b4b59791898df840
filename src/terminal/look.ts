/** How a command's text may look where it is read. */
export interface Look {
  /** Columns of a line; Infinity: nothing is wrapped or shortened. */
  readonly width: number;
  readonly hasColor: boolean;
}

/** The size of a terminal, which changes. */
export interface Screen {
  /** Undefined: that is not known. */
  readonly columns: () => number | undefined;
  /** Undefined: that is not known. */
  readonly rows: () => number | undefined;
}

/** What createLook is told. */
export interface LookOptions {
  /** The terminal that the text goes to; undefined: it goes elsewhere. */
  readonly screen: Screen | undefined;
  /** Write all of each name, however long the lines become. */
  readonly isWide: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What a pipe or a file gets, and a terminal that does not tell its width. */
const DEFAULT_WIDTH = 80;
/** Less is not a width that a person reads at. */
const LEAST_WIDTH = 20;

/** Neither colours nor an end of the line. */
export const PLAIN_LOOK: Look = { width: Infinity, hasColor: false };

/** The look of what is written: as wide as the terminal, coloured there alone, and never with NO_COLOR (no-color.org). */
export function createLook({ screen, isWide, environment }: LookOptions): Look {
  const width = screen?.columns() || DEFAULT_WIDTH;
  const isColorRefused = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
  return {
    width: isWide ? Infinity : Math.max(LEAST_WIDTH, width),
    hasColor: screen !== undefined && !isColorRefused,
  };
}
