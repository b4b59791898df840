import { basename } from 'node:path';
import type { FolderCertificates } from './host-folder.ts';
import type { AskedHost } from './hosts-reading.ts';
import { CERTIFICATE_FILES } from './hosts-trees.fixture.ts';

/** The certificates of a folder with these files, as readFolderCertificates gives them. */
export function certificatesOf(files: readonly string[]): FolderCertificates {
  return {
    ca: files.filter((name) => name.endsWith('.crt')),
    client: files
      .filter((name) => name.endsWith('.cert'))
      .map((name) => {
        const key = name.replace(/cert$/, 'key');
        return [name, files.includes(key) ? key : name] as const;
      }),
  };
}

/** A host as the table of what containerd answers has it, with the common names of its certificates. */
export function formatAskedHost(host: AskedHost): string {
  const {
    scheme,
    host: authority,
    path,
    fallsBackToHttp,
    capabilities,
    skipVerify,
    ca,
    client,
    header,
  } = host;
  const name = (file: string) => CERTIFICATE_FILES[basename(file)] ?? file;
  const headers = Object.entries(header).sort(([left], [right]) => (left < right ? -1 : 1));
  return [
    `${scheme}://${authority}${path}`,
    fallsBackToHttp ? 'or-http' : '',
    capabilities.join(','),
    skipVerify ? 'skip-verify' : '',
    ca.length === 0
      ? ''
      : `ca=${Array.from(new Set(ca.map(name)))
          .sort()
          .join(',')}`,
    client.length === 0 ? '' : `client=${client.map(([certificate]) => name(certificate)).join(',')}`,
    headers.length === 0 ? '' : `header=${JSON.stringify(Object.fromEntries(headers))}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}
