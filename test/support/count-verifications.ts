import nodeCrypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import type { TestContext } from 'node:test'

/**
 * Counts the signatures that this process verifies until the test is over: of curves on the calling thread, of RSA on
 * another.
 * @returns how many since it was asked last
 */
export function countVerifications(t: TestContext): () => number {
  const mocks = [t.mock.method(nodeCrypto, 'verify'), t.mock.method(crypto.subtle, 'verify')]
  syncBuiltinESMExports()
  t.after(() => {
    for (const mock of mocks) mock.mock.restore()
    syncBuiltinESMExports()
  })
  return () => {
    const count = mocks.reduce((sum, { mock }) => sum + mock.callCount(), 0)
    for (const { mock } of mocks) mock.resetCalls()
    return count
  }
}
