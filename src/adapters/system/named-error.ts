/** What Linux says and Node has no name for; its messages then read "Unknown system error -122". */
const NAMES: ReadonlyMap<unknown, { readonly code: string; readonly words: string }> = new Map([
  [-122, { code: "EDQUOT", words: "disk quota exceeded" }],
]);

/** What `act` gives; what it throws has its `code` and message by name, also where Node knows only a number. */
export function named<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw nameOf(error);
  }
}

function nameOf(error: unknown): unknown {
  if (!(error instanceof Error) || !("errno" in error)) return error;
  const name = NAMES.get(error.errno);
  if (name === undefined) return error;
  const message = error.message
    .replace(/^(Unknown system error -\d+: )+/, "")
    .replace(/^Unknown system error -\d+/, "");
  const known = new Error(`${name.code}: ${name.words}${message.startsWith(",") ? message : `, ${message}`}`);
  return Object.assign(known, error, { code: name.code });
}
