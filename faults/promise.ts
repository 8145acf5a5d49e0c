import type { Defer } from '../demo/remit-server.ts'
import type { AuditBook } from './audit-book.ts'

/** What one promise of reliability.md section 3 came to. */
export type Outcome = {
  readonly id: string
  /** A short text or a number with its unit. */
  readonly figure: string
  readonly ok: boolean
  /** Why it was not tried here. */
  readonly skipped?: string
}

/** What a promise runs in: a directory of its own, and an end to everything it starts. */
export type Stage = {
  readonly dir: string
  readonly defer: Defer
  /** The five-minute form. */
  readonly short: boolean
  /** What other runs saw acknowledged and recorded, for R9. */
  readonly book: AuditBook
  readonly say: (line: string) => void
}

export type FaultPromise = {
  /** All that one run of it measures; the first names it. */
  readonly ids: readonly [string, ...string[]]
  readonly title: string
  readonly run: (stage: Stage) => Promise<readonly Outcome[]>
  /** Part of `npm run test:system`: why it is not everybody's. */
  readonly system?: string
}
