import type { Clock } from '../runtime/clock.ts';
import type { FlightReport } from './flight-messages.ts';
import type { FlightNetwork } from './flight-network.ts';

/**
 * That a download goes on is told so much later, in ms: by then a small one is over, which is then all that there is to tell, if
 * anything is. A root has a lease of 2 s, which begins when it asks.
 */
const RUNNING_DELAY_MS = 300;

/** What createReportQueue needs. */
export interface ReportQueueDeps {
  readonly clock: Clock;
  /** Sends a report to a tower. */
  readonly send: (tower: string, report: FlightReport) => void;
}

/**
 * Spares the towers reports, most of which are of small blobs that are there at once: see FlightNetwork.report(). A message
 * costs both nodes more than a small blob does.
 */
export function createReportQueue({ clock, send }: ReportQueueDeps): Pick<FlightNetwork, 'report'> {
  /** Reports of downloads that go on, by tower and digest, which have not been sent yet. */
  const waiting = new Map<string, { readonly tower: string; readonly report: FlightReport }>();
  /** Towers and digests of downloads that were told of, and have not ended. */
  const told = new Set<string>();
  const sendWaiting = () => {
    const due = [...waiting];
    waiting.clear();
    for (const [key, { tower, report }] of due) {
      told.add(key);
      send(tower, report);
    }
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
      const wasTold = told.delete(key);
      if (wasTold || report.state === 'aborted' || !isInRecords) send(tower, report);
    },
  };
}
