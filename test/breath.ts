/**
 * For every process of the unit tests.
 *
 * A process that computes a law hears nothing, and vitest gives up what it told the main one and heard no answer of within
 * a minute. So it draws a breath between two tests.
 */
import { afterEach } from "vitest"

afterEach(() => new Promise<void>((resolve) => setImmediate(resolve)))

// Vitest ends its processes by a signal, and what they have made for themselves is to be taken away even so.
if (process.listenerCount("SIGTERM") === 0) process.once("SIGTERM", () => process.exit())
