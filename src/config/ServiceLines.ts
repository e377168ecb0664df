/**
 * The lines where services begin, without a parser that knows lines.
 *
 * @since 0.1.0
 */

// Strings and comments come first, so that no header is seen inside one.
const token =
  /"""(?:\\[^]|[^\\])*?"""|'''[^]*?'''|(?<=^[ \t]*)\[[ \t]*service[ \t]*\.[ \t]*(?:([A-Za-z0-9_-]+)|"([^"\n]*)"|'([^'\n]*)')|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#.*/gm

/**
 * The line of each `[service.NAME]`, or of the first table inside it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const serviceLines = (text: string): ReadonlyMap<string, number> => {
  const lines = new Map<string, number>()
  let line = 1
  let counted = 0
  for (const { 1: bare, 2: basic, 3: literal, index } of text.matchAll(token)) {
    const name = bare ?? basic ?? literal
    if (name === undefined || lines.has(name)) continue
    for (; counted < index; counted++) if (text[counted] === "\n") line++
    lines.set(name, line)
  }
  return lines
}
