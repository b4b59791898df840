import { CRI_PLUGIN } from '../containerd-config/config-migration.ts';
import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import type { CriSettings, Setting } from '../containerd-config/cri-settings.ts';
import type { EffectiveConfig } from '../containerd-config/effective-config.ts';
import { findKeyLine, findTableLine, findTableRanges } from '../containerd-config/toml-lines.ts';
import type { Distribution } from './distribution.ts';
import type { FixStep } from './finding.ts';

/** What a fix of containerd's configuration is made from. */
export interface ConfigContext {
  readonly config: EffectiveConfig;
  readonly settings: CriSettings;
  readonly version: ContainerdVersion;
  readonly distribution: Distribution;
}

/** A key to set: in which table, and what is there now. */
export interface KeyChange {
  readonly table: readonly string[];
  readonly key: string;
  /** As TOML. */
  readonly value: string;
  readonly now: Setting<unknown>;
}

/** The steps that set a key where this distribution wants it, and make containerd read it. */
export function fixKey(context: ConfigContext, change: KeyChange): readonly FixStep[] {
  const { distribution } = context;
  const restart: FixStep = { do: 'run', command: distribution.restart };
  const setting = `  ${change.key} = ${change.value}`;
  const toml = [formatTable(versionedTable(change.table)), setting];
  const version = `version = ${context.version.major < 2 ? 2 : 3}`;
  switch (distribution.id) {
    case 'plain':
    case 'aks':
      return [editKey(context, change), restart];
    case 'kind':
      return [
        editKey(context, change),
        restart,
        {
          do: 'note',
          text: 'for new clusters, in the configuration of kind',
          lines: kindPatch([formatTable(kindTable(context, change.table)), setting]),
        },
      ];
    case 'eks-al2023':
      return [
        {
          do: 'note',
          text: 'in the user data of the node (nodeadm writes config.toml at boot), then replace the node',
          lines: nodeConfig(toml),
        },
      ];
    case 'k0s':
      return [{ do: 'write', file: '/etc/k0s/containerd.d/spegel.toml', lines: [version, ...toml] }, restart];
    case 'k3s':
    case 'rke2':
      return [rancherStep(context, [version, ...toml], toml), restart];
    case 'talos':
      return [
        {
          do: 'note',
          text: 'in the machine configuration (talosctl patch machineconfig)',
          lines: talosFile(toml),
        },
        restart,
        {
          do: 'note',
          text: 'from Talos 1.14 on a document of the machine configuration does the same without a reboot',
          lines: [
            'apiVersion: v1alpha1',
            'kind: CRICustomizationConfig',
            'name: spegel',
            'content: |',
            ...indent(toml, 2),
          ],
        },
      ];
    case 'bottlerocket':
      break;
  }
  const text = `Bottlerocket writes ${context.config.path} from its settings and takes no edits: use a version whose template has`;
  return [{ do: 'note', text, lines: toml }];
}

/** The steps that remove tables with everything in them. */
export function fixTables(
  context: ConfigContext,
  tables: ReadonlyArray<readonly string[]>,
): readonly FixStep[] {
  const { distribution } = context;
  const restart: FixStep = { do: 'run', command: distribution.restart };
  const source = sourceOf(context);
  if (source !== undefined) {
    const names = tables.map(formatTable).join(' and ');
    const note: FixStep = {
      do: 'note',
      text: `take out what ${distribution.name} makes ${names} from: ${source}`,
    };
    return distribution.id === 'eks-al2023' ? [note] : [note, restart];
  }
  const steps: FixStep[] = [];
  for (const [file, text] of context.config.files) {
    for (const table of tables) {
      for (const { first, last } of findTableRanges(text, table)) {
        steps.push({ do: 'replace', file, first, last, lines: [] });
      }
    }
  }
  if (steps.length === 0) {
    const text = `remove ${tables.map(formatTable).join(' and ')} from containerd's configuration`;
    return [{ do: 'note', text }, restart];
  }
  return [...steps, restart];
}

/** What a distribution writes its config.toml from at each start; undefined: the file itself is edited. */
function sourceOf({ distribution, config }: ConfigContext): string | undefined {
  switch (distribution.id) {
    case 'k3s':
    case 'rke2':
      return `/etc/rancher/${distribution.id}/registries.yaml (mirrors, configs), and the template ${templateOf(config)} if it is there`;
    case 'k0s':
      return 'the files in /etc/k0s/containerd.d';
    case 'eks-al2023':
      return "spec.containerd.config of the NodeConfig in the node's user data, then replace the node";
    case 'talos':
      return 'machine.files or CRICustomizationConfig documents, and registry settings of the machine configuration';
    case 'bottlerocket':
      return 'settings.container-registry (mirrors, credentials)';
    case 'plain':
    case 'aks':
    case 'kind':
      break;
  }
  return undefined;
}

