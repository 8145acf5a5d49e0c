import type { Insertable } from 'kysely'
import type { ExecutionLimits } from '../../protocol/execution.ts'
import type { AskedStep, JudgedStep } from '../registry/recorded-step.ts'
import type { ExecutionTable } from '../store/schema-execution.ts'

/** A step that may be entered, as far as was read: judged again, and entered, by the mint's write. */
export type StepEntry = {
  readonly execution_id: string
  /** Set where this mint opens the execution. */
  readonly opening?: Insertable<ExecutionTable>
  readonly limits: ExecutionLimits
  readonly expires_at: Date
  readonly initiated_by: string
  readonly intent_digest: string | null
  readonly asked: AskedStep
  readonly judged: JudgedStep
}
