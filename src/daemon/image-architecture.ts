/** As images name the architectures that the binary is built for. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The architecture of this process, as images name it. */
export function imageArchitecture(): string {
  return ARCHITECTURES[process.arch] ?? process.arch;
}
