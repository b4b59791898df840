import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { planConfiguration } from './hosts-configure.ts';
import type { HostFiles } from './host-files.ts';
import type { HostsConfig } from './hosts-config.ts';
import { parseRegistryUrl } from './registry-url.ts';
import { writeHosts } from './write-hosts.ts';

/** A text; a link as `-> target`; a mode other than 0644 as `0600 text`. A path that ends in / is a folder. */
export type HostsTree = Readonly<Record<string, string>>;

/** A configuration in a folder of its own; dispose it. */
export interface HostsFolder extends AsyncDisposable {
  /** The folder around it. */
  readonly root: string;
  readonly configPath: string;
  make(tree: HostsTree): Promise<void>;
  /** Everything in the folder around it, in the form of HostsTree. */
  read(): Promise<HostsTree>;
  text(path: string): Promise<string>;
  config(changes?: Partial<HostsConfig>): HostsConfig;
  configure(changes?: Partial<HostsConfig>, files?: HostFiles): Promise<void>;
}

/** What somebody had before: files, modes, links of each kind, both forms of a folder with a port. */
export const THEIRS: HostsTree = {
  'docker.io/hosts.toml': "0640 server = 'https://registry-1.docker.io'\n[host.'https://cache.example']\n",
  'docker.io/own.key': '0600 KEY',
  'docker.io/own.cert': 'CERT',
  'docker.io/linked.crt': '-> own.cert',
  'registry.lab:5000/ca.crt': '0600 PEM',
  'registry.lab_6000_/hosts.toml': 'skip_verify = true\n',
  'ghcr.io': '-> ../elsewhere',
  '../elsewhere/hosts.toml': "ca = 'ca.crt'\n",
  '../elsewhere/ca.crt': 'PEM',
  'quay.io/hosts.toml': '-> ../../single.toml',
  '../single.toml': "server = 'https://quay.io'\n",
  'lscr.io': '-> docker.io',
  'empty.example/': '0700',
  'readme.txt': 'hello',
};

/** Parses URLs. */
export const urls = (...texts: readonly string[]) => texts.map((text) => parseRegistryUrl(text));

/** Makes an empty configuration. */
export async function createHostsFolder(): Promise<HostsFolder> {
  const root = await mkdtemp(join(tmpdir(), 'spegel-hosts-'));
  const configPath = join(root, 'certs.d');
  await mkdir(configPath);
  const config = (changes: Partial<HostsConfig> = {}): HostsConfig => ({
    configPath,
    allRegistries: false,
    registries: [],
    targets: urls('http://10.0.0.1:30020'),
    additionalTargets: [],
    resolveTags: true,
    prependExisting: false,
    authorization: undefined,
    ...changes,
  });
  return {
    root,
    configPath,
    config,
    make: async (tree) => makeTree(configPath, tree),
    read: async () => readTree(root),
    text: async (path) => readFile(join(configPath, path), 'utf8'),
    async configure(changes, files) {
      const plan = await planConfiguration(config(changes));
      await writeHosts(plan.state, plan.changes, files);
    },
    [Symbol.asyncDispose]: async () => rm(root, { recursive: true, force: true }),
  };
}

async function makeTree(folder: string, tree: HostsTree): Promise<void> {
  for (const [name, text] of Object.entries(tree)) {
    const path = join(folder, name);
    const [mode = '', rest = text] = /^(0[0-7]{3})? ?(.*)$/s.exec(text)?.slice(1) ?? [];
    await mkdir(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (text.startsWith('-> ')) await symlink(text.slice('-> '.length), path);
    else if (!name.endsWith('/')) await writeFile(path, mode ? rest : text);
    if (mode) await chmod(path, Number.parseInt(mode, 8));
  }
}

async function readTree(root: string): Promise<HostsTree> {
  const tree: Record<string, string> = {};
  const visit = async (folder: string): Promise<void> => {
    for (const name of await readdir(join(root, folder))) {
      const path = join(folder, name);
      const stats = await lstat(join(root, path));
      const mode = stats.mode & 0o7777;
      const shown = (usual: number) => (mode === usual ? '' : `0${mode.toString(8)} `);
      if (stats.isSymbolicLink()) tree[path] = `-> ${await readlink(join(root, path))}`;
      else if (stats.isDirectory()) {
        tree[`${path}/`] = shown(0o755).trim();
        await visit(path);
      } else tree[path] = shown(0o644) + (await readFile(join(root, path), 'utf8'));
    }
  };
  await visit('');
  return tree;
}
