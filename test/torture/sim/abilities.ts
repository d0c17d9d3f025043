import type { Abilities } from "./script.ts";

/** What lives do today. */
export const abilities: Abilities = { orphanPolicies: true, rootAway: true, powerLoss: true };
