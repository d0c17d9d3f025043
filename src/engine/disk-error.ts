/** Is this what a disk or a database says (`ENOSPC`, `ERR_SQLITE_ERROR` ...), as against a fault of our own? */
export function isDiskError(error: unknown): error is Error & { readonly code: unknown } {
  return error instanceof Error && "code" in error;
}
