import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FlightReport } from './flight-messages.ts';
import type { FlightNetwork } from './flight-network.ts';

/**
 * That a download goes on is told so much later, in ms: by then a small one is over, which is then all that there is to tell, if
 * anything is. A root has a lease of 2 s, which begins when it asks.
 */
export const RUNNING_DELAY_MS = 300;

/** What createReportQueue needs. */
export interface ReportQueueDeps {
  readonly clock: Clock;
  /** Sends a report to a tower. */
  readonly send: (tower: string, report: FlightReport) => void;
  /** True for a tower that is among the first to get the record that this node has the content. */
  readonly isToldFirst: (tower: string, digest: Digest) => boolean;
}

/**
 * Spares the towers reports, most of which are of small blobs that are there at once: see FlightNetwork.report(). A message
 * costs both nodes more than a small blob does.
 */
export function createReportQueue({
  clock,
  send,
  isToldFirst,
}: ReportQueueDeps): Pick<FlightNetwork, 'report'> {
  /** Reports of downloads that go on, by tower and digest, which have not been sent yet. */
  const waiting = new Map<string, { readonly tower: string; readonly report: FlightReport }>();
  const sendWaiting = () => {
    const due = [...waiting.values()];
    waiting.clear();
    for (const { tower, report } of due) send(tower, report);
  };
  return {
    report(tower, report, isInRecords) {
      const key = `${tower} ${report.digest}`;
      if (report.state === 'running') {
        if (waiting.size === 0) clock.sleep(RUNNING_DELAY_MS).then(sendWaiting, () => {});
        waiting.set(key, { tower, report });
        return;
      }
      waiting.delete(key);
      const isSpared = isInRecords && report.state === 'done' && isToldFirst(tower, report.digest);
      if (!isSpared) send(tower, report);
    },
  };
}
