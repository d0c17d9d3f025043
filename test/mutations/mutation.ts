/** One planted fault: a change of the source that breaks a promise, and the tests of which at least one must notice. */
export interface Mutation {
  /** The promise it breaks, such as `P13`. */
  readonly promise: string;
  /** What the fault is, as a person would put it. */
  readonly fault: string;
  /** The file that is changed, below the project folder. */
  readonly file: string;
  /** Text that occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Test files, and where they are long a regular expression of the names to run. */
  readonly tests: readonly string[];
  readonly only?: string;
}

/** The source with the fault in it; says what is wrong when the text is not there exactly once. */
export function plant(
  source: string,
  { find, replace, file }: Mutation,
): { readonly source: string } | { readonly wrong: string } {
  const times = source.split(find).length - 1;
  if (times !== 1) return { wrong: `${file} has the text ${times} times, not once: ${find}` };
  return { source: source.replace(find, () => replace) };
}
