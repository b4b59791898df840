import { findSaves, findTakenAway, findUndo } from './hosts-changes.ts';
import type { HostsConfig } from './hosts-config.ts';
import { type HostsState, readHostsState } from './hosts-state.ts';
import { planHosts } from './plan-hosts.ts';
import type { HostsChanges } from './write-hosts.ts';

/** Works out all that `spegel configure` has to change, for writeHosts. Changes nothing. Throws HostsConfigError. */
export async function planConfiguration(
  config: HostsConfig,
): Promise<{ readonly state: HostsState; readonly changes: HostsChanges }> {
  const state = await readHostsState(config.configPath);
  const plan = await planHosts(config, state);
  const changes = {
    saves: state.hasBackup ? await findSaves(state) : [],
    missing: await findTakenAway(state),
    plan,
    undo: await findUndo(state, plan),
  };
  return { state, changes };
}
