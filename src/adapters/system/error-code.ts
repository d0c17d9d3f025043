/** The code of a failure of the disk, such as ENOENT; `undefined` for anything else that was thrown. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
