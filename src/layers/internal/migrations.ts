/**
 * How journals of earlier formats are read. Whoever changes what an entry means adds the step that makes the new entry of
 * the old one; a new entry that an older program may leave alone needs none.
 *
 * @internal
 */

/** All that a journal says, by key. */
export type Entries = ReadonlyMap<string, unknown>

/** What entries of one format are in the next. */
export type Migration = (entries: Entries) => Entries

/** The first is from format 1 to format 2. */
export const migrations: ReadonlyArray<Migration> = []

/** The format that these steps lead to: what this program writes, and the newest that it reads. */
export const formatAfter = (steps: ReadonlyArray<Migration>): number => 1 + steps.length

/** Entries of format `from` in the newest one. */
export const migrate = (entries: Entries, from: number, steps: ReadonlyArray<Migration>): Entries =>
  steps.slice(from - 1).reduce((before, step) => step(before), entries)
