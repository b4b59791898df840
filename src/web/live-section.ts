/** What one kind of event tells, with its versions: each stream asks for what it has not seen. */
export interface LiveSection {
  /** Reads what is so now. */
  refresh(): void;
  /** Since that version: the data of the event as JSON, and its version; undefined: nothing has changed. 0: nothing was seen. */
  since(version: number): LiveNews | undefined;
}

/** What a stream has not seen. */
export interface LiveNews {
  readonly version: number;
  readonly data: string;
}

/** A section that is told as a whole whenever it has changed. */
export function createWholeSection(read: () => unknown): LiveSection {
  let version = 0;
  let data = '';
  return {
    refresh() {
      const now = JSON.stringify(read());
      if (now === data) return;
      data = now;
      version++;
    },
    since: (seen) => (seen === version ? undefined : { version, data }),
  };
}

/** Has the news put together once for all streams that have seen the same. */
export function shareNews(section: LiveSection): LiveSection {
  let last: { readonly since: number; readonly news: LiveNews | undefined } | undefined;
  return {
    refresh() {
      last = undefined;
      section.refresh();
    },
    since(version) {
      if (last?.since !== version) last = { since: version, news: section.since(version) };
      return last.news;
    },
  };
}
