/** Set by scripts/build through `bun build --define`. */
declare const SPEGEL_VERSION: string | undefined;
/** Set by scripts/build: the commit, with `-dirty` when the tree had changes, `unknown` without git. */
declare const SPEGEL_COMMIT: string | undefined;

/** What this program was built from; run from source it is `dev` and `unknown`. */
export const build = {
  version: typeof SPEGEL_VERSION === 'string' ? SPEGEL_VERSION : 'dev',
  commit: typeof SPEGEL_COMMIT === 'string' ? SPEGEL_COMMIT : 'unknown',
} as const;
