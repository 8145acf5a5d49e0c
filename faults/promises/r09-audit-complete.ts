import type { FaultPromise } from '../promise.ts'

/** R9: of every run before it in which something was killed, each acknowledged token has its audit row, once. */
export const auditComplete: FaultPromise = {
  ids: ['R9'],
  title: 'the witnesses of R1, R6 and R10 against the audit trail',
  run: async ({ book }) => {
    const runs = book.entries
    const missing = runs.reduce((sum, entry) => sum + entry.missing, 0)
    const doubled = runs.reduce((sum, entry) => sum + entry.doubled, 0)
    const witnessed = runs.reduce((sum, entry) => sum + entry.witnessed, 0)
    if (runs.length === 0) return [{ id: 'R9', figure: '', ok: true, skipped: 'no run before it had a witness' }]
    return [
      {
        id: 'R9',
        figure: `${missing} of ${witnessed} tokens without an audit row, ${doubled} with two (${runs.map(({ run }) => run).join(', ')})`,
        ok: missing + doubled === 0 && witnessed > 0,
      },
    ]
  },
}
