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

/** A section as the streams send it. */
export interface LiveSource {
  /** Reads what is so now. */
  refresh(): void;
  /** As LiveSection.since(): the whole event, made once for all streams that have seen the same. */
  since(version: number): { readonly version: number; readonly event: Uint8Array } | undefined;
}

/** Makes the events of a section, which are named so. */
export function createLiveSource(name: string, section: LiveSection): LiveSource {
  let last: { readonly since: number; readonly news: ReturnType<LiveSource['since']> } | undefined;
  const encode = ({ version, data }: LiveNews) => ({
    version,
    event: Buffer.from(`event: ${name}\ndata: ${data}\n\n`),
  });
  return {
    refresh() {
      last = undefined;
      section.refresh();
    },
    since(version) {
      if (last?.since !== version) {
        const news = section.since(version);
        last = { since: version, news: news && encode(news) };
      }
      return last.news;
    },
  };
}
