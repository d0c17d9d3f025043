/** What one part of the torture found out: printed as one line of JSON. */
export interface PartResult {
  readonly part: string;
  /** Every promise that could be tried here held. */
  readonly ok: boolean;
  /** How much was tried and what was counted, the seed among them. */
  readonly numbers: Readonly<Record<string, number | string>>;
  /** What this machine could not try, one sentence each: counted as not proven, never as passed. */
  readonly notProven: readonly string[];
}
