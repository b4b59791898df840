/** A name with fewer dots than this is tried with the search domains first (resolv.conf(5)). */
const DEFAULT_NDOTS = 1;
/** As in glibc and musl; a larger number makes no sense. */
const MAX_NDOTS = 15;
/** A pod has three or four; more than this would only make a wrong name slow. */
const MAX_SEARCH_DOMAINS = 8;

/**
 * The names to ask for, in order, as resolv.conf(5) says. A name that ends with a dot is complete. A name with at least
 * `ndots` dots is tried as it is first, any other name with the search domains first. All of them end with a dot.
 */
export function searchNames(name: string, resolvConf: string): readonly string[] {
  if (name.endsWith('.')) return [name];
  const { domains, ndots } = parseResolvConf(resolvConf);
  const searched = domains.map((domain) => `${name}.${domain}.`);
  return name.split('.').length > ndots ? [`${name}.`, ...searched] : [...searched, `${name}.`];
}

function parseResolvConf(text: string): { readonly domains: readonly string[]; readonly ndots: number } {
  let domains: readonly string[] = [];
  let ndots = DEFAULT_NDOTS;
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    // The last of several lines counts.
    if (keyword === 'search' || keyword === 'domain') domains = words;
    if (keyword !== 'options') continue;
    const digits = words
      .map((word) => /^ndots:(\d{1,3})$/.exec(word)?.[1])
      .findLast((found) => found !== undefined);
    if (digits !== undefined) ndots = Math.min(Number(digits), MAX_NDOTS);
  }
  const absolute = domains.map((domain) => domain.replace(/\.$/, '')).filter((domain) => domain !== '');
  return { domains: absolute.slice(0, MAX_SEARCH_DOMAINS), ndots };
}
