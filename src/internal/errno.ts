/** @internal */

/** The errno name (`ENOENT`) or Node's own code of what an operating system call threw. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EUNKNOWN"

/** What `call` gives, or `undefined` when it fails with one of `codes`; any other error is thrown on. */
export const unless = <A>(codes: ReadonlyArray<string>, call: () => A): A | undefined => {
  try {
    return call()
  } catch (error) {
    if (codes.includes(codeOf(error))) return undefined
    throw error
  }
}
