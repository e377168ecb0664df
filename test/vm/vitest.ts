/** What tests import from `vitest`, without what makes it slow to start: its own runner, and the assertions it uses. */
export * from "@vitest/runner"
export { assert } from "chai"

/** What files say of their own patience: the virtual machine has more. */
export const vi = { setConfig: () => {} }
