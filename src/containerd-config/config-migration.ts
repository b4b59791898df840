import { copyOf, setAt, tableAt, treeAt, type TomlTree } from './toml-tree.ts';

/** The CRI plugin of containerd 1.x, and of configuration files up to version 2. */
export const CRI_PLUGIN = 'io.containerd.grpc.v1.cri';
/** What 2.x reads the CRI's image settings from. */
export const IMAGES_PLUGIN = 'io.containerd.cri.v1.images';
/** What 2.x reads the CRI's runtimes from. */
export const RUNTIME_PLUGIN = 'io.containerd.cri.v1.runtime';

/** Keys of the CRI plugin that its migration moves to the images plugin (migrateConfig in plugins/cri/images). */
const MOVED_KEYS = [
  'registry',
  'image_decryption',
  'max_concurrent_downloads',
  'image_pull_progress_timeout',
  'image_pull_with_sync_fs',
  'stats_collect_period',
];
const MOVED_CONTAINERD_KEYS = ['snapshotter', 'disable_snapshot_annotations', 'discard_unpacked_layers'];

/** Version 1 names plugins by their ID alone; later ones by type and ID. */
export function renameVersion1Plugins(tree: TomlTree): void {
  const plugins = tableAt(tree, ['plugins']);
  const cri = plugins?.get('cri');
  if (plugins === undefined || cri === undefined) return;
  plugins.delete('cri');
  plugins.set(CRI_PLUGIN, cri);
}

/** The name that a plugin of a version 1 file has from version 2 on, as far as it matters here (v1MigratePluginName). */
export function fullPluginName(name: string): string {
  if (name.includes('.')) return name;
  return name === 'cri' ? CRI_PLUGIN : `io.containerd.grpc.v1.${name}`;
}

/**
 * Moves settings of the CRI plugin to the plugins of images and of runtimes as containerd 2.x does for files of older versions.
 * That includes its flaw: without a `containerd.runtimes` table, what is in `containerd` is not moved, and is lost. Names count
 * as they are written.
 */
export function migrateCriPlugin(tree: TomlTree): void {
  const source = tableAt(tree, ['plugins', CRI_PLUGIN]);
  if (source === undefined) return;
  const move = (from: readonly string[], key: string) => {
    const value = treeAt(source, from);
    if (value !== undefined) setAt(tree, ['plugins', IMAGES_PLUGIN, key], copyOf(value));
  };
  for (const key of MOVED_KEYS) move([key], key);
  const runtimes = tableAt(source, ['containerd', 'runtimes']);
  if (runtimes === undefined) return;
  for (const key of MOVED_CONTAINERD_KEYS) move(['containerd', key], key);
  const moved = ['plugins', RUNTIME_PLUGIN, 'containerd', 'runtimes'];
  if (treeAt(tree, moved) === undefined) setAt(tree, moved, copyOf(runtimes));
}
