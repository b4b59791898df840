/**
 * Metrics that alerts, dashboards and documents name already, and that the program does not have yet. A test fails as soon as
 * the program has them: take them out here then.
 */
export const COMING_METRICS: readonly string[] = ['spegel_mirror_in_use'];
/** Labels of theirs that no other metric has. */
export const COMING_LABELS: readonly string[] = [];
