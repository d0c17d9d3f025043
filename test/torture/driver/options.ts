/** The number after an option such as `--seed`; `otherwise` when the option is not there. Throws for what is no number. */
export function numberOption(args: readonly string[], name: string, otherwise: number): number {
  const at = args.indexOf(name);
  if (at < 0) return otherwise;
  const value = Number(args[at + 1]);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} wants a number, not "${args[at + 1] ?? ""}"`);
  return value;
}
