/** A DHT node whose records are measured. */
export interface StoreCommands {
  /** Where it listens, with its peer ID. */
  address(options: Record<string, never>): Promise<string>;
  /** Collects garbage, so that what is left is what is kept. */
  collect(options: Record<string, never>): Promise<void>;
}

/** Providers, and the keys of each: records are one per provider and key. */
export interface Filling {
  readonly providers: number;
  readonly keysPerProvider: number;
}

/** What asks it. */
export interface QuerierCommands {
  /** Gives the node all records, each from its own provider. Returns how long that took, in ms. */
  addRecords(options: Filling & { readonly address: string }): Promise<number>;
  /** Asks for random keys, one after the other, over one stream or a new one each. */
  query(
    options: Filling & {
      readonly address: string;
      readonly isStreamKept: boolean;
      /** Ends after so many, or when the time is up. */
      readonly queries: number;
      readonly budgetMs: number;
    },
  ): Promise<{
    readonly tookMs: readonly number[];
    /** Answers without the provider. */
    readonly wrong: number;
  }>;
}
