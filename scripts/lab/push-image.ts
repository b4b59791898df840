import type { LabHttp } from './lab-http.ts';
import type { TestBlob, TestImage } from './test-image.ts';

/** Where an image goes. */
export interface PushOptions {
  readonly image: TestImage;
  /** URL of the registry. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

/** Pushes an image (OCI distribution spec 1.1, "Push"). Children go first; the registry insists on it. */
export async function pushImage(
  { http }: { readonly http: LabHttp },
  { image, registry, repository, tag }: PushOptions,
): Promise<void> {
  const base = `${registry}/v2/${repository}`;
  const expectStatus = async (response: Response, status: number, what: string): Promise<Response> => {
    if (response.status !== status) {
      throw new Error(`Cannot push ${what} to ${base}: ${response.status} ${await response.text()}`);
    }
    return response;
  };
  const pushBlob = async ({ digest, content }: TestBlob): Promise<void> => {
    const started = await expectStatus(
      await http.fetch(`${base}/blobs/uploads/`, { method: 'POST' }),
      202,
      digest,
    );
    const location = new URL(started.headers.get('Location') ?? '', registry);
    location.searchParams.set('digest', digest);
    const url = `${registry}${location.pathname}${location.search}`;
    await expectStatus(await http.fetch(url, { method: 'PUT', body: content() }), 201, digest);
  };
  const pushManifest = async ({ mediaType, content }: TestBlob, reference: string): Promise<void> => {
    const response = await http.fetch(`${base}/manifests/${reference}`, {
      method: 'PUT',
      headers: { 'Content-Type': mediaType },
      body: content(),
    });
    await expectStatus(response, 201, reference);
  };
  for (const blob of image.blobs) {
    if (blob.kind === 'config' || blob.kind === 'layer') await pushBlob(blob);
    else if (blob !== image.root) await pushManifest(blob, blob.digest);
  }
  await pushManifest(image.root, tag);
}
