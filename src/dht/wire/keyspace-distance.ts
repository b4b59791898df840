/** True if `a` is closer to the position in the keyspace than `b`, by XOR (Kademlia). All have 32 bytes. */
export function isCloserTo(position: Uint8Array, a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < position.length; index++) {
    const byte = position[index] ?? 0;
    const difference = ((a[index] ?? 0) ^ byte) - ((b[index] ?? 0) ^ byte);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
