/** @internal */

/** A word as a POSIX shell reads it back, whatever is in it. */
export const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`
