/** Where one containerd keeps things. */
export interface ContainerdPaths {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  /** The folder of hosts.toml folders. */
  readonly certsDir: string;
}

/** The version that `containerd --version` prints, such as 1.6.20 or 2.3.4. Throws on anything else. */
export function parseContainerdVersion(text: string): { readonly major: number; readonly version: string } {
  const match = /\sv?((\d+)\.\d+\.\d+)/.exec(text);
  if (match?.[1] === undefined) throw new Error(`Cannot find a version in "${text.trim()}"`);
  return { major: Number(match[2]), version: match[1] };
}

/** Whether a version has concurrent_layer_fetch_buffer: 2.1 and later. */
export function hasParallelRanges(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 1);
}

/** Options of formatContainerdConfig. */
export interface ContainerdConfigOptions {
  /** Layers above this size come as Range requests of that size, in parallel; from 2.1 on. Default: they do not. */
  readonly fetchBufferBytes?: number | undefined;
}

/** The config.toml of a containerd that shares nothing with another one on this machine. */
export function formatContainerdConfig(
  major: number,
  paths: ContainerdPaths,
  { fetchBufferBytes }: ContainerdConfigOptions = {},
): string {
  const { root, state, socket, certsDir } = paths;
  // The CRI plugin and the transfer service, to which it leaves pulls, have it each.
  const parallelRanges =
    fetchBufferBytes === undefined
      ? []
      : ['io.containerd.cri.v1.images', 'io.containerd.transfer.v1.local'].flatMap((plugin) => [
          `[plugins."${plugin}"]`,
          `concurrent_layer_fetch_buffer = ${fetchBufferBytes}`,
        ]);
  const common = [
    `version = ${major >= 2 ? 3 : 2}`,
    `root = "${root}"`,
    `state = "${state}"`,
    // Snapshotters that need devices or other file systems only cost start-up time here.
    'disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]',
    '[grpc]',
    `address = "${socket}"`,
    '[debug]',
    'level = "info"',
    `[plugins."io.containerd.internal.v1.opt"]`,
    `path = "${root}/opt"`,
  ];
  // No container is ever started, so there is no network to set up: folders that do not exist will do.
  const cni = [`bin_dir = "${root}/cni/bin"`, `conf_dir = "${root}/cni/net.d"`];
  const cri =
    major >= 2
      ? [
          ...parallelRanges,
          `[plugins."io.containerd.cri.v1.images".registry]`,
          `config_path = "${certsDir}"`,
          `[plugins."io.containerd.cri.v1.runtime".cni]`,
          `bin_dirs = ["${root}/cni/bin"]`,
          `conf_dir = "${root}/cni/net.d"`,
          `[plugins."io.containerd.grpc.v1.cri"]`,
          `stream_server_port = "0"`,
        ]
      : [
          `[plugins."io.containerd.grpc.v1.cri"]`,
          `stream_server_port = "0"`,
          `[plugins."io.containerd.grpc.v1.cri".registry]`,
          `config_path = "${certsDir}"`,
          `[plugins."io.containerd.grpc.v1.cri".cni]`,
          ...cni,
        ];
  return `${[...common, ...cri].join('\n')}\n`;
}