/** The table as a file that says its version has it: containerd 1.x refuses the short name of the plugin there. */
function versionedTable([root = '', plugin = '', ...rest]: readonly string[]): readonly string[] {
  return [root, plugin === 'cri' ? CRI_PLUGIN : plugin, ...rest];
}

/**
 * kind's own file is of version 2, also with containerd 2, which prefers that version's section where both are there.
 * A file that cannot be seen is taken for such a one.
 */
function kindTable({ config }: ConfigContext, table: readonly string[]): readonly string[] {
  const old = ['plugins', CRI_PLUGIN];
  const texts = Array.from(config.files.values());
  const isOld = texts.length === 0 || texts.some((text) => findTableRanges(text, old).length > 0);
  if (!isOld) return table;
  return [...old, table.at(-1) === 'registry' ? 'registry' : 'containerd'];
}

/** A table's header as TOML. */
export function formatTable(path: readonly string[]): string {
  return `[${path.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join('.')}]`;
}

function editKey({ config, version }: ConfigContext, { table, key, value, now }: KeyChange): FixStep {
  const line = `${key} = ${value}`;
  if (now.origin !== undefined) {
    const { file, path } = now.origin;
    const text = config.files.get(file) ?? '';
    const number = findKeyLine(text, path);
    if (number === undefined) {
      return { do: 'note', text: `in ${file}, where ${path.join('.')} is set`, lines: [line] };
    }
    const indent = /^\s*/.exec(text.split('\n')[number - 1] ?? '')?.[0] ?? '';
    return { do: 'replace', file, first: number, last: number, lines: [`${indent}${line}`] };
  }
  const place = choosePlace(config, version, table);
  if (place === undefined) {
    const lines = [`version = ${version.major < 2 ? 2 : 3}`, formatTable(table), `  ${line}`];
    return { do: 'write', file: config.path, lines };
  }
  const { file, text, path } = place;
  const header = findTableLine(text, path);
  if (header !== undefined) return { do: 'insert', file, after: header, lines: [`  ${line}`] };
  const end = text.replace(/\n$/, '').split('\n').length;
  return { do: 'insert', file, after: end, lines: [formatTable(path), `  ${line}`] };
}

/** The file in which the key counts, and the table to use there; undefined if there is no file at all. */
function choosePlace(config: EffectiveConfig, version: ContainerdVersion, table: readonly string[]) {
  const files = Array.from(config.files);
  // 2.x prefers the section of 1.x where a file has both, and migrates all of it.
  const old = ['plugins', CRI_PLUGIN, 'registry'];
  if (version.major >= 2 && table.at(-1) === 'registry') {
    const withOld = files.find(([, text]) => findTableLine(text, old) !== undefined);
    const migrates = version.minor >= 3 || config.configVersion < 3;
    if (withOld !== undefined && migrates) return { file: withOld[0], text: withOld[1], path: old };
  }
  // 1.x takes the last section of a plugin whole: what is written before it is lost.
  const plugin = table.slice(0, 2);
  const last = files.findLast(([, text]) => findTableRanges(text, plugin).length > 0);
  const [file, text] = (version.major < 2 ? last : undefined) ?? files[0] ?? [];
  return file === undefined || text === undefined ? undefined : { file, text, path: table };
}

function rancherStep(
  { config, version }: ConfigContext,
  file: readonly string[],
  toml: readonly string[],
): FixStep {
  // 1.x would take the one table of such a file for all of the CRI plugin, and lose the runtimes and the network.
  const glob = version.major < 2 ? undefined : config.globs.find((glob) => glob.endsWith('/*.toml'));
  if (glob !== undefined) return { do: 'write', file: glob.replace(/\*\.toml$/, 'spegel.toml'), lines: file };
  return {
    do: 'note',
    text: `in ${templateOf(config)} (made from the base template if it is not there); a table that the base has already is changed, not repeated`,
    lines: ['{{ template "base" . }}', '', ...toml],
  };
}

function templateOf({ path, configVersion }: EffectiveConfig): string {
  return path.replace(/config\.toml$/, configVersion >= 3 ? 'config-v3.toml.tmpl' : 'config.toml.tmpl');
}

function kindPatch(toml: readonly string[]): string[] {
  return ['containerdConfigPatches:', '- |-', ...indent(toml, 2)];
}

function nodeConfig(toml: readonly string[]): string[] {
  return [
    'apiVersion: node.eks.aws/v1alpha1',
    'kind: NodeConfig',
    'spec:',
    '  containerd:',
    '    config: |',
    ...indent(toml, 6),
  ];
}

function talosFile(toml: readonly string[]): string[] {
  return [
    'machine:',
    '  files:',
    '    - path: /etc/cri/conf.d/20-customization.part',
    '      op: create',
    '      content: |',
    ...indent(toml, 8),
  ];
}

function indent(lines: readonly string[], spaces: number): readonly string[] {
  return lines.map((line) => `${' '.repeat(spaces)}${line}`);
}
