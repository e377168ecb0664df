/** @internal */

/** The beginning of what a service said, fit for a terminal and for one line of it. */
export const printable = (text: string): string =>
  text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, " ").trim().slice(0, 80)
