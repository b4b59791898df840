import { churn } from './scenarios/churn.ts';
import { crowded } from './scenarios/crowded.ts';
import { erosion } from './scenarios/erosion.ts';
import { holders } from './scenarios/holders.ts';
import { joining } from './scenarios/joining.ts';
import { lasting } from './scenarios/lasting.ts';
import { lies } from './scenarios/lies.ts';
import { massStart } from './scenarios/mass-start.ts';
import { partition } from './scenarios/partition.ts';
import { quiet } from './scenarios/quiet.ts';
import { withdrawing } from './scenarios/withdrawing.ts';
import type { Scenario, ScenarioOptions } from './scenario.ts';

/** All scenarios, in the order in which they are run. */
export const SCENARIOS: readonly Scenario[] = [
  quiet,
  crowded,
  withdrawing,
  lies,
  holders,
  joining,
  erosion,
  lasting,
  massStart,
  partition,
  churn,
];

/** A cluster that is as small as it may be and has more nodes than a key has replicas: seconds for everything. */
export const SHORT: ScenarioOptions = {
  nodes: 70,
  seed: 1,
  maxConnections: 1000,
  keysPerNode: 2,
  lookups: 100,
  minutes: 2,
  churnPerMinute: 0.05,
};
