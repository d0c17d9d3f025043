import type { Abilities } from "./script.ts";

/** What lives do today. */
export const abilities: Abilities = { orphanPolicies: false, rootAway: false, powerLoss: false };
