import { readFileSync, writeFileSync } from 'node:fs';
import type { Cleanup } from './cleanup.ts';

/**
 * The kernel's neighbour table is one for all namespaces, 1,024 entries by default. N nodes that all
 * talk to each other need about N² entries; when it is full, dials fail with "no route to host".
 */
const ENTRIES_PER_PAIR = 4;
/** Below this many nodes the default is enough. */
const NODES_THAT_FIT = 12;

const FOLDERS = ['/proc/sys/net/ipv4/neigh/default', '/proc/sys/net/ipv6/neigh/default'];

/** The hard limit first, so that the soft ones never exceed it. */
const LIMITS = ['gc_thresh3', 'gc_thresh2', 'gc_thresh1'];

/** Raises the limits for that many nodes, if they are lower, and puts them back at the end. */
export function reserveArpTable(cleanup: Cleanup, nodes: number): void {
  if (nodes <= NODES_THAT_FIT) return;
  const needed = nodes * nodes * ENTRIES_PER_PAIR;
  for (const folder of FOLDERS) {
    for (const name of LIMITS) raise(cleanup, `${folder}/${name}`, needed);
  }
}

function raise(cleanup: Cleanup, path: string, needed: number): void {
  let before: string;
  try {
    before = readFileSync(path, 'utf8').trim();
  } catch {
    return;
  }
  if (Number(before) >= needed) return;
  writeFileSync(path, String(needed));
  cleanup.defer(path, () => {
    // Somebody else (another lab) has set it since: then it is theirs.
    if (readFileSync(path, 'utf8').trim() === String(needed)) writeFileSync(path, before);
  });
}
