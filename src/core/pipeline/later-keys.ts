/** Keys of the design that a later release brings: refused with their own message, never read and ignored. */
export const LATER_KEYS: ReadonlySet<string> = new Set([
  "resilience",
  "onMemberFailure",
  "onIncomplete",
  "when",
  "maxDelay",
  "optional",
]);
