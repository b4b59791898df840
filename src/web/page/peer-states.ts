import type { PeerCondition } from '../../routing/router.ts';
import type { IconName } from './icon.ts';

/** How each state of a peer is shown, worst last. */
export const PEER_STATES: ReadonlyArray<{
  readonly state: PeerCondition;
  readonly word: string;
  readonly mark: IconName;
  /** What it means. */
  readonly title: string;
}> = [
  { state: 'connected', word: 'connected', mark: 'disc', title: 'There is a connection' },
  { state: 'known', word: 'known', mark: 'ring', title: 'Not connected, and nothing speaks against it' },
  { state: 'suspect', word: 'suspect', mark: 'triangle', title: 'Its connection has just ended' },
  { state: 'dead', word: 'dead', mark: 'cross', title: 'It cannot be reached, does not answer, or has left' },
];
