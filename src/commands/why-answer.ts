import type { WhyContent, WhyReport } from '../routing/why-report.ts';

/** A download of content that no node has yet, as its tower knows it. */
export interface WhyDownload {
  /** This node's containerd was sent to the registry for it, and downloads it, or is about to. */
  readonly isOwn: boolean;
  /** Addresses, or IDs, of other nodes that download it from the registry: a request would wait for these. */
  readonly others: readonly string[];
}

/** A WhyContent, and who downloads it. */
export interface WhyView extends WhyContent {
  readonly download?: WhyDownload | undefined;
}

/** What `spegel why --json` prints. */
export interface WhyAnswer extends Omit<WhyReport, 'contents'> {
  /** All that is asked for would be given to containerd now, or comes from a download that is under way. */
  readonly canServe: boolean;
  readonly contents: readonly WhyView[];
}

/** Containerd would have to go to the registry for it. */
export function isNowhere({ outcome, download }: WhyView): boolean {
  return outcome.how === 'missing' && (download?.others ?? []).length === 0;
}
