import { join } from 'node:path';
import { readRegularFile } from './host-tree.ts';
import type { HostsChange } from './hosts-changes.ts';
import { formatDiff } from './hosts-diff.ts';
import type { HostsState } from './hosts-state.ts';
import { type HostsChanges, isUnchanged } from './write-hosts.ts';

/**
 * What writeHosts would do, as a unified diff of the hosts.toml files with a comment line for each other change; empty
 * if there is nothing to do. Changes nothing.
 */
export async function describeChanges(state: HostsState, changes: HostsChanges): Promise<string> {
  if (isUnchanged(changes)) return '';
  const { configPath, isThere, backupPath, hasBackup } = state;
  const parts = [
    isThere ? '' : `# make ${configPath}: containerd reads it only if its config_path names it\n`,
    hasBackup ? '' : `# copy ${configPath} to ${backupPath}\n`,
  ];
  for (const change of [...changes.saves, ...changes.missing]) parts.push(describe(state, change));
  for (const { path, text } of changes.plan) {
    parts.push(formatDiff({ path, before: await readText(path), after: text }));
  }
  for (const { what, path } of changes.undo) {
    if (what !== 'restore-hosts-toml') parts.push(describe(state, { what, path }));
    const file = join(configPath, path, path.endsWith('/hosts.toml') ? '' : 'hosts.toml');
    const after = what === 'restore-hosts-toml' ? await readText(join(backupPath, path)) : undefined;
    parts.push(formatDiff({ path: file, before: await readText(file), after }));
  }
  return parts.join('');
}

function describe({ configPath, backupPath }: HostsState, { what, path }: HostsChange): string {
  const [here, kept] = [join(configPath, path), join(backupPath, path)];
  const lines: Readonly<Record<HostsChange['what'], string>> = {
    save: `copy ${here} to ${kept}`,
    'save-newer': `copy ${here} over ${kept}, which is kept under another name`,
    'bring-back': `copy ${kept} to ${here}`,
    'bring-back-attributes': `give ${here} the mode and owner of ${kept}`,
    'restore-hosts-toml': `copy ${kept} to ${here}`,
    'remove-hosts-toml': `remove ${here}`,
    'remove-folder': `remove ${here}`,
    'restore-link': `put the link ${kept} in the place of ${here}`,
  };
  return `# ${lines[what]}\n`;
}

async function readText(path: string): Promise<string | undefined> {
  return (await readRegularFile(path))?.toString();
}
