import type { Logger } from '../observe/log.ts';
import { type Metrics } from '../observe/metrics.ts';
import { type MemoryPlan } from '../runtime/memory/memory-plan.ts';
import { type MemoryRoom } from '../runtime/memory/memory-room.ts';
import { type LiveDeps } from './create-live.ts';
import type { RegistryOptions } from './registry-options.ts';

/** What the parts of the process share. */
export interface NodeProcess {
  readonly options: RegistryOptions;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
  readonly isPod: boolean;
  /** Released in reverse order at the end: listeners first. */
  readonly running: AsyncDisposableStack;
  /** What the parts may hold. */
  readonly plan: MemoryPlan;
  /** How much of it may be handed out just now. */
  readonly room: MemoryRoom;
  /** Of this process, in bytes. */
  readonly readMemory: LiveDeps['readMemory'];
}
