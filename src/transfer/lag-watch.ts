import type { Clock } from '../runtime/clock.ts';
import { LAG_CHECK_MS, LAG_SUSPECT_CHECK_MS } from './budgets.ts';
import type { BodyPace } from './throughput-floor.ts';

/** What createLagWatch needs. */
export interface LagWatchDeps<Node> {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Asks whether others are far ahead of the node, which has given so many bytes. */
  readonly lags: (node: Node, atByte: number) => Promise<boolean>;
  /** True for a node that was slow for another request a moment ago. */
  readonly isSuspect: (node: Node) => boolean;
}

/**
 * Judges the nodes of a flight that give one request its bytes by how far other nodes are, too. A node may be slow because
 * upstream is: then all are. But behind a slow link in the middle of a chain everything is slow. So it is asked whether
 * others are far ahead, each time that the request has waited for its node for so long, over all bodies of that node and the
 * time between: on a slow link a body stands still and begins anew, again and again.
 */
export interface LagWatch<Node> {
  /** Judges a body as its pace does, and by how far others are. */
  watch(pace: BodyPace, node: Node, fromByte: number): BodyPace;
  /** The request waits for the node, without a body: true if others are far ahead of so many bytes. */
  waits(node: Node, atByte: number): Promise<boolean>;
}

/** Makes the watch of a request that has waited for no node yet. Nodes are compared by their names. */
export function createLagWatch<Node extends { readonly name: string }>({
  clock,
  lags,
  isSuspect,
}: LagWatchDeps<Node>): LagWatch<Node> {
  let name: string | undefined;
  /** Waiting for that node since others were asked for last. */
  let waitedMs = 0;
  /** Until when the time without a body is counted. */
  let countedMs = clock.nowMs();
  const turnTo = (node: Node) => {
    const nowMs = clock.nowMs();
    if (node.name === name) waitedMs += nowMs - countedMs;
    else [name, waitedMs] = [node.name, 0];
    countedMs = nowMs;
  };
  const isDue = (node: Node): boolean => {
    if (waitedMs < (isSuspect(node) ? LAG_SUSPECT_CHECK_MS : LAG_CHECK_MS)) return false;
    waitedMs = 0;
    return true;
  };

  return {
    watch(pace, node, fromByte) {
      turnTo(node);
      let seenMs = 0;
      let isBehind = false;
      return {
        everyMs: pace.everyMs,
        judge(progress) {
          const reason = pace.judge(progress);
          if (reason !== undefined || isBehind) return reason ?? 'slow';
          waitedMs += progress.waitedMs - seenMs;
          seenMs = progress.waitedMs;
          countedMs = clock.nowMs();
          if (isDue(node)) {
            void lags(node, fromByte + progress.movedBytes).then((answer) => {
              isBehind = answer;
            });
          }
          return undefined;
        },
        ended: (movedBytes) => pace.ended(movedBytes),
      };
    },
    async waits(node, atByte) {
      turnTo(node);
      return isDue(node) && (await lags(node, atByte));
    },
  };
}
