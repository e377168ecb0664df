/**
 * What it takes to test layers of one's own.
 *
 * @since 0.1.0
 */

export * as Arbitraries from "./Arbitraries.ts"
export * as Laws from "./Laws.ts"
