import type { HostileCluster } from './hostile-cluster.ts';
import type { HttpFigures, PeerFigures } from './player-commands.ts';

/** What came of a load. */
export interface LoadFigures {
  /** Of well-behaved clients, whose answers have to be right. */
  readonly fair?: HttpFigures | undefined;
  /** Of hostile clients. */
  readonly hostile?: HttpFigures | undefined;
  readonly peers?: PeerFigures | undefined;
  /** Other figures, by what they are. */
  readonly notes?: Readonly<Record<string, string>>;
  /** What should not have been. */
  readonly faults?: readonly string[];
}

/** A load under way. */
export interface StartedLoad {
  /** Resolves when it has done all it does; undefined for what goes on and on. */
  readonly done?: Promise<void> | undefined;
  stop(): Promise<LoadFigures>;
}

/** Something that is done to a node. */
export interface Load {
  readonly name: string;
  readonly summary: string;
  /** Default http. */
  readonly bootstrap?: 'http' | 'dns';
  start(cluster: HostileCluster): Promise<StartedLoad>;
}
